// A subscription in its owner's hands: changes, cancelling and coming back, Stripe's portal, invoices.
import { after, assert, newUser, startServer, test, until } from '../lib/harness.mjs';

const s = await startServer({ after }, {
    plugins: ['auth', 'mail', 'stripe'],
    config: {
        server: { frontend_url: 'https://app.test' },
        'plan:pro_yearly': { name: 'Pro', price_id: 'price_pro_yearly', price: '199.90', interval: 'year', api_calls: 5000 },
        'plan:gone': { name: 'Gone', price_id: 'price_gone', price: '5', api_calls: 10 },
    },
});
const { stripe } = s;

const call = (user, what, body, options) => s.post(`/subscriptions/${what}`, body, { token: user.token, ...options });
const current = async (user) => (await s.get('/subscriptions/current', { token: user.token })).json;

/** Somebody with a paid subscription, which Stripe's events have told of. */
async function subscriber(plan = 'pro') {
    const user = await newUser(s);
    const { json } = await call(user, 'create', { plan_id: plan });
    const subscription = stripe.pay(json.session_id);
    await until(async () => (await current(user))?.status === 'active', { what: 'the subscription is here' });
    await stripe.webhooks.idle();
    return { ...user, subscription, customer: subscription.customer };
}

const refused = (reply, status, code) => assert.deepEqual([reply.status, reply.json?.code], [status, code], reply.text);

test('who never had a subscription has null, and nothing to change', async () => {
    const user = await newUser(s);
    const reply = await s.get('/subscriptions/current', { token: user.token });
    assert.deepEqual([reply.status, reply.text], [200, 'null']);
    refused(await call(user, 'change', { plan_id: 'basic' }), 404, 'no_subscription');
    refused(await call(user, 'cancel', {}), 404, 'no_subscription');
    refused(await call(user, 'reactivate', {}), 404, 'no_subscription');
});

test('nobody manages anything without an account', async () => {
    for (const what of ['change', 'cancel', 'reactivate', 'portal', 'create-portal-session'])
        assert.equal((await s.post(`/subscriptions/${what}`, { plan_id: 'pro' })).status, 401, what);
    for (const what of ['current', 'invoices']) assert.equal((await s.get(`/subscriptions/${what}`)).status, 401, what);
});

test('an upgrade is paid at once, and answered as it is', async () => {
    const user = await subscriber('basic');
    const before = stripe.invoicesOf(user.subscription).length;
    const { status, json, text } = await call(user, 'change', { plan_id: 'pro' });
    assert.equal(status, 200, text);
    assert.deepEqual([json.plan_type, json.plan_name, json.price_id], ['pro', 'Pro', 'price_pro_monthly']);
    assert.deepEqual(await current(user), json);
    assert.equal(stripe.get(user.subscription.id).items.data.length, 1);
    assert.equal(stripe.invoicesOf(user.subscription).length, before + 1);
});

test('a downgrade and another interval are changes too', async () => {
    const user = await subscriber('pro');
    assert.equal((await call(user, 'change', { plan_id: 'price_basic_monthly' })).json.plan_type, 'basic');
    const yearly = (await call(user, 'change', { plan_id: 'pro_yearly' })).json;
    assert.equal(yearly.plan_type, 'pro_yearly');
    assert.ok(Date.parse(yearly.current_period_end) - Date.parse(yearly.current_period_start) > 360 * 86_400_000);
});

test('a change to the same plan, to none, or to one that Stripe does not sell', async () => {
    const user = await subscriber('pro');
    refused(await call(user, 'change', { plan_id: 'Pro' }), 409, 'same_plan');
    refused(await call(user, 'change', { plan_id: 'gold' }), 404, 'unknown_plan');
    refused(await call(user, 'change', { plan_id: 'gone' }), 404, 'unknown_plan');
    const none = await call(user, 'change', {});
    assert.deepEqual([none.status, none.json.errors[0].field], [422, 'plan_id']);
    assert.equal((await current(user)).plan_type, 'pro');
});

test('a card that is refused is 402 with the bank\'s sentence, and nothing changes', async () => {
    const user = await subscriber('basic');
    stripe.card(user.customer, 'declined');
    const headers = { 'Idempotency-Key': 'upgrade' };
    const reply = await call(user, 'change', { plan_id: 'enterprise' }, { headers });
    refused(reply, 402, 'card_declined');
    assert.match(reply.json.detail, /declined/);
    assert.equal((await current(user)).plan_type, 'basic');
    stripe.card(user.customer, 'good');
    const replayed = await call(user, 'change', { plan_id: 'enterprise' }, { headers });
    refused(replayed, 402, 'card_declined');
    assert.equal((await call(user, 'change', { plan_id: 'enterprise' })).status, 200);
});

test('with an Idempotency-Key a change is made once', async () => {
    const user = await subscriber('basic');
    const headers = { 'Idempotency-Key': 'change-1' };
    const first = await call(user, 'change', { plan_id: 'pro' }, { headers });
    const second = await call(user, 'change', { plan_id: 'pro' }, { headers });
    assert.deepEqual([second.status, second.json], [200, first.json]);
    refused(await call(user, 'change', { plan_id: 'basic' }, { headers }), 422, 'idempotency_key_reused');
});

test('ten changes at once end in one of the plans, with one item', async () => {
    const user = await subscriber('basic');
    const replies = await Promise.all(Array.from({ length: 10 },
        (_, i) => call(user, 'change', { plan_id: ['pro', 'enterprise'][i % 2] })));
    for (const { status, text } of replies) assert.ok(status === 200 || status === 409, text);
    assert.equal(stripe.get(user.subscription.id).items.data.length, 1);
    await stripe.webhooks.idle();
    const price = stripe.get(user.subscription.id).items.data[0].price.id;
    await until(async () => (await current(user)).price_id === price, { what: 'the row is what Stripe has' });
});

test('cancelling at the period\'s end, and coming back', async () => {
    const user = await subscriber();
    const cancelled = await call(user, 'cancel');
    assert.equal(cancelled.status, 200, cancelled.text);
    assert.deepEqual([cancelled.json.status, cancelled.json.cancel_at_period_end], ['active', true]);
    refused(await call(user, 'cancel', {}), 409, 'already_cancelled');
    refused(await call(user, 'create', { plan_id: 'basic' }), 409, 'already_subscribed');

    const back = await call(user, 'reactivate');
    assert.deepEqual([back.status, back.json.cancel_at_period_end], [200, false]);
    refused(await call(user, 'reactivate', {}), 409, 'not_cancelled');
});

test('a cancellation in the portal, in either of its forms, can be taken back here', async () => {
    for (const cancelAt of [false, true]) {
        const user = await subscriber();
        stripe.cancelLater(user.subscription.id, { cancelAt });
        await until(async () => (await current(user)).cancel_at_period_end, { what: 'the cancellation is here' });
        const back = await call(user, 'reactivate', {});
        assert.deepEqual([back.status, back.json.cancel_at_period_end], [200, false], back.text);
        assert.equal(stripe.get(user.subscription.id).cancel_at, null);
    }
});

test('cancelling immediately ends it, for good', async () => {
    const user = await subscriber();
    const ended = await call(user, 'cancel', { immediately: true });
    assert.deepEqual([ended.status, ended.json.status], [200, 'canceled'], ended.text);
    assert.ok(ended.json.ended_at);
    assert.equal(stripe.get(user.subscription.id).status, 'canceled');
    for (const [what, body] of [['cancel', {}], ['reactivate', {}], ['change', { plan_id: 'basic' }]])
        refused(await call(user, what, body), 409, 'subscription_ended');
    assert.equal((await call(user, 'create', { plan_id: 'basic' })).status, 200);
    assert.equal((await call(user, 'cancel', { immediately: 'yes' })).status, 422);
});

test('what ended at Stripe while its event was lost is found out by the attempt', async () => {
    const user = await subscriber();
    stripe.webhooks.hold();
    stripe.cancel(user.subscription.id);
    try {
        refused(await call(user, 'cancel', {}), 409, 'subscription_ended');
        assert.equal((await current(user)).status, 'canceled');
    } finally {
        stripe.webhooks.flow();
    }
});

test('while Stripe is away every change is 503, and what one has is still told', async () => {
    const user = await subscriber();
    await stripe.stop();
    try {
        for (const [what, body] of [['change', { plan_id: 'basic' }], ['cancel', {}], ['reactivate', {}], ['portal', {}]]) {
            const reply = await call(user, what, body);
            refused(reply, 503, 'stripe_unavailable');
            assert.match(reply.headers.get('retry-after'), /^\d+$/);
        }
        refused(await s.get('/subscriptions/invoices', { token: user.token }), 503, 'stripe_unavailable');
        assert.equal((await current(user)).status, 'active');
    } finally {
        await stripe.start();
    }
});

test('a change whose answer is lost is made once', async () => {
    const user = await subscriber('basic');
    const before = stripe.invoicesOf(user.subscription).length;
    stripe.fail({ method: 'POST', path: '/v1/subscriptions/', answer: 'reset', after: true });
    assert.equal((await call(user, 'change', { plan_id: 'pro' })).json.plan_type, 'pro');
    assert.equal(stripe.invoicesOf(user.subscription).length, before + 1);
});

test('the portal leads back to the dashboard, and makes a missing customer', async () => {
    const user = await newUser(s);
    await until(async () => (await s.db.query('select stripe_customer_id from users where id = $1', [user.id]))[0]
        .stripe_customer_id, { what: 'the job made the customer' });
    await s.db.query('update users set stripe_customer_id = null where id = $1', [user.id]);
    for (const name of ['portal', 'create-portal-session']) {
        const { status, json, text } = await call(user, name);
        assert.equal(status, 200, text);
        assert.ok(json.url.startsWith(stripe.apiBase));
    }
    const { params } = stripe.asked('POST', '/v1/billing_portal/sessions').at(-1);
    assert.equal(params.return_url, 'https://app.test/dashboard');
    assert.equal(stripe.get(params.customer).email, user.email);
});

test('invoices are told in our words, the newest first, page by page', async () => {
    const user = await subscriber('basic');
    await call(user, 'change', { plan_id: 'pro' });
    const list = (query = '') => s.get(`/subscriptions/invoices${query}`, { token: user.token });
    const { status, json } = await list();
    assert.equal(status, 200);
    assert.equal(json.has_more, false);
    assert.equal(json.invoices.length, 2);
    const [upgrade, first] = json.invoices;
    assert.deepEqual([first.amount, first.currency, first.status], [9.99, 'usd', 'paid']);
    assert.deepEqual(Object.keys(first).sort(),
        ['amount', 'created_at', 'currency', 'hosted_invoice_url', 'id', 'number', 'pdf_url', 'status']);
    assert.match(first.created_at, /^\d{4}-\d\d-\d\dT.*Z$/);

    const page = (await list('?limit=1')).json;
    assert.deepEqual([page.invoices.map((i) => i.id), page.has_more], [[upgrade.id], true]);
    const rest = (await list(`?limit=1&starting_after=${upgrade.id}`)).json;
    assert.deepEqual([rest.invoices.map((i) => i.id), rest.has_more], [[first.id], false]);
    for (const query of ['?limit=0', '?limit=101', '?starting_after=a%2Fb', '?starting_after=in_nobody'])
        assert.equal((await list(query)).status, 422, query);
});

test('who was billed nothing has an empty list, with a customer or without', async () => {
    const user = await newUser(s);
    const list = async () => (await s.get('/subscriptions/invoices', { token: user.token })).json;
    assert.deepEqual(await list(), { invoices: [], has_more: false });
    await s.db.query('update users set stripe_customer_id = null where id = $1', [user.id]);
    assert.deepEqual(await list(), { invoices: [], has_more: false });
});
