// What Stripe says becomes true here: states and access, mails, accounts and customers that go, Stripe being away.
import { assert, login, register, startStripe, test, until, verify, vvctl } from '../lib/harness.mjs';
import { auth, expectRow, newCustomer, rows, runSchedule, settled, startShop } from '../lib/subscribers.mjs';

const profile = async (s, person) => (await s.get('/profile', auth(person))).json;
const mails = async (s, person) => (await s.db.query(
    'select template from mail_messages where user_id = $1 and template like $2 order by id', [person.id, 'stripe/%']))
    .map((mail) => mail.template.replace('stripe/', ''));

/** A shop, somebody in it, and their subscription. */
async function subscribed(t, { price = 'price_pro_monthly', how, ...options } = {}) {
    const s = await startShop(t, options);
    const person = await newCustomer(s);
    const sub = s.stripe.subscribe(person.customer, price, how);
    await expectRow(s, person, { stripe_subscription_id: sub.id });
    await s.stripe.webhooks.idle();
    await settled(s);
    return { s, person, sub };
}

/** Lets what was changed at Stripe arrive. */
async function arrive(s) {
    await s.stripe.webhooks.idle();
    await settled(s);
}

for (const speak of ['2026-10-28.endive', '2024-06-20']) {
    test(`the period is read where API version ${speak} has it`, async (t) => {
        const { s, person, sub } = await subscribed(t, { stripe: await startStripe(t, { speak, apiVersion: speak }) });
        const [row] = await rows(s, person);
        assert.equal(row.current_period_end.getTime() / 1000, sub.items.data[0].current_period_end);
    });
}

test('access follows the states of a subscription', async (t) => {
    const { s, person, sub } = await subscribed(t);
    const limit = async (expected, status) => {
        await arrive(s);
        const seen = await profile(s, person);
        assert.deepEqual([seen.subscription_status, seen.api_calls_limit], [status, expected]);
    };
    await limit(5000, 'active');
    for (const [status, calls] of [['unpaid', 0], ['active', 5000], ['paused', 0], ['active', 5000], ['past_due', 5000]]) {
        s.stripe.setStatus(sub, status);
        await limit(calls, status);
    }
    const now = Math.floor(Date.now() / 1000);
    // Four days into the period that was not paid: the grace of three is over.
    s.stripe.setPeriod(sub, { start: now - 4 * 86400, end: now + 26 * 86400 });
    s.stripe.setStatus(sub, 'unpaid');
    s.stripe.setStatus(sub, 'past_due');
    await limit(0, 'past_due');
    s.stripe.setStatus(sub, 'active');
    await limit(5000, 'active');
    s.stripe.changePrice(sub, 'price_enterprise_monthly');
    await limit(null, 'active');
    // It renews, and Stripe has not said so yet: a day more. It does not renew: nothing more.
    s.stripe.setPeriod(sub, { start: now - 30 * 86400, end: now - 3600 });
    s.stripe.setStatus(sub, 'past_due');
    s.stripe.setStatus(sub, 'active');
    await limit(null, 'active');
    s.stripe.cancelLater(sub);
    await limit(0, 'active');
});

test('mails say what happened, each once', async (t) => {
    const { s, person, sub } = await subscribed(t);
    assert.deepEqual(await mails(s, person), ['started']);
    s.stripe.failPayment(sub);
    await arrive(s);
    s.stripe.recover(sub);
    await arrive(s);
    s.stripe.cancelLater(sub);
    await arrive(s);
    const told = ['started', 'payment-failed', 'ending'];
    assert.deepEqual(await mails(s, person), told);
    s.stripe.resume(sub);
    await arrive(s);
    s.stripe.cancelLater(sub);
    for (const event of s.stripe.events.slice(-6)) await s.stripe.webhooks.deliver(event);
    await arrive(s);
    assert.deepEqual(await mails(s, person), told, 'the same end is told once');
    s.stripe.cancel(sub);
    await arrive(s);
    assert.deepEqual(await mails(s, person), [...told, 'ended']);
    const mail = await s.mail.waitFor(person.email, { subject: /failed/ });
    assert.match(mail.text, /http\S+\/dashboard/, 'a way to the portal');
});

test('a price that no plan knows is stored, gives no access, and doctor says so', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    s.stripe.sell('Gold', 'price_gold', 9900, 'month');
    s.stripe.subscribe(person.customer, 'price_gold');
    await expectRow(s, person, { status: 'active', stripe_price_id: 'price_gold', plan_name: null });
    const seen = await profile(s, person);
    assert.deepEqual([seen.subscription_status, seen.api_calls_limit], ['active', 0]);
    const { code, stdout } = await vvctl(s, ['doctor']);
    assert.notEqual(code, 0);
    assert.match(stdout, /1 people pay for price price_gold, which no plan knows/);
    // The operator adds the plan.
    s.writeConfig({ 'plan:gold': { name: 'Gold', price_id: 'price_gold', price: '99.00', api_calls: 7 } });
    await s.reload();
    assert.equal((await profile(s, person)).api_calls_limit, 7);
    await runSchedule(s, 'stripe.reconcile');
    await expectRow(s, person, { plan_name: 'Gold' });
});

test('a customer whose account we have not written down yet is found by its metadata', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    await s.db.query('update users set stripe_customer_id = null where id = $1', [person.id]);
    s.stripe.subscribe(person.customer, 'price_pro_monthly');
    await expectRow(s, person, { status: 'active', stripe_customer_id: person.customer });
    const [user] = await s.db.query('select stripe_customer_id from users where id = $1', [person.id]);
    assert.equal(user.stripe_customer_id, person.customer);
});

test('a customer of somebody else is recorded and left alone', async (t) => {
    const s = await startShop(t);
    const stranger = s.stripe.call('POST /v1/customers', {});
    const sub = s.stripe.subscribe(stranger, 'price_pro_monthly');
    await arrive(s);
    assert.deepEqual(await s.db.query('select * from subscriptions'), []);
    assert.equal(s.stripe.get(sub).status, 'active');
    assert.ok((await s.db.query('select 1 from stripe_events where customer = $1', [stranger.id])).length > 0);
});

test('a customer deleted at Stripe ends the subscription, and the next checkout makes another', async (t) => {
    const { s, person } = await subscribed(t);
    s.stripe.deleteCustomer(person.customer);
    await arrive(s);
    await expectRow(s, person, { status: 'canceled' });
    const answer = await s.post('/subscriptions/create', { plan_id: 'pro' }, auth(person));
    assert.equal(answer.status, 200, answer.text);
});

test('a subscription that Stripe does not have ends here', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    await s.db.query(`insert into subscriptions (user_id, stripe_subscription_id, stripe_customer_id, plan_name, status)
        values ($1, 'sub_lost', $2, 'Pro', 'active')`, [person.id, person.customer]);
    await s.stripe.webhooks.deliver({ id: 'evt_again', object: 'event', type: 'customer.subscription.updated', created: 1,
        data: { object: { object: 'subscription', id: 'sub_lost', customer: person.customer } } });
    await expectRow(s, person, { status: 'canceled' });
    await s.waitLog(/subscription sub_lost is not at Stripe any more/);
});

test('a key of another Stripe account ends nobody', async (t) => {
    const { s, person, sub } = await subscribed(t);
    const customer = s.stripe.store.objects.get(person.customer);
    s.stripe.store.objects.delete(person.customer);
    s.stripe.fail({ method: 'GET', path: '/v1/subscriptions', times: 50, answer: 400,
        body: JSON.stringify({ error: { type: 'invalid_request_error', code: 'resource_missing', param: 'customer', message: 'No such customer' } }) });
    const event = s.stripe.events.find((e) => e.type === 'customer.subscription.created');
    await s.stripe.webhooks.deliver({ ...event, id: 'evt_again' });
    await until(async () => (await s.db.query("select 1 from jobs where last_error like '%does not know customer%'")).length,
        { what: 'it says what is wrong' });
    await expectRow(s, person, { status: 'active' });
    s.stripe.store.objects.set(person.customer, customer);
    assert.equal(s.stripe.get(sub).status, 'active');
});

test('a dispute ends access, one that is won gives it back; a refund does so by configuration', async (t) => {
    const { s, person, sub } = await subscribed(t, { config: { stripe: { refund_ends_access: 'true' } } });
    const [charge] = s.stripe.charges;
    const dispute = s.stripe.dispute(charge);
    await arrive(s);
    await expectRow(s, person, { status: 'active', revoked: 'disputed' });
    assert.equal((await profile(s, person)).api_calls_limit, 0);
    s.stripe.closeDispute(dispute, 'won');
    await arrive(s);
    await expectRow(s, person, { revoked: null });
    assert.equal((await profile(s, person)).api_calls_limit, 5000);
    s.stripe.refund(charge);
    await arrive(s);
    await expectRow(s, person, { revoked: 'refunded' });
    assert.equal(s.stripe.get(sub).status, 'active', 'at Stripe nothing is changed');
});

test('what is paid for after the account was deleted is ended and paid back', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    const answer = await s.delete('/profile', { body: { password: person.password }, ...auth(person) });
    assert.equal(answer.status, 200, answer.text);
    s.stripe.advance(5);
    const sub = s.stripe.subscribe(s.stripe.store.objects.get(person.customer), 'price_pro_monthly');
    s.stripe.webhooks.flow();
    await until(() => s.stripe.store.objects.get(sub.id).status === 'canceled', { timeout: 20_000, what: 'it is ended' });
    await until(() => s.stripe.refunds.length === 1, { what: 'it is paid back' });
});

test('Stripe is away for a while: people come in, checkout is refused cleanly, all catches up by itself', async (t) => {
    const s = await startShop(t);
    const early = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    s.stripe.subscribe(early.customer, 'price_basic_monthly');
    const held = s.stripe.webhooks.held;
    await s.stripe.stop();
    const late = await register(s);
    await verify(s, late);
    const signedIn = await login(s, late);
    const refused = await s.post('/subscriptions/create', { plan_id: 'pro' }, auth(signedIn));
    assert.equal(refused.status, 503);
    assert.ok(refused.headers.get?.('retry-after') ?? refused.headers['retry-after']);
    for (const event of held) assert.equal((await s.stripe.webhooks.deliver(event)).status, 200, 'events are taken all the same');
    await until(async () => (await s.db.query("select 1 from jobs where kind = 'stripe.sync' and attempts > 0")).length,
        { timeout: 40_000, what: 'a sync has failed' });
    await s.stripe.start();
    await expectRow(s, early, { status: 'active', plan_name: 'Basic' }, 60_000);
    await until(async () => (await s.db.query('select stripe_customer_id as c from users where id = $1', [late.id]))[0].c,
        { timeout: 60_000, what: 'the customer is made' });
});
