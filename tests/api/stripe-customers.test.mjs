// Customers: one for each user, made and told and left behind by jobs, while Stripe comes and goes.
import { after, assert, newUser, PASSWORD, readMail, register, startServer, test, until } from '../lib/harness.mjs';

const s = await startServer({ after }, { plugins: ['auth', 'mail', 'stripe'], config: { server: { workers: 2 } } });
const { stripe } = s;

const customersOf = (email) => stripe.customers.filter((c) => c.email === email);
const idOf = async (user) => (await s.db.query('select stripe_customer_id from users where id = $1', [user.id]))[0]
    ?.stripe_customer_id;
const create = (user, plan = 'pro') => s.post('/subscriptions/create', { plan_id: plan }, { token: user.token });
const jobs = () => s.db.query("select kind, payload, state, attempts, last_error from jobs where kind like 'stripe.%'");
const noJobs = () => until(async () => (await jobs()).length === 0, { what: 'no job of Stripe is left' })
    .catch(async (cause) => { throw new Error(JSON.stringify(await jobs()), { cause }); });
const remove = (user) => s.delete('/profile', { token: user.token, body: { password: PASSWORD } });

/** A user whose customer is not there yet: as if the job had not run. */
async function fresh() {
    const user = await newUser(s);
    await until(() => idOf(user), { what: 'the job ran' });
    await noJobs();
    await s.db.query('update users set stripe_customer_id = null where id = $1', [user.id]);
    stripe.store.answers.clear();
    stripe.deleteCustomer(customersOf(user.email)[0].id);
    await stripe.webhooks.idle();
    await noJobs();
    return user;
}

test('registering makes the customer, with what Stripe needs and no more', async () => {
    const user = await register(s);
    const id = await until(() => idOf(user), { what: 'the customer' });
    const [{ uid }] = await s.db.query('select uid from users where id = $1', [user.id]);
    const customer = stripe.get(id);
    assert.deepEqual([customer.email, customer.name, customer.metadata], [user.email, 'Ada Lovelace', { user: uid }]);
});

test('customer_once: 50 first checkouts at once make one customer, under one key', async () => {
    const user = await fresh();
    const before = stripe.asked('POST', '/v1/customers').length;
    const replies = await Promise.all(Array.from({ length: 50 }, () => create(user)));
    assert.deepEqual([...new Set(replies.map((r) => r.status))], [200], replies.find((r) => r.status !== 200)?.text);
    assert.equal(customersOf(user.email).length, 1);
    const asked = stripe.asked('POST', '/v1/customers').slice(before).filter((r) => r.path === '/v1/customers');
    assert.equal(new Set(asked.map((r) => r.key)).size, 1);
    assert.equal(new Set(asked.map((r) => r.raw)).size, 1);
    assert.equal(await idOf(user), customersOf(user.email)[0].id);
    assert.equal(new Set(replies.map((r) => r.json.session_id)).size, 1);
});

test('registering works while Stripe is away; the customer is made when it is back', async () => {
    await stripe.stop();
    const user = await newUser(s).finally(() => stripe.start());
    assert.equal(await idOf(user), null);
    await until(() => idOf(user), { timeout: 20_000, what: 'the customer is made' });
    assert.equal(customersOf(user.email).length, 1);
});

test('a lost answer, a kept failure or a change in between makes no second customer', async () => {
    for (const fault of [{ answer: 'reset', after: true }, { answer: 500, after: true, stored: true }]) {
        const user = await fresh();
        stripe.fail({ method: 'POST', path: /customers$/, ...fault });
        const reply = await create(user);
        assert.equal(reply.status, 200, `${JSON.stringify(fault)}: ${reply.text}`);
        assert.equal(customersOf(user.email).length, 1, JSON.stringify(fault));
    }
    const user = await fresh();
    stripe.fail({ method: 'POST', path: /customers$/, answer: 'reset', after: true });
    stripe.fail({ method: 'POST', path: /customers$/, answer: 429, times: 9 });
    assert.equal((await create(user)).status, 503);
    stripe.faults.clear();
    await s.db.query("update users set last_name = 'Byron' where id = $1", [user.id]);
    assert.equal((await create(user)).status, 200);
    assert.equal(customersOf(user.email).length, 1);
});

test('a new name and a new address are told to Stripe', async () => {
    const user = await newUser(s);
    const id = await until(() => idOf(user), { what: 'the customer' });
    await s.patch('/profile', { first_name: 'Grace' }, { token: user.token });
    await until(() => stripe.get(id).name === 'Grace Lovelace', { what: 'the name is told' });
    await s.patch('/profile', { email: `new.${user.email}`, current_password: PASSWORD }, { token: user.token });
    assert.equal(stripe.get(id).email, user.email);
    await s.post('/auth/verify-email', { token: (await readMail(s, `new.${user.email}`)).token });
    await until(() => stripe.get(id).email === `new.${user.email}`, { what: 'the address is told' });
});

test('a deleted account pays no more: its subscription ends, its checkout closes, its address is gone', async () => {
    const user = await newUser(s);
    const subscription = stripe.pay((await create(user)).json.session_id);
    await until(async () => (await s.get('/subscriptions/current', { token: user.token })).json, { what: 'the row' });
    await stripe.webhooks.idle();
    const open = stripe.call('POST /v1/checkout/sessions', {
        mode: 'subscription', customer: subscription.customer, success_url: 'https://app.test/',
        line_items: [{ price: 'price_basic_monthly', quantity: 1 }],
    });
    assert.equal((await remove(user)).status, 200);
    await until(() => stripe.get(subscription.id).status === 'canceled', { what: 'the subscription ends' });
    await until(() => stripe.get(open.id).status === 'expired', { what: 'the checkout closes' });
    await stripe.webhooks.idle();
    await noJobs();
    assert.deepEqual(await s.db.query('select 1 from subscriptions where stripe_subscription_id = $1', [subscription.id]), []);
    for (const table of ['jobs', 'stripe_events', 'stripe_checkouts', 'stripe_answers', 'stripe_departed', 'subscriptions'])
        assert.deepEqual(await s.db.query(`select 1 from ${table} t where t::text ilike '%' || $1 || '%'`, [user.email]), [],
            table);
});

test('an account can be deleted while Stripe is away', async () => {
    const user = await newUser(s);
    const subscription = stripe.pay((await create(user)).json.session_id);
    await stripe.webhooks.idle();
    await noJobs();
    await stripe.stop();
    try {
        assert.equal((await remove(user)).status, 200);
        assert.equal(stripe.get(subscription.id).status, 'active');
    } finally {
        await stripe.start();
    }
    await until(() => stripe.get(subscription.id).status === 'canceled', { timeout: 20_000, what: 'the subscription ends' });
});

test('a customer made for an account that is gone by then is not left behind', async () => {
    const user = await fresh();
    stripe.fail({ method: 'POST', path: /customers$/, answer: 500, delay: 700 });
    const asked = create(user);
    await until(() => stripe.asked('POST', '/v1/customers').at(-1)?.fault, { what: 'Stripe is asked' });
    assert.equal((await remove(user)).status, 200);
    assert.equal((await asked).status, 401);
    await until(() => customersOf(user.email).length === 0, { what: 'the customer is deleted' });
});

test('of users that never were, jobs make nothing', async () => {
    await s.db.query(`insert into jobs (kind, payload) values ('stripe.customer', '{"user_id": 987654321}'),
        ('stripe.contact', '{"user_id": 987654321}')`);
    await noJobs();
});
