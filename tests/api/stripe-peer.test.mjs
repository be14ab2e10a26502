// The stand-in of Stripe is what Stripe's own SDK takes for Stripe: what people buy, change, pay and get back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { checkout, refused, RETURN, start, subscribed } from '../lib/stripe-sdk.mjs';

test('a customer pays on the page and has a subscription', async (t) => {
    const { peer, sdk } = await start(t);
    const customer = await sdk.customers.create({ email: 'a@vv.test', name: 'Ann', metadata: { uid: 'u-1' } });
    assert.equal((await sdk.customers.retrieve(customer.id)).metadata.uid, 'u-1');
    const session = await checkout(sdk, customer.id, 'price_pro_monthly', { client_reference_id: 'u-1', expand: ['line_items'] });
    assert.equal(session.status, 'open');
    assert.equal(session.line_items.data[0].price.unit_amount, 1999);

    const page = await (await fetch(session.url)).text();
    assert.match(page, /Pro/);
    assert.match(page, /19\.99 USD/);
    const press = (action) => fetch(session.url, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ action }) });
    assert.equal((await press('cancel')).headers.get('location'), RETURN.cancel_url);
    assert.equal((await press('decline')).status, 402);
    assert.equal((await sdk.checkout.sessions.retrieve(session.id)).status, 'open');
    const paid = await press('pay');
    assert.equal(paid.status, 303);
    assert.equal(paid.headers.get('location'), `http://app.test/done?session_id=${session.id}`);
    assert.equal((await press('pay')).status, 410, 'nobody pays twice');

    const done = await sdk.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    assert.equal(done.status, 'complete');
    assert.equal(done.payment_status, 'paid');
    const { subscription } = done;
    assert.equal(subscription.status, 'active');
    assert.equal(subscription.customer, customer.id);
    assert.equal(subscription.current_period_end, undefined);
    const [item] = subscription.items.data;
    assert.equal(item.price.id, 'price_pro_monthly');
    assert.ok(item.current_period_end - item.current_period_start >= 28 * 86_400);
    const invoices = await sdk.invoices.list({ customer: customer.id, expand: ['data.payments'] });
    assert.equal(invoices.data.length, 1);
    assert.equal(invoices.data[0].status, 'paid');
    assert.equal(invoices.data[0].amount_paid, 1999);
    assert.equal(invoices.data[0].parent.subscription_details.subscription, subscription.id);
    assert.equal(invoices.data[0].payments.data[0].status, 'paid');
    assert.equal((await fetch(invoices.data[0].hosted_invoice_url)).status, 200);
    assert.equal(peer.subscriptions.length, 1);
});

test('an older version of the API has the period on the subscription', async (t) => {
    const { peer, sdk, subscription } = await subscribed(t, { apiVersion: '2024-06-20', speak: '2024-06-20' });
    const seen = await sdk.subscriptions.retrieve(subscription.id);
    assert.equal(seen.current_period_end, subscription.items.data[0].current_period_end);
    assert.equal(seen.items.data[0].current_period_end, undefined);
    const { data: [invoice] } = await sdk.invoices.list({ subscription: subscription.id });
    assert.equal(invoice.subscription, subscription.id);
    assert.equal(invoice.parent, undefined);
    const told = peer.events.find((event) => event.type === 'customer.subscription.updated');
    assert.equal(told.api_version, '2024-06-20');
    assert.ok(told.data.object.current_period_end > 0);
});

test('an item with its id changes, one without is added', async (t) => {
    const { peer, sdk, subscription } = await subscribed(t);
    const [item] = subscription.items.data;
    const changed = await sdk.subscriptions.update(subscription.id, {
        items: [{ id: item.id, price: 'price_enterprise_monthly' }], proration_behavior: 'always_invoice',
    });
    assert.equal(changed.items.data.length, 1);
    assert.equal(changed.items.data[0].id, item.id);
    assert.equal(changed.items.data[0].price.id, 'price_enterprise_monthly');
    const latest = await sdk.invoices.retrieve(changed.latest_invoice);
    assert.equal(latest.billing_reason, 'subscription_update');
    assert.equal(latest.total, 4999 - 1999);

    const added = await sdk.subscriptions.update(subscription.id, { items: [{ price: 'price_basic_monthly' }] });
    assert.deepEqual(added.items.data.map((i) => i.price.id), ['price_enterprise_monthly', 'price_basic_monthly']);
    await refused(sdk.subscriptions.update(subscription.id, { items: [{ price: 'price_pro_yearly' }] }),
        'StripeInvalidRequestError', { statusCode: 400, param: 'items' });
    await refused(sdk.subscriptions.update(subscription.id, { items: [{ id: 'si_x', price: 'price_pro_monthly' }] }),
        'StripeInvalidRequestError', { code: 'resource_missing', param: 'items[0][id]' });
    assert.equal(peer.get(subscription.id).items.data.length, 2, 'what was refused changed nothing');
});

test('a change that cannot be paid is a card error and no change', async (t) => {
    const { peer, sdk, customer, subscription } = await subscribed(t);
    peer.card(customer.id, 'declined');
    const change = {
        items: [{ id: subscription.items.data[0].id, price: 'price_enterprise_monthly' }], proration_behavior: 'always_invoice',
    };
    await refused(sdk.subscriptions.update(subscription.id, { ...change, payment_behavior: 'error_if_incomplete' }),
        'StripeCardError', { statusCode: 402, code: 'card_declined' });
    assert.equal(subscription.items.data[0].price.id, 'price_pro_monthly');
    assert.equal((await sdk.subscriptions.update(subscription.id, change)).status, 'past_due');
});

test('a subscription is cancelled later, resumed, and cancelled now', async (t) => {
    const { sdk, customer, subscription } = await subscribed(t);
    const later = await sdk.subscriptions.update(subscription.id, { cancel_at_period_end: true });
    assert.equal(later.cancel_at_period_end, true);
    assert.equal(later.cancel_at, later.items.data[0].current_period_end);
    assert.equal((await sdk.subscriptions.update(subscription.id, { cancel_at_period_end: false })).cancel_at, null);
    const gone = await sdk.subscriptions.cancel(subscription.id);
    assert.equal(gone.status, 'canceled');
    assert.ok(gone.ended_at);
    await refused(sdk.subscriptions.cancel(subscription.id), 'StripeInvalidRequestError', { statusCode: 404 });
    await refused(sdk.subscriptions.update(subscription.id, { cancel_at_period_end: false }),
        'StripeInvalidRequestError', { statusCode: 400 });
    assert.equal((await sdk.subscriptions.list({ customer: customer.id })).data.length, 0);
    assert.equal((await sdk.subscriptions.list({ customer: customer.id, status: 'all' })).data.length, 1);
});

test('periods end, payments fail and recover', async (t) => {
    const { peer, sdk, subscription } = await subscribed(t);
    const first = subscription.items.data[0].current_period_end;
    peer.renewPeriod(subscription);
    let seen = await sdk.subscriptions.retrieve(subscription.id);
    assert.equal(seen.items.data[0].current_period_start, first);
    assert.equal(seen.status, 'active');
    peer.failPayment(subscription);
    seen = await sdk.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
    assert.equal(seen.status, 'past_due');
    assert.equal(seen.latest_invoice.status, 'open');
    peer.recover(subscription);
    seen = await sdk.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
    assert.equal(seen.status, 'active');
    assert.equal(seen.latest_invoice.status, 'paid');
    peer.setStatus(subscription, 'paused');
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'paused');
    peer.setStatus(subscription, 'active');
    peer.cancelLater(subscription);
    peer.renewPeriod(subscription);
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'canceled');
    const types = peer.events.map((event) => event.type);
    for (const type of ['invoice.paid', 'invoice.payment_failed', 'customer.subscription.updated', 'customer.subscription.paused',
        'customer.subscription.resumed', 'customer.subscription.deleted'])
        assert.ok(types.includes(type), type);
});

test('a trial costs nothing until it ends', async (t) => {
    const { peer, sdk } = await start(t);
    const { id } = await sdk.customers.create({ email: 'a@vv.test' });
    const session = await checkout(sdk, id, 'price_basic_monthly', { subscription_data: { trial_period_days: 7 } });
    const subscription = peer.pay(session);
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'trialing');
    assert.equal((await sdk.checkout.sessions.retrieve(session.id)).payment_status, 'no_payment_required');
    assert.equal(peer.charges.length, 0);
    peer.endTrial(subscription);
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'active');
    assert.equal(peer.charges[0].amount, 999);
});

test('months are calendar months, and the anchor\'s day comes back', async () => {
    const { later } = await import('../peers/stripe/billing.mjs');
    const at = (text) => Date.parse(`${text}T10:30:15Z`) / 1000;
    const anchor = at('2026-01-31');
    assert.equal(later(anchor, 'month', 1, anchor), at('2026-02-28'));
    assert.equal(later(at('2026-02-28'), 'month', 1, anchor), at('2026-03-31'));
    assert.equal(later(at('2028-02-29'), 'year'), at('2029-02-28'));
    assert.equal(later(at('2026-12-15'), 'month'), at('2027-01-15'));
});

test('refunds and disputes', async (t) => {
    const { peer, sdk, subscription } = await subscribed(t);
    const { data: [payment] } = await sdk.invoicePayments.list({ invoice: subscription.latest_invoice });
    const intent = payment.payment.payment_intent;
    await refused(sdk.refunds.create({}), 'StripeInvalidRequestError', { statusCode: 400 });
    await refused(sdk.refunds.create({ payment_intent: intent, reason: 'because' }), 'StripeInvalidRequestError', { param: 'reason' });
    await refused(sdk.refunds.create({ payment_intent: intent, amount: 5000 }), 'StripeInvalidRequestError', { param: 'amount' });
    assert.equal((await sdk.refunds.create({ payment_intent: intent, amount: 999 })).status, 'succeeded');
    assert.equal((await sdk.refunds.create({ payment_intent: intent })).amount, 1000);
    await refused(sdk.refunds.create({ payment_intent: intent }), 'StripeInvalidRequestError', { code: 'charge_already_refunded' });
    const charge = await sdk.charges.retrieve(peer.charges[0].id);
    assert.equal(charge.refunded, true);
    assert.equal((await sdk.refunds.list({ charge: charge.id })).data.length, 2);
    peer.renewPeriod(subscription);
    const dispute = await sdk.disputes.retrieve(peer.dispute(subscription).id, { expand: ['charge'] });
    assert.equal(dispute.charge.customer, subscription.customer);
    peer.closeDispute(dispute.id, 'lost');
    assert.equal(peer.events.at(-1).type, 'charge.dispute.closed');
});

test('a deleted customer is gone, and so are the subscriptions', async (t) => {
    const { peer, sdk, customer, subscription } = await subscribed(t);
    assert.equal((await sdk.customers.del(customer.id)).deleted, true);
    assert.equal((await sdk.customers.retrieve(customer.id)).deleted, true);
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'canceled');
    await refused(sdk.customers.update(customer.id, { name: 'x' }), 'StripeInvalidRequestError', { statusCode: 404 });
    await refused(checkout(sdk, customer.id), 'StripeInvalidRequestError', { statusCode: 400, code: 'resource_missing', param: 'customer' });
    assert.deepEqual(peer.events.slice(-2).map((event) => event.type), ['customer.subscription.deleted', 'customer.deleted']);
});

test('the portal cancels and resumes', async (t) => {
    const { peer, sdk, customer, subscription } = await subscribed(t);
    const portal = await sdk.billingPortal.sessions.create({ customer: customer.id, return_url: 'http://app.test/dashboard' });
    assert.match(await (await fetch(portal.url)).text(), /http:\/\/app\.test\/dashboard/);
    const press = (action) => fetch(portal.url, { method: 'POST', body: new URLSearchParams({ action }) });
    assert.match(await (await press('cancel')).text(), /Go on/);
    const ending = await sdk.subscriptions.retrieve(subscription.id);
    assert.equal(ending.cancel_at_period_end, false, 'with flexible billing the portal sets cancel_at alone');
    assert.equal(ending.cancel_at, ending.items.data[0].current_period_end);
    assert.equal((await sdk.subscriptions.update(subscription.id, { cancel_at_period_end: false })).cancel_at, ending.cancel_at);
    await press('resume');
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).cancel_at, null);
    peer.portalCancelAt = false;
    await press('cancel');
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).cancel_at_period_end, true);
});

test('a checkout session expires once, and not after it was paid', async (t) => {
    const { peer, sdk } = await start(t);
    const { id } = await sdk.customers.create({ email: 'a@vv.test' });
    const [one, two, three] = [await checkout(sdk, id), await checkout(sdk, id), await checkout(sdk, id)];
    assert.equal((await sdk.checkout.sessions.expire(one.id)).status, 'expired');
    await refused(sdk.checkout.sessions.expire(one.id), 'StripeInvalidRequestError', { statusCode: 400 });
    peer.pay(two);
    await refused(sdk.checkout.sessions.expire(two.id), 'StripeInvalidRequestError', { statusCode: 400 });
    peer.advance(25 * 3600);
    assert.equal((await sdk.checkout.sessions.retrieve(three.id)).status, 'expired');
    assert.equal((await fetch(three.url)).status, 410);
    const { data } = await sdk.checkout.sessions.list({ customer: id, status: 'complete' });
    assert.deepEqual(data.map((session) => session.id), [two.id]);
});

test('lists come in pages, newest first', async (t) => {
    const { sdk } = await start(t);
    const made = [];
    for (let i = 0; i < 7; i++) made.unshift((await sdk.customers.create({ email: `${i}@vv.test` })).id);
    const first = await sdk.customers.list({ limit: 3 });
    assert.deepEqual(first.data.map((c) => c.id), made.slice(0, 3));
    assert.equal(first.has_more, true);
    const all = await sdk.customers.list({ limit: 3 }).autoPagingToArray({ limit: 100 });
    assert.deepEqual(all.map((c) => c.id), made);
    assert.deepEqual((await sdk.customers.list({ email: '4@vv.test' })).data.map((c) => c.id), [made[2]]);
    await refused(sdk.customers.list({ limit: 101 }), 'StripeInvalidRequestError', { param: 'limit' });
    await refused(sdk.customers.list({ starting_after: 'cus_x' }), 'StripeInvalidRequestError', { code: 'resource_missing' });
    assert.equal((await sdk.prices.list({ lookup_keys: ['price_pro_yearly'] })).data[0].recurring.interval, 'year');
    assert.equal((await sdk.events.list({ types: ['customer.created'], limit: 100 })).data.length, 7);
});
