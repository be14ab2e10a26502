// The earlier server's subscriptions migrate in place, and are then what Stripe says.
import { after, assert, freshDatabase, login, startServer, startStripe, test, until, vvctl } from '../lib/harness.mjs';

const file = { after };
const stripe = await startStripe(file);
const customer = stripe.call('POST /v1/customers', { email: 'one@vv.test' });
stripe.card(customer, 'good');
const subscription = stripe.subscribe(customer, 'price_pro_monthly');

// The hash is of U*U.
const hash = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW';
const database = await freshDatabase(file);
// Times without a zone hold UTC, whatever the zone of who reads them.
await database.query(`alter role ${database.name} set timezone = 'America/New_York'`);
await database.query(`
create table users (
    id serial primary key, email varchar(255) unique not null, password_hash varchar(255) not null,
    first_name varchar(100), last_name varchar(100), email_verified boolean default false,
    stripe_customer_id varchar(255), created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp);
create table subscriptions (
    id serial primary key, user_id integer references users (id), stripe_subscription_id varchar(255) unique,
    stripe_customer_id varchar(255), plan_name varchar(100), status varchar(50), current_period_start timestamp,
    current_period_end timestamp, created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp);
insert into users (email, password_hash, email_verified) values
    ('one@vv.test', '${hash}', true), ('two@vv.test', '${hash}', true), ('three@vv.test', '${hash}', true);
insert into subscriptions (user_id, stripe_subscription_id, stripe_customer_id, plan_name, status,
        current_period_start, current_period_end, created_at, updated_at) values
    (1, '${subscription.id}', '${customer.id}', 'basic', 'active', '2026-01-31 10:00:00', '2026-02-28 10:00:00',
     '2025-12-31 09:08:07.654321', '2026-01-31 10:00:01'),
    (2, 'sub_of_old', null, 'Enterprise', 'canceled', '2025-01-31 10:00:00', '2025-02-28 10:00:00',
     '2025-01-31 10:00:00', '2025-02-28 10:00:00'),
    (3, null, null, null, null, null, null, null, null),
    (null, 'sub_of_nobody', null, 'Pro', 'active', null, null, null, null);
`);
const s = await startServer(file, { plugins: ['auth', 'mail', 'stripe'], database, stripe, start: false });
const current = async (email) => {
    const { token } = await login(s, { email, password: 'U*U' });
    return (await s.get('/subscriptions/current', { token })).json;
};

test('every row arrives, its times in UTC', async () => {
    const { code, stdout, stderr } = await vvctl(s, ['migrate']);
    assert.equal(code, 0, stdout + stderr);
    const rows = await database.query('select * from subscriptions order by id');
    assert.deepEqual(rows.map((r) => [Number(r.id), Number(r.user_id)]), [[1, 1], [2, 2], [3, 3]]);
    const [one, , three] = rows;
    assert.deepEqual([one.stripe_subscription_id, one.stripe_customer_id, one.plan_name, one.status],
        [subscription.id, customer.id, 'basic', 'active']);
    assert.equal(one.current_period_start.toISOString(), '2026-01-31T10:00:00.000Z');
    assert.equal(one.current_period_end.toISOString(), '2026-02-28T10:00:00.000Z');
    assert.equal(one.anchor.toISOString(), '2026-01-31T10:00:00.000Z');
    assert.equal(one.created_at.toISOString(), '2025-12-31T09:08:07.654Z');
    assert.equal(three.status, 'incomplete');
    const [user] = await database.query('select stripe_customer_id from users where id = 1');
    assert.equal(user.stripe_customer_id, customer.id);
});

test('ids are wide enough', async () => {
    const types = await database.query("select data_type from information_schema.columns where table_name = 'subscriptions'"
        + " and column_name in ('id', 'user_id')");
    assert.deepEqual(types.map((t) => t.data_type), ['bigint', 'bigint']);
    await database.query("select setval(pg_get_serial_sequence('subscriptions', 'id'), 3000000000)");
});

test('then each is what Stripe has of it, and others stay as they were', async () => {
    await s.start();
    await until(async () => (await database.query('select stripe_price_id from subscriptions where id = 1'))[0]
        .stripe_price_id, { what: 'the row is read from Stripe' });
    const one = await current('one@vv.test');
    assert.deepEqual([one.plan_type, one.status, one.stripe_subscription_id], ['pro', 'active', subscription.id]);
    assert.equal(Date.parse(one.current_period_end) / 1000, subscription.items.data[0].current_period_end);
    const two = await current('two@vv.test');
    assert.deepEqual([two.plan_type, two.plan_name, two.status], ['enterprise', 'Enterprise', 'canceled']);
    assert.equal((await current('three@vv.test')).status, 'incomplete');
});
