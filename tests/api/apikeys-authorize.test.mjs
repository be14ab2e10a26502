// What a proxy is told about a key in a header, and what it is never told by its client.
import { after, assert, describe, newUser, register, SERVICE_TOKEN, test, vvctl } from '../lib/harness.mjs';
import { authorize, startKeys, strangeKey } from '../lib/keys.mjs';

const s = await startKeys({ after }, { config: { server: { trusted_proxies: '127.0.0.1', workers: 2 } } });

async function withKey(server = s) {
    const person = await newUser(server);
    const { json } = await server.post('/api-keys/regenerate', {}, { token: person.token });
    return { ...person, id: person.user_id, key: json.api_key };
}

const endpoints = async (person) => (await s.db.query(
    'select api_endpoint from usage_logs where user_id = $1 order by timestamp, id', [person.id])).map((r) => r.api_endpoint);
const headersOf = (reply, ...names) => names.map((name) => reply.headers.get(name));

describe('a good key', () => {
    test('is answered in headers, and counts one', async () => {
        const person = await withKey();
        const reply = await authorize(s, person.key);
        assert.deepEqual([reply.status, reply.json], [200, { valid: true }]);
        const [{ id }] = (await s.get('/api-keys', { token: person.token })).json.filter((k) => k.is_active);
        assert.deepEqual(headersOf(reply, 'x-user-id', 'x-key-id', 'x-plan'), [String(person.id), String(id), 'none']);
        assert.equal(reply.headers.get('cache-control'), 'no-store');
        const rows = await s.db.query('select cost::int, key_id::int from usage_logs where user_id = $1', [person.id]);
        assert.deepEqual(rows, [{ cost: 1, key_id: id }]);
        assert.ok(!JSON.stringify([...reply.headers]).includes(person.email), 'no address travels');
    });

    test('is counted under the path that the proxy names', async () => {
        const person = await withKey();
        const sent = [[{ 'x-original-uri': '/search?q=secret' }, '/search'], [{ 'x-forwarded-uri': '/a/b#c' }, '/a/b'],
            [{ 'x-original-uri': '/one', 'x-forwarded-uri': '/two' }, '/one'], [{}, null],
            [{ 'x-original-uri': 'http://example.com/x?y' }, '/x'],
            [{ 'x-original-uri': `/${'a'.repeat(300)}` }, `/${'a'.repeat(99)}`],
            [{ 'x-original-uri': Buffer.from(`/${'🎻'.repeat(200)}`).toString('latin1') }, `/${'🎻'.repeat(99)}`],
            [{ 'x-original-uri': '/\xff' }, null], [{ 'x-original-uri': '?' }, null], [{ 'x-original-uri': '' }, null]];
        for (const [headers] of sent) assert.equal((await authorize(s, person.key, headers)).status, 200);
        assert.deepEqual(await endpoints(person), sent.map(([, endpoint]) => endpoint));
    });

    test('says who it is, whatever its client says', async () => {
        const [person, other] = [await withKey(), await withKey()];
        const reply = await authorize(s, person.key, {
            'x-user-id': String(other.id), 'x-plan': 'enterprise', 'x-key-id': '1', authorization: `Bearer ${other.token}`,
        });
        assert.deepEqual(headersOf(reply, 'x-user-id', 'x-plan'), [String(person.id), 'none']);
        assert.deepEqual(await endpoints(other), []);
    });

    test('is taken with every method, with or without a body', async () => {
        const person = await withKey();
        for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'HEAD'])
            assert.equal((await s.request(method, '/api-keys/authorize', { key: person.key })).status, 200, method);
        const form = await s.request('POST', '/api-keys/authorize?path=/x', {
            key: person.key, body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' },
        });
        assert.equal(form.status, 200, form.text);
        assert.equal((await endpoints(person)).length, 6);
    });
});

describe('anything else', () => {
    test('is 401 with a challenge, and without a header of who it might be', async () => {
        const person = await withKey();
        const unverified = (await register(s)).reply.json.api_key;
        for (const headers of [{}, { 'x-api-key': '' }, { 'x-api-key': 'garbage' }, { 'x-api-key': strangeKey() },
            { 'x-api-key': `${person.key}x` }, { 'x-api-key': 'x'.repeat(2000) }, { 'x-api-key': unverified },
            { authorization: `Bearer ${person.token}` }, { authorization: `Bearer ${SERVICE_TOKEN}` },
            { authorization: `Bearer ${person.key}` }, { 'x-user-id': String(person.id) }, { 'x-api-key': '\xff\xfe' }]) {
            const reply = await s.get('/api-keys/authorize', { headers });
            assert.equal(reply.status, 401, JSON.stringify(headers));
            assert.match(reply.headers.get('www-authenticate'), /^ApiKey/);
            assert.deepEqual(headersOf(reply, 'x-user-id', 'x-key-id', 'x-plan'), [null, null, null]);
        }
        assert.deepEqual(await endpoints(person), []);
    });

    test('two keys are none', async () => {
        const person = await withKey();
        const reply = await s.raw(`GET /api-keys/authorize HTTP/1.1\r\nHost: x\r\nX-API-Key: ${person.key}\r\n`
            + `X-API-Key: ${person.key}\r\n\r\n`);
        assert.equal(reply.status, 400);
    });
});

for (const [setting, status] of [['403', 403], ['429', 429]]) {
    test(`a limit that is reached is ${status} with authorize_over_limit = ${setting}`, async (t) => {
        const start = (usage) => startKeys(t, { mail: s.mail, config: { apikeys: { authorize_over_limit: setting }, usage } });
        const own = await start({ default_quota: 3 });
        const person = await withKey(own);
        const replies = await Promise.all(Array.from({ length: 12 }, () => authorize(own, person.key)));
        assert.equal(replies.filter((r) => r.status === 200).length, 3);
        for (const reply of replies.filter((r) => r.status !== 200)) {
            assert.deepEqual([reply.status, reply.json.code], [status, 'quota_exceeded']);
            assert.ok(Number(reply.headers.get('retry-after')) > 0);
            assert.match(reply.headers.get('ratelimit'), /"quota";r=0/);
        }
        const slow = await start({ rate_limit: '2/h' });
        const { key } = await withKey(slow);
        const paced = await Promise.all(Array.from({ length: 6 }, () => authorize(slow, key)));
        assert.equal(paced.filter((r) => r.status === 200).length, 2);
        for (const reply of paced.filter((r) => r.status !== 200)) {
            assert.deepEqual([reply.status, reply.json.code], [status, 'rate_limited']);
            assert.ok(Number(reply.headers.get('retry-after')) > 0);
        }
    });
}

describe('guessing', () => {
    test('is stopped by network, before the database is asked', async (t) => {
        const own = await startKeys(t, {
            mail: s.mail, config: { server: { trusted_proxies: '127.0.0.1', workers: 2 }, apikeys: { misses: '5/h' } },
        });
        const person = await withKey(own);
        const from = (address, key) => authorize(own, key, { 'x-forwarded-for': address });
        for (let i = 0; i < 40; i++)
            assert.equal((await from('192.0.2.1', 'garbage')).status, 401, 'garbage costs nothing');
        for (let i = 0; i < 5; i++) {
            assert.equal((await from('192.0.2.1', person.key)).status, 200);
            assert.equal((await from('192.0.2.1', strangeKey())).status, 401);
        }
        for (const key of [strangeKey(), person.key]) {
            const reply = await from('192.0.2.1', key);
            assert.deepEqual([reply.status, reply.json.code], [403, 'rate_limited']);
            assert.ok(Number(reply.headers.get('retry-after')) > 0);
        }
        assert.equal((await from('192.0.2.1', 'garbage')).status, 401);
        assert.equal((await from('192.0.2.2', person.key)).status, 200, 'others are not touched');
        for (let i = 0; i < 5; i++) assert.equal((await from(`2001:db8::${i}`, strangeKey())).status, 401);
        assert.equal((await from('2001:db8::ffff', person.key)).status, 403, 'a /64 is one network');
        assert.equal((await from('2001:db8:1::1', person.key)).status, 200);
    });
});

// The routes of other plugins, for which this one says whose key it is.
test('a key lets its user into the routes of other plugins, and counts nothing', async (t) => {
    const own = await startKeys(t, { plugins: ['auth', 'mail', 'usage', 'apikeys', 'echo'], mail: s.mail });
    const person = await withKey(own);
    const ask = (key) => own.get('/echo/key', { key });
    const reply = await ask(person.key);
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.caller, person.id);
    for (const key of [strangeKey(), 'garbage', `${person.key}x`, '']) {
        const refused = await ask(key);
        assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'ApiKey']);
    }
    assert.deepEqual(await own.db.query('select 1 from usage_logs'), []);
    await vvctl(own, ['user', 'disable', person.email]);
    assert.equal((await ask(person.key)).status, 401);
    await vvctl(own, ['user', 'enable', person.email]);
    const many = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i % 2 ? person.key : strangeKey())));
    assert.deepEqual(many.map((r) => r.status), many.map((_, i) => (i % 2 ? 200 : 401)));
    const [{ id }] = await own.db.query('select id from api_keys where is_active and user_id = $1', [person.id]);
    await vvctl(own, ['key', 'revoke', String(id)]);
    assert.equal((await ask(person.key)).status, 401);
});
