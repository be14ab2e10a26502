// A database of the earlier server's schema migrates in place, and its people log in.
import { after, assert, freshDatabase, login, readMail, register, startServer, test, verify, vvctl }
    from '../lib/harness.mjs';

const seed = `
create table users (
    id serial primary key, email varchar(255) unique not null, password_hash varchar(255) not null,
    first_name varchar(100), last_name varchar(100), email_verified boolean default false,
    stripe_customer_id varchar(255), created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp);
create index ix_users_email on users (email);
create table email_verification_tokens (
    id serial primary key, user_id integer references users (id), token varchar(255) unique not null,
    expires_at timestamp not null, created_at timestamp default current_timestamp);
create table subscriptions (
    id serial primary key, user_id integer references users (id), stripe_subscription_id varchar(255) unique,
    stripe_customer_id varchar(255), plan_name varchar(100), status varchar(50), current_period_start timestamp,
    current_period_end timestamp, created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp);
create table api_keys (
    id serial primary key, user_id integer references users (id), api_key varchar(255) unique not null,
    is_active boolean default true, created_at timestamp default current_timestamp);
create table usage_logs (
    id serial primary key, user_id integer references users (id), api_endpoint varchar(255),
    timestamp timestamp default current_timestamp);
-- The hash is of U*U.
insert into users (email, password_hash, first_name, last_name, email_verified, stripe_customer_id, created_at) values
    ('Old.One@vv.test', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'Old', 'One', true, 'cus_1',
     '2023-05-06 07:08:09.123456'),
    ('old.two@vv.test', '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', null, null, null, null, null);
insert into email_verification_tokens (user_id, token, expires_at) values
    (2, 'a-plain-token-of-old', timezone('UTC', now()) + interval '1 hour'),
    (1, 'a-plain-token-too-old', timezone('UTC', now()) - interval '1 minute');
insert into api_keys (user_id, api_key) values (1, 'vv_key');
insert into subscriptions (user_id, stripe_subscription_id) values (1, 'sub_1');
insert into usage_logs (user_id, api_endpoint) values (1, '/x');
`;

async function seeded(t, extra = '') {
    const database = await freshDatabase(t);
    // Times without a zone hold UTC, whatever the zone of who reads them.
    await database.query(`alter role ${database.name} set timezone = 'America/New_York'`);
    await database.query(seed);
    if (extra) await database.query(extra);
    return database;
}

const file = { after };
const database = await seeded(file);
const s = await startServer(file, { plugins: ['auth', 'mail'], database });

test('its people log in with their plain hashes, which are upgraded', async () => {
    const reply = await s.post('/auth/login', { email: 'old.one@vv.test', password: 'U*U' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.user_id, 1);
    assert.equal((await s.post('/auth/login', { email: 'old.one@vv.test', password: 'U*V' })).status, 401);
    const profile = await s.get('/profile', { token: reply.json.access_token });
    assert.equal(profile.json.email, 'Old.One@vv.test');
    assert.equal(new Date(profile.json.created_at).toISOString(), '2023-05-06T07:08:09.123Z');
    const [row] = await s.db.query('select password_hash, stripe_customer_id, uid from users where id = 1');
    assert.match(row.password_hash, /^\$bcrypt-sha256\$/);
    assert.equal(row.stripe_customer_id, 'cus_1');
    assert.match(row.uid, /^[0-9a-f-]{36}$/);
    assert.equal((await s.post('/auth/login', { email: 'old.one@vv.test', password: 'U*U' })).status, 200);
});

test('pending plain tokens keep working, as digests', async () => {
    assert.equal((await s.post('/auth/login', { email: 'old.two@vv.test', password: 'U*U' })).status, 403);
    assert.ok(!JSON.stringify(await s.db.query('select t::text from email_verification_tokens t')).includes('plain'));
    assert.equal((await s.post('/auth/verify-email', { token: 'a-plain-token-too-old' })).status, 400);
    assert.equal((await s.post('/auth/verify-email', { token: 'a-plain-token-of-old' })).status, 200);
    const reply = await s.post('/auth/login', { email: 'old.two@vv.test', password: 'U*U' });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.user.first_name, null);
});

test('ids go on, and are wide enough', async () => {
    const person = await register(s);
    assert.equal(person.id, 3);
    await verify(s, person);
    await login(s, person);
    const types = await s.db.query("select table_name || '.' || column_name as name, data_type from information_schema.columns"
        + " where table_name in ('users', 'email_verification_tokens') and (column_name in ('id', 'user_id')"
        + " or data_type like 'timestamp%')");
    for (const { name, data_type: type } of types)
        assert.equal(type, /id$/.test(name) ? 'bigint' : 'timestamp with time zone', name);
    await s.db.query("select setval(pg_get_serial_sequence('users', 'id'), 3000000000)");
    assert.equal((await register(s)).id, 3000000001);
});

test('the other tables are as they were', async () => {
    assert.deepEqual(await s.db.query('select api_key, user_id from api_keys'), [{ api_key: 'vv_key', user_id: 1 }]);
    assert.equal((await s.db.query('select 1 from usage_logs')).length, 1);
});

test('an account goes with what the other tables keep of it', async () => {
    const someone = await login(s, { email: 'old.one@vv.test', password: 'U*U' });
    const reply = await s.delete('/profile', { token: someone.token, body: { password: 'U*U' } });
    assert.equal(reply.status, 200, reply.text);
    for (const table of ['users', 'subscriptions', 'api_keys', 'usage_logs'])
        assert.deepEqual(await s.db.query(`select 1 from ${table} where ${table === 'users' ? 'id' : 'user_id'} = 1`), []);
});

test('accounts that differ in letter case alone stop the migration, by name', async (t) => {
    const twins = await seeded(t, "insert into users (email, password_hash) values ('OLD.ONE@vv.test', 'x')");
    const server = await startServer(t, { plugins: ['auth', 'mail'], mail: s.mail, database: twins, start: false });
    const { code, stdout, stderr } = await vvctl(server, ['migrate']);
    assert.notEqual(code, 0);
    const said = stdout + stderr;
    assert.match(said, /differ only in the letter case/);
    assert.match(said, /Old\.One@vv\.test \(id 1\), OLD\.ONE@vv\.test \(id 3\)/);
    assert.ok(!said.includes('old.two'));
    // Nothing was changed; after a person has decided it goes on.
    await twins.query("update users set email = 'older.one@vv.test' where id = 3");
    const again = await vvctl(server, ['migrate']);
    assert.equal(again.code, 0, again.stdout + again.stderr);
});

test('vvctl user: list, show, verify, delete', async () => {
    const person = await register(s);
    await readMail(s, person);
    const ctl = async (...args) => {
        const { code, stdout, stderr } = await vvctl(s, ['user', ...args]);
        assert.equal(code, 0, stderr);
        return stdout;
    };
    assert.match(await ctl('list', person.email.slice(0, 8)), new RegExp(`${person.id} .*${person.email}.* unverified`));
    assert.match(await ctl('show', person.email), /verified {2}no/);
    await ctl('verify', String(person.id));
    const user = await login(s, person);
    assert.match(await ctl('show', String(person.id)), /sessions {2}1/);
    await ctl('delete', person.email);
    assert.equal((await s.post('/auth/refresh', { refresh_token: user.refresh_token })).status, 401);
    for (const args of [['show', person.email], ['disable', 'nobody@vv.test'], ['show']]) {
        const { code, stderr } = await vvctl(s, ['user', ...args]);
        assert.equal(code, 1, stderr);
        assert.match(stderr, args.length > 1 ? /There is no account/ : /Name one account/);
    }
});
