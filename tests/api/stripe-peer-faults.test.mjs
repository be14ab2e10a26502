// The stand-in of Stripe refuses what Stripe refuses, signs as Stripe signs, and goes wrong when it is told to.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import Stripe from 'stripe';
import { tempDir, until } from '../lib/process.mjs';
import { checkout, listener, refused, RETURN, start } from '../lib/stripe-sdk.mjs';
import { parseForm } from '../peers/stripe/form.mjs';
import { startStripe } from '../peers/stripe/index.mjs';

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

test('forms are read in every spelling of lists and objects', () => {
    assert.deepEqual(parseForm('expand[]=a.b&expand[]=c&metadata[x%20y]=1'), { expand: ['a.b', 'c'], metadata: { 'x y': '1' } });
    assert.deepEqual(parseForm('items[0][id]=a&items[0][price]=b&items[1][price]=c'),
        { items: [{ id: 'a', price: 'b' }, { price: 'c' }] });
    assert.deepEqual(parseForm('items[][id]=a&items[][price]=b&items[][id]=c'), { items: [{ id: 'a', price: 'b' }, { id: 'c' }] });
    assert.deepEqual(parseForm('items%5B0%5D%5Bid%5D=a+b'), { items: [{ id: 'a b' }] });
    for (const wrong of ['a[b=1', 'a=1&a=2', '[a]=1', 'a[__proto__][x]=1']) assert.throws(() => parseForm(wrong), wrong);
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
