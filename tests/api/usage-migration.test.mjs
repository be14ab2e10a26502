// The earlier server's log of calls migrates in place, and what was used of the running period counts.
import { after, assert, freshDatabase, login, startServer, startStripe, test, until, vvctl } from '../lib/harness.mjs';

const file = { after };
const stripe = await startStripe(file);
const customer = stripe.call('POST /v1/customers', { email: 'one@vv.test' });
stripe.card(customer, 'good');
const subscription = stripe.subscribe(customer, 'price_pro_monthly');
const began = Math.floor(Date.now() / 1000) - 5 * 86_400;
stripe.update(subscription, { start_date: began });
stripe.setPeriod(subscription, { start: began, end: began + 30 * 86_400 });

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
create table usage_logs (
    id serial primary key, user_id integer references users (id), api_endpoint varchar(255),
    timestamp timestamp default current_timestamp);
insert into users (email, password_hash, email_verified) values
    ('one@vv.test', '${hash}', true), ('two@vv.test', '${hash}', true), ('three@vv.test', '${hash}', false);
insert into subscriptions (user_id, stripe_subscription_id, stripe_customer_id, plan_name, status,
        current_period_start, current_period_end, created_at) values
    (1, '${subscription.id}', '${customer.id}', 'pro', 'active', to_timestamp(${began}) at time zone 'UTC',
     to_timestamp(${began + 30 * 86_400}) at time zone 'UTC', to_timestamp(${began}) at time zone 'UTC');
`);

const month = new Date(new Date().setUTCDate(1)).setUTCHours(0, 0, 0, 0);
const spell = (ms) => new Date(ms).toISOString().slice(0, 23).replace('T', ' ');
const times = ['2024-02-29 23:59:59.999999', '2024-03-01 00:00:00', '2024-11-03 01:30:00', '2025-07-31 20:00:00',
    spell(month - 1), spell(month), spell((began - 1) * 1000), spell(began * 1000), spell(Date.now() - 60_000)];
for (const user of [1, 2])
    for (const at of times)
        await database.query("insert into usage_logs (user_id, api_endpoint, timestamp) values ($1, '/old', $2)", [user, at]);
await database.query(`insert into usage_logs (user_id, api_endpoint, timestamp) values
    (1, repeat('ü', 200), '2025-07-31 20:00:01'), (1, null, '2025-07-31 20:00:02'), (1, '', '2025-07-31 20:00:03'),
    (null, '/nobody', '2025-07-31 20:00:00'), (1, '/never', null), (null, null, null), (2, '/endless', 'infinity')`);

const s = await startServer(file, { plugins: ['auth', 'mail', 'stripe', 'usage', 'decider'], database, stripe, start: false,
    config: { usage: { rate_limit: 'off' } } });
const rows = (user) => database.query(`select api_endpoint as endpoint, cost, to_char(timestamp at time zone 'UTC',
    'YYYY-MM-DD HH24:MI:SS.US') as at, tableoid::regclass::text as part from usage_logs where user_id = $1
    order by timestamp, id`, [user]);
const usage = async (email) => {
    const { token } = await login(s, { email, password: 'U*U' });
    return (await s.get('/usage', { token })).json;
};

test('every row with a user and a time arrives, in UTC and in its month; the others are told of', async () => {
    const { code, stdout, stderr } = await vvctl(s, ['migrate']);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout + stderr, /usage_logs: 4 of 25 rows had no user or no time and were dropped/);
    const expected = times.map((at) => at.padEnd(20, '.').padEnd(26, '0')).sort();
    assert.deepEqual((await rows(2)).map((row) => row.at), expected);
    for (const { at, part, cost } of await rows(2))
        assert.deepEqual([part, cost], [`usage_logs_${at.slice(0, 7).replace('-', '')}`, 1], at);
    const odd = (await rows(1)).filter((row) => row.at.startsWith('2025-07-31')).map((row) => row.endpoint);
    assert.deepEqual(odd, ['/old', 'ü'.repeat(100), null, null]);
    assert.deepEqual(await database.query("select to_regclass('usage_logs_earlier') as t"), [{ t: null }]);
    const types = await database.query("select data_type from information_schema.columns where table_name = 'usage_logs'"
        + " and column_name in ('id', 'user_id')");
    assert.deepEqual(types.map((t) => t.data_type), ['bigint', 'bigint']);
});

test('what was used of the running period counts, from a subscription\'s day or the first of the month', async () => {
    await s.start();
    await until(async () => (await database.query("select status from entitlements where user_id = 1"))[0].status === 'active',
        { what: 'the subscription is known' });
    const [one, two] = [await usage('one@vv.test'), await usage('two@vv.test')];
    const since = (ms) => times.filter((at) => Date.parse(`${at.replace(' ', 'T').slice(0, 23)}Z`) >= ms).length;
    assert.deepEqual([one.used, one.limit, Date.parse(one.period_start)], [since(began * 1000), 5000, began * 1000]);
    assert.deepEqual([two.used, two.limit, Date.parse(two.period_start)], [since(month), 0, month]);
    assert.deepEqual([one.total_requests, two.total_requests], [times.length + 3, times.length]);
    const verdict = (await s.post('/decider/decide', { user: 1 })).json;
    assert.deepEqual([verdict.outcome, verdict.used], ['allowed', one.used + 1]);
});

test('the history goes back as far as the log', async () => {
    const { token } = await login(s, { email: 'two@vv.test', password: 'U*U' });
    const { json } = await s.get('/usage/history?granularity=month&from=2024-01-01T00:00:00Z', { token });
    assert.deepEqual(json.series.slice(0, 4).map((b) => [b.start, b.endpoint, b.calls]), [
        ['2024-02-01T00:00:00Z', '/old', 1], ['2024-03-01T00:00:00Z', '/old', 1], ['2024-11-01T00:00:00Z', '/old', 1],
        ['2025-07-01T00:00:00Z', '/old', 1],
    ]);
    assert.equal(json.series.reduce((sum, b) => sum + b.calls, 0), times.length);
});

test('a rebuild finds nothing wrong', async () => {
    const { code, stdout } = await vvctl(s, ['usage', 'rebuild']);
    assert.equal(code, 0);
    assert.match(stdout, /roll-ups: 0 rows were wrong/);
    assert.match(stdout, /used: of 3 users 0 were wrong/);
});
