// The stand-in of Stripe is what Stripe's own SDK takes for Stripe: objects, refusals, retries under a key, signatures.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import Stripe from 'stripe';
import { cleanup, tempDir, until } from '../lib/process.mjs';
import { startStripe } from '../peers/stripe/index.mjs';

const RETURN = { success_url: 'http://app.test/done?session_id={CHECKOUT_SESSION_ID}', cancel_url: 'http://app.test/pricing' };

async function start(t, options, client) {
    const peer = await startStripe(t, options);
    const sdk = new Stripe(peer.secretKey, {
        host: '127.0.0.1', port: peer.port, protocol: 'http', maxNetworkRetries: 0, telemetry: false, ...client,
    });
    return { peer, sdk };
}

const checkout = (sdk, customer, price = 'price_pro_monthly', more = {}) => sdk.checkout.sessions.create({
    mode: 'subscription', customer, line_items: [{ price, quantity: 1 }], ...RETURN, ...more,
});

async function subscribed(t, options) {
    const { peer, sdk } = await start(t, options);
    const customer = await sdk.customers.create({ email: 'a@vv.test' });
    const subscription = peer.pay(await checkout(sdk, customer.id));
    return { peer, sdk, customer, subscription };
}

/** Somebody who takes webhooks: answers what `answer` says, keeps what came. */
async function listener(t, answer = () => 200) {
    const got = [];
    const server = http.createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        got.push({ body: Buffer.concat(parts), signature: request.headers['stripe-signature'] });
        response.writeHead(answer(JSON.parse(got.at(-1).body), got.length)).end('{}');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup(t, () => server.close());
    return { got, url: `http://127.0.0.1:${server.address().port}/webhooks/stripe` };
}

const refused = (promise, type, fields) => assert.rejects(promise, (error) => {
    assert.equal(error.type, type);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, `${name} of ${error.message}`);
    return true;
});

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
    peer.cancelLater(subscription);
    peer.renewPeriod(subscription);
    assert.equal((await sdk.subscriptions.retrieve(subscription.id)).status, 'canceled');
    const types = peer.events.map((event) => event.type);
    for (const type of ['invoice.paid', 'invoice.payment_failed', 'customer.subscription.updated', 'customer.subscription.deleted'])
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

test('what Stripe would refuse is refused', async (t) => {
    const { sdk } = await start(t);
    const { id } = await sdk.customers.create({ email: 'a@vv.test' });
    const bad = (params, fields) => refused(sdk.checkout.sessions.create(params), 'StripeInvalidRequestError', fields);
    const good = { mode: 'subscription', customer: id, line_items: [{ price: 'price_pro_monthly', quantity: 1 }], ...RETURN };
    await bad({ ...good, foo: 1 }, { code: 'parameter_unknown', param: 'foo', statusCode: 400 });
    await bad({ ...good, subscription_data: { metadata: { a: { b: 1 } } } }, { param: 'subscription_data[metadata][a]' });
    await bad({ ...good, subscription_data: { trial_days: 7 } }, { code: 'parameter_unknown', param: 'subscription_data[trial_days]' });
    await bad({ ...good, mode: 'monthly' }, { param: 'mode' });
    await bad({ ...good, mode: undefined }, { code: 'parameter_missing', param: 'mode' });
    await bad({ ...good, success_url: undefined }, { code: 'parameter_missing', param: 'success_url' });
    await bad({ ...good, success_url: 'app.test' }, { code: 'url_invalid', param: 'success_url' });
    await bad({ ...good, expires_at: 'tomorrow' }, { code: 'parameter_invalid_integer', param: 'expires_at' });
    await bad({ ...good, line_items: [{ price: 'price_x', quantity: 1 }] },
        { code: 'resource_missing', param: 'line_items[0][price]', statusCode: 400 });
    await bad({ ...good, line_items: [{ price: 'price_pro_monthly' }] }, { param: 'line_items[0][quantity]' });
    await bad({ ...good, customer_email: 'a@vv.test' }, { param: 'customer' });
    await refused(sdk.customers.create({ email: 'nobody' }), 'StripeInvalidRequestError', { code: 'email_invalid' });
    await refused(sdk.customers.create({ metadata: { ['k'.repeat(41)]: 'x' } }), 'StripeInvalidRequestError', { param: 'metadata' });
    await refused(sdk.customers.retrieve('cus_x'), 'StripeInvalidRequestError', { statusCode: 404, code: 'resource_missing', param: 'id' });
    await refused(sdk.coupons.list(), 'StripeInvalidRequestError', { statusCode: 404 });
});

test('who has no key, names no version or sends JSON is refused', async (t) => {
    const { peer, sdk } = await start(t);
    const stranger = new Stripe('sk_test_wrong', { host: '127.0.0.1', port: peer.port, protocol: 'http', telemetry: false });
    await refused(stranger.customers.list(), 'StripeAuthenticationError', { statusCode: 401 });
    const ask = (headers, body) => fetch(`${peer.apiBase}/v1/customers`, { method: 'POST', body, headers });
    const authorization = `Bearer ${peer.secretKey}`;
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ authorization })).status, 400);
    const version = { authorization, 'stripe-version': '2026-10-28.endive' };
    assert.equal((await ask({ ...version, 'content-type': 'application/json' }, '{"email":"a@vv.test"}')).status, 400);
    const taken = await ask({ ...version, 'content-type': 'application/x-www-form-urlencoded' }, 'email=a%40vv.test&metadata[a%20b]=c');
    assert.equal(taken.status, 200);
    assert.match(taken.headers.get('request-id'), /^req_/);
    assert.deepEqual((await taken.json()).metadata, { 'a b': 'c' });
    assert.equal(peer.customers.length, 1);
    await sdk.customers.create({ email: 'b@vv.test' });
    const last = peer.asked('POST', '/v1/customers').at(-1);
    assert.equal(last.version, '2026-10-28.endive');
    assert.deepEqual(last.params, { email: 'b@vv.test' });
});

test('an Idempotency-Key means one effect', async (t) => {
    const { peer, sdk } = await start(t);
    const make = (key, params = { email: 'a@vv.test' }) => sdk.customers.create(params, { idempotencyKey: key });
    const first = await make('k1');
    const again = await make('k1');
    assert.equal(again.id, first.id);
    assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
    assert.equal(peer.customers.length, 1);
    await refused(make('k1', { email: 'b@vv.test' }), 'StripeIdempotencyError', { statusCode: 400 });
    await refused(make('k2', { email: 'nobody' }), 'StripeInvalidRequestError', { code: 'email_invalid' });
    await make('k2', { email: 'c@vv.test' }); // a refusal by validation is not kept

    const slow = peer.fail({ path: '/v1/customers', delay: 300 });
    const running = make('k3');
    await until(() => slow.hits === 1);
    await assert.rejects(make('k3'), { statusCode: 409 });
    await running;
    assert.equal((await make('k3')).id, (await running).id);
    assert.deepEqual(peer.asked('POST').map((r) => r.key).slice(0, 2), ['k1', 'k1']);
});

test('faults come on demand, before or after the effect', async (t) => {
    const { peer, sdk } = await start(t);
    const make = (key) => sdk.customers.create({ email: 'a@vv.test' }, { idempotencyKey: key, timeout: 500 });
    // Without the SDK, which tries a cut connection again by itself.
    const plain = (key) => fetch(`${peer.apiBase}/v1/customers`, {
        method: 'POST', body: new URLSearchParams({ email: 'a@vv.test' }), headers: {
            Authorization: `Bearer ${peer.secretKey}`, 'Stripe-Version': '2026-10-28.endive', 'Idempotency-Key': key,
        },
    });
    peer.fail({ answer: 500 });
    await refused(make('a'), 'StripeAPIError', { statusCode: 500 });
    peer.fail({ answer: 429, headers: { 'Retry-After': '1' } });
    await refused(make('a'), 'StripeRateLimitError', { statusCode: 429 });
    peer.fail({ answer: 'reset' });
    await assert.rejects(plain('a'));
    peer.fail({ answer: 'hang' });
    await refused(make('a'), 'StripeConnectionError', {});
    assert.equal(peer.customers.length, 0);
    for (const [i, answer] of ['reset', 'hang', 502].entries()) {
        peer.fail({ answer, after: true });
        await assert.rejects(answer === 'reset' ? plain(`b${i}`) : make(`b${i}`));
        assert.equal(peer.customers.length, i + 1, `${answer} after the effect`);
        assert.equal((await make(`b${i}`)).id, peer.customers.at(-1).id);
    }
    peer.fail({ answer: 500, after: true, stored: true });
    await assert.rejects(make('c'), { statusCode: 500 });
    await assert.rejects(make('c'), { statusCode: 500 });
    const only = peer.fail({ method: 'GET', path: /prices/, answer: 503, times: 2 });
    await make('d');
    await assert.rejects(sdk.prices.list(), { statusCode: 503 });
    await assert.rejects(sdk.prices.retrieve('price_pro_monthly'), { statusCode: 503 });
    assert.equal((await sdk.prices.list()).data.length, 4);
    assert.equal(only.hits, 2);
});

test('away and back, with all it knew', async (t) => {
    const { got, url } = await listener(t, () => (away ? 503 : 200));
    let away = true;
    const { peer, sdk } = await start(t, { retry: [20] });
    peer.listen(url);
    const { id } = await sdk.customers.create({ email: 'a@vv.test' });
    await until(() => got.length > 0);
    await peer.stop();
    away = false;
    await refused(sdk.customers.retrieve(id), 'StripeConnectionError', {});
    await peer.start();
    assert.equal((await sdk.customers.retrieve(id)).email, 'a@vv.test');
    await peer.webhooks.idle();
    assert.equal(peer.webhooks.deliveries.at(-1).status, 200);
    assert.equal(peer.events[0].pending_webhooks, 0);
});

test('its state outlives the process when a file is named', async (t) => {
    let away = true;
    const { got, url } = await listener(t, () => (away ? 503 : 200));
    const stateFile = path.join(tempDir(t), 'state.json');
    const first = await startStripe(t, { stateFile, retry: [20] });
    first.listen(url);
    const customer = first.call('POST /v1/customers', { email: 'a@vv.test' });
    first.subscribe(customer, 'price_pro_monthly');
    await until(() => got.length > 20);
    await first.stop();
    away = false;
    got.length = 0;
    const second = await startStripe(t, { stateFile, retry: [20] });
    assert.deepEqual(second.subscriptions, first.subscriptions);
    await second.webhooks.idle();
    const types = got.map(({ body }) => JSON.parse(body).type);
    assert.deepEqual(types, first.events.map((event) => event.type), 'what nobody took goes out again');
});

test('webhooks come in order, signed, and again until they are taken', async (t) => {
    let refusals = 2;
    const { got, url } = await listener(t, ({ type }) => (type === 'customer.created' && refusals-- > 0 ? 503 : 200));
    const { peer, sdk } = await start(t, { retry: [20] });
    peer.listen(url);
    const customer = await sdk.customers.create({ email: 'a@vv.test' });
    peer.pay(await checkout(sdk, customer.id));
    await peer.webhooks.idle();
    const events = got.map(({ body, signature }) => sdk.webhooks.constructEvent(body, signature, peer.webhookSecret));
    const types = events.map((event) => event.type);
    assert.equal(events.length, peer.events.length + 2);
    assert.equal(types[0], 'customer.created');
    assert.equal(types.filter((type) => type === 'customer.created').length, 3, 'the first was refused twice');
    const rest = types.filter((type) => type !== 'customer.created');
    assert.deepEqual(rest, peer.events.slice(1).map((event) => event.type));
    assert.ok(rest.indexOf('customer.subscription.created') < rest.indexOf('customer.subscription.updated'));
    assert.equal(rest.at(-1), 'checkout.session.completed');
    const created = events.find((event) => event.type === 'customer.subscription.created');
    assert.equal(created.data.object.status, 'incomplete');
    const updated = events.find((event) => event.type === 'customer.subscription.updated');
    assert.deepEqual(updated.data.previous_attributes, { status: 'incomplete' });
    assert.equal(updated.data.object.status, 'active');
});

test('webhooks wait, swap, come twice, late or never', async (t) => {
    const { got, url } = await listener(t);
    const { peer } = await start(t);
    peer.listen(url);
    peer.webhooks.hold();
    const customer = peer.call('POST /v1/customers', { email: 'a@vv.test' });
    peer.subscribe(customer, 'price_pro_monthly');
    const made = peer.webhooks.held.map((event) => event.id);
    assert.deepEqual(made, peer.events.map((event) => event.id));
    assert.equal(got.length, 0);
    const ids = () => got.splice(0).map(({ body }) => JSON.parse(body).id);
    await peer.webhooks.release(([a, b]) => [b, a, a]);
    assert.deepEqual(ids(), [made[1], made[0], made[0]]);
    const [lost] = peer.webhooks.lose((event) => event.type === 'invoice.created');
    assert.equal(lost.id, made[2]);
    await peer.webhooks.release((events) => events.toReversed().slice(0, 1));
    assert.deepEqual(ids(), [made.at(-1)]);
    peer.webhooks.flow();
    await peer.webhooks.idle();
    assert.deepEqual(ids(), made.slice(3, -1));
    await peer.webhooks.deliver(peer.events[0]);
    assert.deepEqual(ids(), [made[0]]);
});

test('signatures are false in every way that is asked for', async (t) => {
    const { peer, sdk } = await start(t);
    peer.listen('http://127.0.0.1:1/webhooks/stripe');
    const customer = peer.call('POST /v1/customers', { email: 'a@vv.test' });
    const event = peer.fire('customer.updated', customer);
    const verify = (how, secret = peer.webhookSecret) => {
        const { body, headers } = peer.webhooks.signed(event, how);
        return sdk.webhooks.constructEvent(body, headers['Stripe-Signature'], secret).id === event.id;
    };
    const now = Math.floor(Date.now() / 1000);
    assert.ok(verify({}));
    assert.ok(verify({ signature: 'several' }));
    assert.ok(verify({ timestamp: now - 290 }));
    assert.ok(verify({ secret: ['whsec_new', 'whsec_old'] }, 'whsec_new'));
    assert.ok(verify({ secret: ['whsec_new', 'whsec_old'] }, 'whsec_old'));
    const falsely = [{ signature: 'bad' }, { signature: 'v0' }, { signature: 'missing' }, { signature: 't=1,v1=00' },
        { timestamp: now - 310 }, { tamper: (text) => text.replace('customer', 'costumer') }];
    for (const how of falsely)
        assert.throws(() => verify(how), { type: 'StripeSignatureVerificationError' }, JSON.stringify(how));
});
