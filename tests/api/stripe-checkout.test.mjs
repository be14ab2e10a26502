// Checkout: from choosing a plan to Stripe's page, once for any number of attempts, and clean refusals on the way.
import { after, assert, newUser, startServer, test, until } from '../lib/harness.mjs';

const s = await startServer({ after }, {
    plugins: ['auth', 'mail', 'stripe'],
    config: {
        server: { frontend_url: 'https://app.test/' },
        'plan:pro_yearly': { name: 'Pro', price_id: 'price_pro_yearly', price: '199.90', interval: 'year', api_calls: 5000 },
        'plan:trial': { name: 'Trial', price_id: 'price_trial', price: '5', api_calls: 10, trial_days: 14 },
        'plan:withdrawn': { name: 'Withdrawn', price_id: 'price_nobody_knows', price: '5', api_calls: 10 },
    },
});
const { stripe } = s;
stripe.sell('Trial', 'price_trial', 500, 'month');

const create = (user, body, options) => s.post('/subscriptions/create', body, { token: user.token, ...options });
const sessionsOf = (user) => stripe.sessions.filter((x) => x.customer_details?.email === user.email);
const customersOf = (user) => stripe.customers.filter((c) => c.email === user.email);
const current = async (user) => (await s.get('/subscriptions/current', { token: user.token })).json;

test('a person picks a plan, pays on Stripe\'s page, and has it', async () => {
    const user = await newUser(s);
    const { status, json } = await create(user, { plan_id: 'price_pro_monthly' });
    assert.equal(status, 200, JSON.stringify(json));
    assert.ok(json.checkout_url.startsWith(stripe.apiBase));
    assert.equal(json.url, json.checkout_url);
    const session = stripe.get(json.session_id);
    const [{ uid }] = await s.db.query('select uid from users where id = $1', [user.id]);
    assert.equal(session.client_reference_id, uid);
    assert.equal(session.success_url, 'https://app.test/subscription/success?session_id={CHECKOUT_SESSION_ID}');
    assert.equal(session.cancel_url, 'https://app.test/pricing');

    assert.equal(await current(user), null);
    const subscription = stripe.pay(json.session_id);
    const now = await until(() => current(user), { what: 'the subscription is here' });
    assert.equal(now.stripe_subscription_id, subscription.id);
    assert.deepEqual([now.plan_name, now.plan_type, now.status, now.cancel_at_period_end], ['Pro', 'pro', 'active', false]);
    assert.equal(Date.parse(now.current_period_end) / 1000, subscription.items.data[0].current_period_end);

    const again = await create(user, { plan_id: 'basic' });
    assert.deepEqual([again.status, again.json.code], [409, 'already_subscribed']);
});

test('a plan is named by price, id or name in any case, in the query or the body', async () => {
    const user = await newUser(s);
    const first = (await create(user, { plan_id: 'price_pro_monthly' })).json;
    for (const name of ['pro', 'PRO', 'Pro'])
        assert.equal((await create(user, { plan_id: name })).json.session_id, first.session_id, name);
    const query = await s.request('POST', '/subscriptions/create?plan_id=pro', { token: user.token });
    assert.equal(query.json.session_id, first.session_id);
});

test('a plan nobody sells is 404, none at all 422, and nobody may ask without an account', async () => {
    const user = await newUser(s);
    for (const plan_id of ['gold', 'price_gold']) {
        const { status, json } = await create(user, { plan_id });
        assert.deepEqual([status, json.code], [404, 'unknown_plan']);
    }
    const none = await create(user, {});
    assert.deepEqual([none.status, none.json.errors[0].field], [422, 'plan_id']);
    assert.equal((await create(user, { plan_id: 7 })).status, 422);
    assert.equal((await create(user, { plan_id: 'pro', coupon: 'x' })).status, 422);
    assert.equal((await s.post('/subscriptions/create', { plan_id: 'pro' })).status, 401);
});

test('a plan whose price Stripe does not have is not for sale, and the log says which', async () => {
    const user = await newUser(s);
    const { status, json } = await create(user, { plan_id: 'withdrawn' });
    assert.deepEqual([status, json.code], [404, 'unknown_plan']);
    await s.waitLog(/\[plan:withdrawn\] Stripe does not sell price price_nobody_knows/);
    assert.equal((await create(user, { plan_id: 'pro' })).status, 200);
});

test('the web client picks by type and interval', async () => {
    const user = await newUser(s);
    const pick = (body) => s.post('/subscriptions/create-checkout-session', body, { token: user.token });
    const priceOf = async (reply) => {
        assert.equal(reply.status, 200, reply.text);
        assert.equal(reply.json.url, reply.json.checkout_url);
        return stripe.asked('POST', '/v1/checkout/sessions').filter((r) => r.path.endsWith('sessions')).at(-1)
            .params.line_items[0].price;
    };
    assert.equal(await priceOf(await pick({ plan_type: 'pro', interval: 'year' })), 'price_pro_yearly');
    assert.equal(await priceOf(await pick({ plan_type: 'pro', interval: 'month' })), 'price_pro_monthly');
    assert.equal(await priceOf(await pick({ plan_type: 'Enterprise' })), 'price_enterprise_monthly');
    for (const body of [{ plan_type: 'basic', interval: 'year' }, { plan_type: 'gold', interval: 'month' }]) {
        const { status, json } = await pick(body);
        assert.deepEqual([status, json.code], [404, 'unknown_plan']);
    }
    assert.equal((await pick({ plan_type: 'pro', interval: 'week' })).status, 422);
    assert.equal((await pick({ interval: 'year' })).status, 422);
});

test('a second create while a checkout is open answers the same session', async () => {
    const user = await newUser(s);
    const replies = await Promise.all(Array.from({ length: 12 }, () => create(user, { plan_id: 'pro' })));
    assert.deepEqual([...new Set(replies.map((r) => r.status))], [200], replies.map((r) => r.text).join('\n'));
    assert.equal(new Set(replies.map((r) => r.json.session_id)).size, 1);
    assert.equal(sessionsOf(user).length, 1);
});

test('another plan is another session, and the first cannot be paid any more', async () => {
    const user = await newUser(s);
    const basic = (await create(user, { plan_id: 'basic' })).json;
    const pro = (await create(user, { plan_id: 'pro' })).json;
    assert.notEqual(pro.session_id, basic.session_id);
    assert.equal(stripe.get(basic.session_id).status, 'expired');
    assert.equal(stripe.get(pro.session_id).status, 'open');
});

test('many windows with many plans leave at most one session open', async () => {
    const user = await newUser(s);
    const replies = await Promise.all(Array.from({ length: 12 },
        (_, i) => create(user, { plan_id: ['basic', 'pro', 'enterprise'][i % 3] })));
    for (const { status, json } of replies)
        assert.ok(status === 200 || (status === 409 && json.code === 'checkout_running'), `${status} ${json.code}`);
    await create(user, { plan_id: 'pro' });
    assert.equal(sessionsOf(user).filter((x) => x.status === 'open').length, 1);
});

test('an expired session is followed by a new one', async () => {
    const user = await newUser(s);
    const first = (await create(user, { plan_id: 'pro' })).json;
    stripe.expire(first.session_id);
    const second = (await create(user, { plan_id: 'pro' })).json;
    assert.equal(stripe.get(second.session_id).status, 'open');
});

test('a session that was paid is not offered again, even when Stripe\'s event was lost', async () => {
    const user = await newUser(s);
    const { session_id: session } = (await create(user, { plan_id: 'pro' })).json;
    stripe.webhooks.hold();
    try {
        stripe.pay(session);
        const again = await create(user, { plan_id: 'pro' });
        assert.deepEqual([again.status, again.json.code], [409, 'already_subscribed']);
        assert.equal((await current(user)).status, 'active');
    } finally {
        stripe.webhooks.flow();
    }
});

test('a trial is given once', async () => {
    const user = await newUser(s);
    const first = (await create(user, { plan_id: 'trial' })).json;
    const subscription = stripe.pay(first.session_id);
    assert.equal(subscription.status, 'trialing');
    await until(async () => (await current(user))?.status === 'trialing', { what: 'the trial is here' });
    stripe.cancel(subscription.id);
    await until(async () => (await current(user)).status === 'canceled', { what: 'its end is here' });
    const second = (await create(user, { plan_id: 'trial' })).json;
    assert.equal(stripe.pay(second.session_id).status, 'active');
});

test('every call says its version, its key where it writes, and who asks', async () => {
    const user = await newUser(s);
    await create(user, { plan_id: 'pro' });
    for (const request of stripe.requests) {
        assert.equal(request.version, '2026-10-28.endive');
        assert.equal(Boolean(request.key), request.method !== 'GET', `${request.method} ${request.path}`);
    }
});

test('Stripe away or throttling is 503 with Retry-After, and nothing is left behind', async () => {
    const user = await newUser(s);
    for (const answer of [429, 503]) {
        const fault = stripe.fail({ method: 'POST', path: /sessions$/, answer, times: 99, headers: { 'Retry-After': '60' } });
        const { status, json, headers } = await create(user, { plan_id: 'pro' });
        fault.cancel();
        assert.deepEqual([status, json.code], [503, 'stripe_unavailable']);
        assert.match(headers.get('retry-after'), /^\d+$/);
    }
    const sick = stripe.fail({ method: 'POST', path: /sessions$/, answer: 500, times: 99 });
    const { status, json } = await create(user, { plan_id: 'pro' });
    sick.cancel();
    assert.deepEqual([status, json.code], [502, 'stripe_error']);
    await stripe.stop();
    const away = await create(user, { plan_id: 'pro' });
    await stripe.start();
    assert.deepEqual([away.status, away.json.code], [503, 'stripe_unavailable']);
    assert.equal((await create(user, { plan_id: 'pro' })).status, 200);
    assert.equal(sessionsOf(user).length, 1);
});

test('an answer that is no JSON is 502', async () => {
    const user = await newUser(s);
    stripe.fail({ method: 'POST', path: /sessions$/, answer: 200, body: '<html>' });
    const { status, json } = await create(user, { plan_id: 'pro' });
    assert.deepEqual([status, json.code], [502, 'stripe_error']);
});

test('a passing failure is not noticed: 500, 429, and a reset after the write took effect', async () => {
    for (const fault of [{ answer: 500 }, { answer: 429 }, { answer: 'reset' }, { answer: 'reset', after: true }]) {
        const user = await newUser(s);
        stripe.fail({ method: 'POST', path: /sessions$/, ...fault });
        const { status, text } = await create(user, { plan_id: 'pro' });
        assert.equal(status, 200, `${JSON.stringify(fault)}: ${text}`);
        assert.equal(sessionsOf(user).length, 1, JSON.stringify(fault));
    }
});

test('when Stripe does not answer, a person learns of it, and others are served meanwhile', async () => {
    const user = await newUser(s);
    const fault = stripe.fail({ method: 'POST', path: /sessions$/, answer: 'hang', times: 99 });
    const waiting = create(user, { plan_id: 'pro' });
    await until(() => fault.hits > 0, { what: 'Stripe is asked' });
    assert.equal((await s.get('/plans', { timeout: 1_000 })).status, 200);
    const { status, json } = await waiting;
    fault.cancel();
    assert.deepEqual([status, json.code], [503, 'stripe_unavailable']);
    assert.equal((await create(user, { plan_id: 'pro' })).status, 200);
    assert.equal(sessionsOf(user).length, 1);
});

test('a failure that Stripe keeps under a key does not last', async () => {
    const user = await newUser(s);
    stripe.fail({ method: 'POST', path: /sessions$/, answer: 500, after: true, stored: true });
    const replies = [await create(user, { plan_id: 'pro' })];
    if (replies[0].status !== 200) replies.push(await create(user, { plan_id: 'pro' }));
    assert.equal(replies.at(-1).status, 200, replies.map((r) => r.text).join('\n'));
});

test('with an Idempotency-Key the stored answer comes again, whatever happened since', async () => {
    const user = await newUser(s);
    const headers = { 'Idempotency-Key': 'order-1' };
    const first = await create(user, { plan_id: 'pro' }, { headers });
    stripe.expire(first.json.session_id);
    const second = await create(user, { plan_id: 'pro' }, { headers });
    assert.deepEqual([second.status, second.json], [200, first.json]);
    assert.equal(second.headers.get('idempotent-replayed'), 'true');

    const other = await create(user, { plan_id: 'basic' }, { headers });
    assert.deepEqual([other.status, other.json.code], [422, 'idempotency_key_reused']);
    const stranger = await newUser(s);
    const theirs = await create(stranger, { plan_id: 'pro' }, { headers });
    assert.equal(theirs.status, 200);
    assert.notEqual(theirs.json.session_id, first.json.session_id);
    for (const key of ['', 'x'.repeat(256)])
        assert.equal((await create(user, { plan_id: 'pro' }, { headers: { 'Idempotency-Key': key } })).status, 400);
});

test('a final refusal is stored, one that may pass is not', async () => {
    const user = await newUser(s);
    const unknown = { headers: { 'Idempotency-Key': 'refused' } };
    for (const replayed of [null, 'true']) {
        const { status, json, headers } = await create(user, { plan_id: 'gold' }, unknown);
        assert.deepEqual([status, json.code, headers.get('idempotent-replayed')], [404, 'unknown_plan', replayed]);
    }
    const passing = { headers: { 'Idempotency-Key': 'passing' } };
    stripe.fail({ method: 'POST', path: /sessions$/, answer: 200, body: 'no' });
    assert.equal((await create(user, { plan_id: 'pro' }, passing)).status, 502);
    assert.equal((await create(user, { plan_id: 'pro' }, passing)).status, 200);
});

test('while a request with the key is running, another is 409', async () => {
    const user = await newUser(s);
    const headers = { 'Idempotency-Key': 'slow' };
    stripe.fail({ method: 'POST', path: /sessions$/, answer: 500, delay: 1500 });
    const slow = create(user, { plan_id: 'pro' }, { headers });
    await until(async () => (await s.db.query('select 1 from stripe_answers where user_id = $1', [user.id])).length > 0,
        { what: 'the first one runs' });
    const twin = await create(user, { plan_id: 'pro' }, { headers });
    assert.deepEqual([twin.status, twin.json.code], [409, 'request_running']);
    assert.equal((await slow).status, 200);
    assert.equal((await create(user, { plan_id: 'pro' }, { headers })).headers.get('idempotent-replayed'), 'true');
});

test('a customer that Stripe has lost is replaced', async () => {
    const user = await newUser(s);
    await create(user, { plan_id: 'basic' });
    const [lost] = customersOf(user);
    stripe.webhooks.hold();
    try {
        stripe.expire(sessionsOf(user)[0].id);
        stripe.deleteCustomer(lost.id);
        const { status, json, text } = await create(user, { plan_id: 'pro' });
        assert.equal(status, 200, text);
        assert.notEqual(stripe.get(json.session_id).customer, lost.id);
    } finally {
        stripe.webhooks.flow();
    }
});
