// Webhooks of Stripe: which are taken, what is stored of them, and what a person gets to see.
import { assert, startPostgres, startServer, test, until, vvctl } from '../lib/harness.mjs';
import { auth, expectRow, newCustomer, rows, runSchedule, settled, startShop } from '../lib/subscribers.mjs';

// An event that the stand-in does not list, so that reconciliation does not find it before we deliver it.
const unlisted = (s, fields) => ({
    ...s.stripe.store.event('product.updated', s.stripe.call('POST /v1/products', { name: 'Tea' })), id: 'evt_unlisted', ...fields,
});
const stored = async (s, id = 'evt_unlisted') => (await events(s)).filter((e) => e.id === id).length;
const events = (s) => s.db.query('select * from stripe_events order by received_at, id');

test('an event is stored without its payload, answered, and the subscription is here', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    const sub = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    await s.stripe.webhooks.idle();
    const row = await expectRow(s, person, { status: 'active', plan_name: 'Pro' });
    assert.equal(row.stripe_subscription_id, sub.id);
    assert.equal(row.current_period_end.getTime() / 1000, sub.items.data[0].current_period_end);
    await settled(s);
    for (const delivery of s.stripe.webhooks.deliveries) {
        assert.equal(delivery.status, 200);
        assert.deepEqual(JSON.parse(delivery.body), { status: 'success' });
    }
    assert.ok(!JSON.stringify(await events(s)).includes(person.email), 'no address in stored events');
    const profile = (await s.get('/profile', auth(person))).json;
    assert.equal(profile.subscription_status, 'active');
    assert.equal(profile.subscription_plan, 'Pro');
    assert.equal(profile.api_calls_limit, 5000);
    assert.equal(Date.parse(profile.subscription_end_date) / 1000, sub.items.data[0].current_period_end);
});

test('events signed by the official SDK are taken, every change of one byte is refused', async (t) => {
    const s = await startShop(t);
    s.stripe.webhooks.hold();
    const { body, headers } = s.stripe.webhooks.signed(unlisted(s));
    const post = (bytes, signature) => s.request('POST', '/webhooks/stripe',
        { body: bytes, headers: { 'content-type': 'application/json', 'stripe-signature': signature } });
    const signature = headers['Stripe-Signature'];
    const flip = (text, i) => {
        const bytes = Buffer.from(text);
        bytes[i] ^= 1;
        return bytes;
    };
    for (let i = 0; i < body.length; i++) {
        const answer = await post(flip(body, i), signature);
        assert.equal(answer.status, 400, `byte ${i} of the body: ${answer.text}`);
        assert.equal(answer.json.detail, 'Invalid signature');
    }
    for (let i = 0; i < signature.length; i++) {
        const answer = await post(body, flip(signature, i).toString('latin1'));
        assert.equal(answer.status, 400, `byte ${i} of the header: ${answer.text}`);
    }
    assert.equal(await stored(s), 0, 'nothing was stored');
    assert.equal((await post(body, signature)).status, 200);
    assert.equal(await stored(s), 1);
});

test('secrets in rotation, several signatures, old and future times', async (t) => {
    const s = await startShop(t, { config: { stripe: { webhook_secret: 'whsec_next, whsec_now' } } });
    const hooks = s.stripe.webhooks;
    hooks.hold();
    const event = unlisted(s);
    const now = Math.floor(Date.now() / 1000);
    const expect = async (status, how, detail) => {
        const answer = await hooks.deliver(event, { secret: 'whsec_now', ...how });
        assert.equal(answer.status, status, `${JSON.stringify(how)}: ${answer.body}`);
        if (detail) assert.equal(JSON.parse(answer.body).detail, detail);
    };
    await expect(400, { timestamp: now - 310 }, 'Invalid signature');
    await expect(400, { timestamp: now + 310 }, 'Invalid signature');
    await expect(400, { signature: 'bad' }, 'Invalid signature');
    await expect(400, { signature: 'missing' }, 'Invalid signature');
    await expect(400, { signature: 'v0' }, 'Invalid signature');
    assert.equal(await stored(s), 0);
    await expect(200, {});
    await expect(200, { secret: 'whsec_next' });
    await expect(200, { timestamp: now - 290 });
    await expect(200, { timestamp: now + 290 });
    await expect(200, { signature: 'several' });
    await expect(200, { secret: ['whsec_gone', 'whsec_now'] });
    assert.equal(await stored(s), 1, 'duplicates are taken and stored once');
});

test('what is signed but no event is refused, an unknown type is stored', async (t) => {
    const s = await startShop(t);
    const hooks = s.stripe.webhooks;
    const event = { id: 'evt_new', object: 'event', type: 'teapot.boiled', created: 1, data: { object: { object: 'teapot' } } };
    const without = (key) => JSON.stringify({ ...event, [key]: undefined });
    for (const body of ['', '[]', '{', 'null', '"evt"', '{}', without('id'), without('type'), without('data'), without('created'),
        without('object'), '{"id":"a","id":"b"}', JSON.stringify({ ...event, id: 'x'.repeat(300) })]) {
        const answer = await hooks.deliver(event, { body });
        assert.equal(answer.status, 400, body);
        assert.equal(JSON.parse(answer.body).detail, 'Invalid payload', body);
    }
    assert.deepEqual(await events(s), []);
    assert.equal((await hooks.deliver(event)).status, 200);
    const [only] = await events(s);
    assert.equal(only.type, 'teapot.boiled');
    assert.ok(only.processed_at, 'there is nothing to do about it');
    assert.deepEqual(await s.db.query("select * from jobs where kind in ('stripe.sync', 'stripe.event')"), []);
});

test('without a webhook secret no event is taken, and Stripe keeps them', async (t) => {
    const s = await startShop(t, { config: { stripe: { webhook_secret: null } } });
    const event = { id: 'evt_1', object: 'event', type: 'teapot.boiled', created: 1, data: { object: { object: 'teapot' } } };
    assert.equal((await s.stripe.webhooks.deliver(event)).status, 503);
});

test('webhook_fail_then_retry', async (t) => {
    const postgres = await startPostgres(t);
    const s = await startShop(t, { postgres });
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    s.stripe.subscribe(person.customer, 'price_basic_monthly');
    await postgres.stop('immediate');
    const held = s.stripe.webhooks.held;
    for (const { status } of await s.stripe.webhooks.release((all) => all.slice(0, 1))) assert.equal(status, 503);
    await postgres.start();
    await until(async () => (await s.get('/health/ready')).status === 200, { what: 'the database is back' });
    for (const event of held) await s.stripe.webhooks.deliver(event);
    await expectRow(s, person, { status: 'active', plan_name: 'Basic' });
    const kept = (await events(s)).map((e) => e.id);
    for (const { event, status } of s.stripe.webhooks.deliveries.filter((d) => d.status === 200))
        assert.ok(kept.includes(event.id), `${status} means stored`);
});

test('webhook_swap', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    const sub = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    s.stripe.setStatus(sub, 'incomplete');
    s.stripe.setStatus(sub, 'active');
    const answers = await s.stripe.webhooks.release((all) => all.toReversed());
    assert.ok(answers.length >= 3 && answers.every((a) => a.status === 200));
    await settled(s);
    await expectRow(s, person, { status: 'active' });
});

test('webhook_burst', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    const sub = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    for (let i = 0; s.stripe.webhooks.held.length < 50; i++) s.stripe.setStatus(sub, i % 2 ? 'active' : 'past_due');
    s.stripe.setStatus(sub, 'active');
    const held = s.stripe.webhooks.held;
    const reads = s.stripe.asked('GET', '/v1/subscriptions').length;
    const answers = await Promise.all(held.map((event) => s.stripe.webhooks.deliver(event)));
    assert.ok(answers.every((a) => a.status === 200));
    await settled(s);
    await expectRow(s, person, { status: 'active' });
    const took = s.stripe.asked('GET', '/v1/subscriptions').length - reads;
    assert.ok(took <= 10, `${took} reads for ${held.length} events`);
    assert.deepEqual(s.log.filter((line) => /deadlock|duplicate key/.test(line.message)), []);
});

test('webhook_ghost', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    const other = await newCustomer(s);
    await settled(s);
    s.stripe.subscribe(other.customer, 'price_basic_monthly');
    const sub = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    s.stripe.setStatus(sub, 'past_due');
    s.stripe.setStatus(sub, 'active');
    await s.stripe.webhooks.idle();
    const updated = s.stripe.events.filter((e) => e.type === 'customer.subscription.updated').at(-1);
    s.stripe.cancel(sub);
    await s.stripe.webhooks.idle();
    await settled(s);
    const before = await rows(s, person);
    assert.equal(before[0].status, 'canceled');
    // Not even an answer of Stripe from another time brings it back.
    s.stripe.update(sub, { status: 'active', ended_at: null });
    await s.stripe.webhooks.deliver({ ...updated, id: 'evt_ghost' });
    await s.stripe.webhooks.deliver(updated);
    await settled(s);
    assert.deepEqual(await rows(s, person), before);
    await expectRow(s, other, { status: 'active', plan_name: 'Basic' });
    assert.equal((await s.get('/profile', auth(person))).json.subscription_status, 'canceled');
    assert.equal((await s.get('/profile', auth(person))).json.api_calls_limit, 0);
});

test('checkout_twice', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    const first = s.stripe.subscribe(person.customer, 'price_basic_monthly');
    s.stripe.advance(2);
    const second = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    await s.stripe.webhooks.idle();
    await until(() => s.stripe.get(second).status === 'canceled', { what: 'the newer one is cancelled' });
    await s.stripe.webhooks.idle();
    await settled(s);
    assert.equal(s.stripe.get(first).status, 'active');
    assert.equal(s.stripe.refunds.length, 1, 'and paid back');
    assert.equal(s.stripe.refunds[0].amount, 1999);
    const [a, b] = await rows(s, person);
    assert.deepEqual([a.status, b.status, b.revoked], ['active', 'canceled', 'duplicate']);
    const profile = (await s.get('/profile', auth(person))).json;
    assert.equal(profile.subscription_plan, 'Basic');
    const mails = await s.db.query("select template from mail_messages where template like 'stripe/%'");
    assert.deepEqual(mails.map((m) => m.template), ['stripe/started'], 'the person is not told that it ended');
});

test('checkout_twice, only reported by configuration', async (t) => {
    const s = await startShop(t, { config: { stripe: { duplicates: 'report' } } });
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.subscribe(person.customer, 'price_basic_monthly');
    s.stripe.advance(2);
    const second = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    await s.waitLog(/pays for two subscriptions/);
    await settled(s);
    assert.equal(s.stripe.get(second).status, 'active');
    assert.deepEqual(s.stripe.refunds, []);
    assert.equal((await s.get('/profile', auth(person))).json.subscription_plan, 'Basic', 'the older counts');
});

test('an event that fails again and again waits in the dead letter, and a replay mends it', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    const fault = s.stripe.fail({ method: 'GET', path: '/v1/subscriptions', answer: 400, times: 1e9,
        body: '{"error":{"type":"invalid_request_error","message":"No."}}' });
    s.stripe.webhooks.hold();
    s.stripe.subscribe(person.customer, 'price_pro_monthly');
    const event = s.stripe.webhooks.held.find((e) => e.type === 'customer.subscription.created');
    await s.stripe.webhooks.deliver(event);
    await until(async () => (await s.db.query("select 1 from jobs where kind = 'stripe.sync' and attempts > 0")).length,
        { what: 'it failed once' });
    assert.match((await vvctl(s, ['webhooks', 'list', '--waiting'])).stdout, new RegExp(`retrying.*${event.id}.*${person.customer}`));
    await s.db.query("update jobs set attempts = 399, run_at = now() where kind = 'stripe.sync'");
    await until(async () => (await s.db.query("select 1 from jobs where kind = 'stripe.sync' and state = 'dead'")).length,
        { what: 'it is given up' });
    assert.match((await vvctl(s, ['webhooks', 'list', '--failed'])).stdout, new RegExp(`failed.*${event.id}`));
    assert.match((await vvctl(s, ['webhooks', 'show', event.id])).stdout, /state +failed[\s\S]*error/);
    assert.deepEqual(await rows(s, person), []);
    fault.cancel();
    assert.equal((await vvctl(s, ['webhooks', 'replay', event.id])).stdout, 'queued\n');
    await expectRow(s, person, { status: 'active' });
    await settled(s);
    assert.match((await vvctl(s, ['webhooks', 'list', person.customer])).stdout, /done/);
    assert.equal((await vvctl(s, ['webhooks', 'show', 'evt_none'])).code, 1);
    assert.equal((await s.db.query("select 1 from jobs where state = 'dead'")).length, 0);
});

test('reconciliation finds what never came, and says so', async (t) => {
    const s = await startShop(t);
    const person = await newCustomer(s);
    await settled(s);
    s.stripe.webhooks.hold();
    const sub = s.stripe.subscribe(person.customer, 'price_pro_monthly');
    s.stripe.webhooks.lose();
    await runSchedule(s, 'stripe.events');
    await expectRow(s, person, { status: 'active' });
    await s.waitLog(/reconciliation: event .*customer\.subscription\.created.* had not come/);
    await settled(s);
    s.stripe.setStatus(sub, 'past_due');
    s.stripe.webhooks.lose();
    await runSchedule(s, 'stripe.reconcile');
    await expectRow(s, person, { status: 'past_due' });
    await s.waitLog(new RegExp(`reconciliation: subscription ${sub.id} .* is active here and past_due at Stripe`));
});

test('doctor compares plans with what Stripe sells', async (t) => {
    const s = await startShop(t);
    const good = await vvctl(s, ['doctor']);
    assert.doesNotMatch(good.stdout + good.stderr, /webhook_|_price|stripe_refuses/);
    assert.equal(good.code, 0, good.stdout + good.stderr);
    const with_ = async (config, pattern) => {
        const other = await startServer(t, { plugins: ['auth', 'mail', 'stripe'], stripe: s.stripe, mail: s.mail, config });
        const { code, stdout, stderr } = await vvctl(other, ['doctor']);
        assert.notEqual(code, 0);
        assert.match(stdout + stderr, pattern);
        await other.stop();
    };
    await with_({ 'plan:pro': { price: '18.99' } }, /price_pro_monthly is 1999 usd at Stripe.*1899 usd here/);
    await with_({ 'plan:pro': { price_id: 'price_none' } }, /Stripe has no price price_none/);
    await with_({ stripe: { secret_key: 'sk_test_wrong' } }, /secret_key: .*Invalid API Key/);
    await with_({ stripe: { webhook_secret: null } }, /webhook_secret is not set/);
});
