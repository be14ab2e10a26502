// The earlier server's keys migrate in place, as digests, and keep working.
import { after, assert, freshDatabase, register, test, until, vvctl } from '../lib/harness.mjs';
import { authorize, startKeys, validate } from '../lib/keys.mjs';

const file = { after };
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
create table api_keys (
    id serial primary key, user_id integer references users (id), api_key varchar(255) unique not null,
    is_active boolean default true, created_at timestamp default current_timestamp);
create index ix_api_keys_api_key on api_keys (api_key);
create table usage_logs (
    id serial primary key, user_id integer references users (id), api_endpoint varchar(255),
    timestamp timestamp default current_timestamp);
insert into users (email, password_hash, email_verified) values
    ('one@vv.test', '${hash}', true), ('two@vv.test', '${hash}', false);
insert into api_keys (user_id, api_key, is_active, created_at) values
    (1, 'vv_an-old-key_of-one', true, '2025-12-31 23:59:58.123456'),
    (1, 'vv_ended-key-of-one', false, '2024-01-02 03:04:05'),
    (1, 'sk-ünïcode-🎻', true, null),
    (1, 'k', true, '2025-01-01'),
    (1, 'neither-active-nor-not', null, '2025-01-01'),
    (2, 'vv_key-of-two', true, '2025-01-01'),
    (null, 'vv_key-of-nobody', true, '2025-01-01'),
    (null, 'vv_key-of-nobody-else', true, '2025-01-01');
`);
const s = await startKeys(file, { database, start: false });

test('every row of a user arrives as a digest, its time in UTC', async () => {
    const { code, stdout, stderr } = await vvctl(s, ['migrate']);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout + stderr, /api_keys: 2 rows without a user were dropped/);
    const rows = await database.query('select *, k::text as text from api_keys k order by id');
    assert.deepEqual(rows.map((r) => [Number(r.id), Number(r.user_id), r.key_prefix, r.is_active, r.legacy, r.name]), [
        [1, 1, 'vv_an-', true, true, 'Default'], [2, 1, 'vv_end', false, true, 'Default'], [3, 1, 'sk-ü', true, true, 'Default'],
        [4, 1, '', true, true, 'Default'], [5, 1, 'neither', false, true, 'Default'], [6, 2, 'vv_k', true, true, 'Default']]);
    assert.equal(rows[0].created_at.toISOString(), '2025-12-31T23:59:58.123Z');
    assert.ok(rows[2].created_at instanceof Date && rows[1].revoked_at instanceof Date);
    assert.equal(rows[0].revoked_at, null);
    assert.ok(!rows.some((r) => /key-of|old-key|ended-key/.test(r.text)));
});

test('ids are wide enough', async () => {
    const types = await database.query("select data_type from information_schema.columns where table_name = 'api_keys'"
        + " and column_name in ('id', 'user_id')");
    assert.deepEqual(types.map((t) => t.data_type), ['bigint', 'bigint']);
    await database.query("select setval(pg_get_serial_sequence('api_keys', 'id'), 3000000000)");
});

test('old keys work, whatever their shape, and garbage does not', async () => {
    await s.start();
    for (const key of ['vv_an-old-key_of-one', 'sk-ünïcode-🎻', 'k'])
        assert.equal((await validate(s, key)).status, 200, key);
    assert.equal((await authorize(s, 'vv_an-old-key_of-one')).headers.get('x-user-id'), '1');
    for (const key of ['vv_ended-key-of-one', 'neither-active-nor-not', 'vv_key-of-two', 'vv_key-of-nobody',
        'vv_an-old-key_of-on', 'garbage', 'K'])
        assert.deepEqual([(await validate(s, key)).json.code, (await authorize(s, key)).status], ['invalid_api_key', 401], key);
    await vvctl(s, ['user', 'verify', 'two@vv.test']);
    assert.equal((await validate(s, 'vv_key-of-two')).status, 200);
});

test('doctor counts them; once none works garbage is refused unasked', async () => {
    const { stdout } = await vvctl(s, ['doctor']);
    assert.match(stdout, /api-keys.*\n?.*4 keys of the earlier server still work/);
    assert.match((await vvctl(s, ['key', 'list', 'one@vv.test'])).stdout, /active, of the earlier server, Default/);
    const login = await s.post('/auth/login', { email: 'one@vv.test', password: 'U*U' });
    const token = login.json.access_token;
    for (const { id } of (await s.get('/api-keys', { token })).json.filter((k) => k.is_active))
        assert.equal((await s.delete(`/api-keys/${id}`, { token })).status, 200);
    assert.equal((await validate(s, 'k')).status, 401);
    assert.equal((await validate(s, 'vv_key-of-two')).status, 200);
    const person = await register(s);
    assert.ok(Number((await database.query('select max(id) as id from api_keys'))[0].id) > 3000000000);
    await vvctl(s, ['user', 'verify', person.email]);
    assert.equal((await validate(s, person.reply.json.api_key)).status, 200);
    await database.query('update api_keys set is_active = false, revoked_at = now() where legacy');
    await s.reload();
    // Nobody can tell but by time whether the database was asked: what it holds is not found any more.
    await database.query('update api_keys set is_active = true, revoked_at = null where legacy');
    await until(async () => (await validate(s, 'vv_key-of-two')).status === 401, { what: 'the worker has looked' });
});
