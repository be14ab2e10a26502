// Plans: what operators write is what everybody reads, and mistakes stop the start.
import { after, assert, check, startServer, startStripe, test } from '../lib/harness.mjs';

const yearly = {
    name: 'Pro', price_id: 'price_pro_yearly', price: '199.90', interval: 'year', api_calls: 5000, trial_days: 14,
    features: 'E-mail support, Two seats', popular: 'true',
};
const s = await startServer({ after }, {
    plugins: ['auth', 'mail', 'stripe'],
    config: { 'plan:pro_yearly': yearly, 'plan:tokyo': {
        name: 'Tokyo', price_id: 'price_tokyo', price: '1200', currency: 'jpy', api_calls: 10,
    } },
});

test('the plans are what the configuration says, in its order', async () => {
    const { status, json } = await s.get('/plans');
    assert.equal(status, 200);
    assert.deepEqual(json.plans.map((p) => p.id), ['basic', 'pro', 'enterprise', 'pro_yearly', 'tokyo']);
    const [basic, , enterprise, pro, tokyo] = json.plans;
    assert.deepEqual(basic, {
        id: 'basic', name: 'Basic', price_id: 'price_basic_monthly', price: 9.99, currency: 'usd', interval: 'month',
        api_calls: 1000, trial_days: 0, popular: false, features: [],
    });
    assert.equal(enterprise.api_calls, null);
    assert.deepEqual([pro.price, pro.interval, pro.trial_days, pro.popular], [199.9, 'year', 14, true]);
    assert.deepEqual(pro.features, ['E-mail support', 'Two seats']);
    assert.deepEqual([tokyo.price, tokyo.currency], [1200, 'jpy']);
});

test('pricing is the same as a bare array', async () => {
    const { json } = await s.get('/public/pricing');
    assert.ok(Array.isArray(json));
    assert.deepEqual(json, (await s.get('/plans')).json.plans);
});

test('neither needs a caller, nor takes another method', async () => {
    for (const path of ['/plans', '/public/pricing']) assert.equal((await s.post(path, {})).status, 405);
});

test('a plan that cannot be meant stops the start, by its name', async (t) => {
    const stripe = await startStripe(t);
    const plan = { name: 'Pro', price_id: 'price_1', price: '5', api_calls: 1 };
    for (const [sections, sentence] of [
        [{ 'plan:a': { ...plan, price: '19,99' } }, /\[plan:a\] price must be an amount/],
        [{ 'plan:a': { ...plan, price: '19.999' } }, /\[plan:a\] price must be an amount/],
        [{ 'plan:a': { ...plan, price: '-1' } }, /\[plan:a\] price must be an amount/],
        [{ 'plan:a': { ...plan, price: '5.5', currency: 'jpy' } }, /\[plan:a\] price must be an amount/],
        [{ 'plan:a': { ...plan, currency: 'USD' } }, /\[plan:a\] currency must be/],
        [{ 'plan:a': { ...plan, api_calls: 'many' } }, /\[plan:a\] api_calls must be/],
        [{ 'plan:a': { ...plan, price_id: 'a/b' } }, /\[plan:a\] price_id must be/],
        [{ 'plan:a': { ...plan, interval: 'week' } }, /interval/],
        [{ 'plan:a': { name: 'Pro' } }, /price_id/],
        [{ 'plan:a': plan, 'plan:b': plan }, /\[plan:a\] and \[plan:b\] have the same price price_1/],
        [{ 'plan:a': { ...plan, former_price_ids: 'price_2' }, 'plan:b': { ...plan, price_id: 'price_2' } },
            /\[plan:a\] and \[plan:b\] have the same price price_2/],
    ]) {
        const config = { ...s.config, ...sections, stripe: { ...s.config.stripe, api_base: stripe.apiBase } };
        const { code, stderr, stdout } = await check(t, config);
        assert.notEqual(code, 0, JSON.stringify(sections));
        assert.match(stderr + stdout, sentence);
    }
});

test('without a key of Stripe there is no start', async (t) => {
    const { code, stderr, stdout } = await check(t, { ...s.config, stripe: { enabled: 'true' } });
    assert.notEqual(code, 0);
    assert.match(stderr + stdout, /secret_key/);
});
