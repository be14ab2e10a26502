// What another back end is told about a key, to whom, and that a repeated question is one call.
import { after, assert, describe, newUser, register, SERVICE_TOKEN, startPostgres, test, until } from '../lib/harness.mjs';
import { authorize, startKeys, strangeKey, validate } from '../lib/keys.mjs';

const NEXT_TOKEN = 'the-service-token-after-that-0123456789';
const s = await startKeys({ after }, {
    config: {
        server: { workers: 4 },
        apikeys: { service_tokens: `search:${SERVICE_TOKEN}, search:${NEXT_TOKEN}, billing:${'b'.repeat(32)}` },
    },
});

/** Somebody verified, with the key that came with the account. */
async function withKey(server = s) {
    const person = await newUser(server);
    const reply = await server.post('/api-keys/regenerate', {}, { token: person.token });
    assert.equal(reply.status, 200, reply.text);
    return { ...person, id: person.user_id, key: reply.json.api_key };
}

const logged = (person) => s.db.query('select api_endpoint, cost::int, key_id::int from usage_logs where user_id = $1'
    + ' order by timestamp, id', [person.id]);

describe('a good key', () => {
    test('is answered with its account, and counted by its cost', async () => {
        const person = await withKey();
        const first = await validate(s, person.key, { endpoint: '/search', cost: 3 });
        assert.equal(first.status, 200, first.text);
        const { usage, key_id: id, ...rest } = first.json;
        assert.deepEqual(rest, {
            valid: true, user_id: person.id, email: person.email, plan: null, subscription_status: 'none',
        });
        assert.ok(Date.parse(usage.resets_at) > Date.now());
        assert.deepEqual({ ...usage, resets_at: 0 }, { used: 3, limit: null, remaining: null, resets_at: 0 });
        assert.equal((await validate(s, person.key)).json.usage.used, 4);
        assert.deepEqual(await logged(person), [{ api_endpoint: '/search', cost: 3, key_id: id },
            { api_endpoint: null, cost: 1, key_id: id }]);
        assert.equal(first.headers.get('cache-control'), 'no-store');
    });

    test('is one of several: each is known by its id', async () => {
        const person = await withKey();
        const made = (await s.post('/api-keys', { name: 'other' }, { token: person.token })).json;
        assert.equal((await validate(s, made.api_key)).json.key_id, made.id);
    });

    test('takes what is at the edge', async () => {
        const person = await withKey();
        for (const fields of [{ cost: 1_000_000 }, { cost: 1 }, { endpoint: '🎻'.repeat(100) }, { endpoint: null }])
            assert.equal((await validate(s, person.key, fields)).status, 200, JSON.stringify(fields));
    });
});

describe('what is refused', () => {
    test('garbage, a strange key and an unverified one get the same answer', async () => {
        const unverified = (await register(s)).reply.json.api_key;
        const answers = [];
        for (const key of [unverified, strangeKey(), strangeKey('other_'), 'garbage', '🎻', ' ', 'x'.repeat(512),
            `${strangeKey()} `, strangeKey().toUpperCase(), "' or 1=1 --"]) {
            const reply = await validate(s, key);
            assert.equal(reply.status, 401, key);
            assert.match(reply.headers.get('www-authenticate'), /^Bearer/);
            const { request_id: id, ...json } = reply.json;
            answers.push(JSON.stringify(json));
            assert.ok(id);
        }
        assert.deepEqual([...new Set(answers)].map((a) => JSON.parse(a).code), ['invalid_api_key']);
    });

    test('every bad field is named', async () => {
        const { key } = await withKey();
        const bad = [[{ api_key: undefined }, ['api_key']], [{ api_key: '' }, ['api_key']], [{ api_key: 7 }, ['api_key']],
            [{ api_key: null }, ['api_key']], [{ api_key: 'x'.repeat(513) }, ['api_key']], [{ more: 1 }, ['more']],
            [{ endpoint: '' }, ['endpoint']], [{ endpoint: 'x'.repeat(101) }, ['endpoint']], [{ endpoint: 7 }, ['endpoint']],
            [{ endpoint: 'a\nb' }, ['endpoint']], [{ endpoint: {} }, ['endpoint']],
            ...[0, -1, 1_000_001, 1.5, '1', null, true, 1e300].map((cost) => [{ cost }, ['cost']]),
            [{ api_key: '', endpoint: '', cost: 0 }, ['api_key', 'cost', 'endpoint']]];
        for (const [fields, names] of bad) {
            const reply = await s.post('/api-keys/validate', { api_key: key, ...fields }, { token: SERVICE_TOKEN });
            assert.equal(reply.status, 422, JSON.stringify(fields));
            assert.deepEqual(reply.json.errors.map((e) => e.field).sort(), names, reply.text);
        }
        for (const [body, status] of [['{"api_key":"a","api_key":"b"}', 400], ['[]', 400], ['{', 400], [undefined, 400],
            [`{"api_key":"${'x'.repeat(2 << 20)}"}`, 413]])
            assert.equal((await s.post('/api-keys/validate', body, { token: SERVICE_TOKEN })).status, status);
        assert.ok((await validate(s, 'a\u0000b')).status < 500);
    });

    test('an account that has nothing paid for', async (t) => {
        const shop = await startKeys(t, { plugins: ['auth', 'mail', 'stripe', 'usage', 'apikeys'], mail: s.mail });
        const { key } = await withKey(shop);
        const reply = await validate(shop, key);
        assert.deepEqual([reply.status, reply.json.code, reply.json.detail],
            [403, 'subscription_required', 'Active subscription required']);
        const proxy = await authorize(shop, key);
        assert.deepEqual([proxy.status, proxy.json.code], [403, 'subscription_required']);
        assert.deepEqual(await shop.db.query('select 1 from usage_logs'), []);
    });
});

describe('who may ask', () => {
    test('whoever has a token of the configuration, and nobody else', async () => {
        const person = await withKey();
        for (const token of [SERVICE_TOKEN, NEXT_TOKEN, 'b'.repeat(32)])
            assert.equal((await validate(s, person.key, {}, { token })).status, 200);
        for (const token of [person.token, 'x'.repeat(32), `${SERVICE_TOKEN}x`, SERVICE_TOKEN.slice(1), `search:${SERVICE_TOKEN}`,
            person.key, SERVICE_TOKEN.toUpperCase()]) {
            const reply = await validate(s, person.key, {}, { token });
            assert.equal(reply.status, 401);
            assert.notEqual(reply.json.code, 'invalid_api_key');
            assert.match(reply.headers.get('www-authenticate'), /^Bearer error="invalid_token"/);
        }
        const none = await s.post('/api-keys/validate', { api_key: person.key });
        assert.deepEqual([none.status, none.headers.get('www-authenticate')], [401, 'Bearer']);
        for (const headers of [{ authorization: `Basic ${SERVICE_TOKEN}` }, { authorization: 'Bearer ' },
            { 'x-api-key': person.key }, { authorization: SERVICE_TOKEN }])
            assert.equal((await s.post('/api-keys/validate', { api_key: person.key }, { headers })).status, 401);
    });

    test('two credentials are none', async () => {
        const body = '{"api_key":"x"}';
        const reply = await s.raw('POST /api-keys/validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
            + `Authorization: Bearer ${SERVICE_TOKEN}\r\nAuthorization: Bearer ${SERVICE_TOKEN}\r\n`
            + `Content-Length: ${body.length}\r\n\r\n${body}`);
        assert.equal(reply.status, 400);
    });

    test('a back end is no user', async () => {
        assert.equal((await s.get('/api-keys', { token: SERVICE_TOKEN })).status, 401);
        assert.equal((await s.get('/profile', { token: SERVICE_TOKEN })).status, 401);
        const { key } = await withKey();
        assert.equal((await s.get('/api-keys', { key })).status, 401);
        assert.equal((await s.get('/api-keys', { token: key })).status, 401);
    });
});

describe('an Idempotency-Key', () => {
    const ask = (person, key, fields, token) => validate(s, person.key, fields, { token, headers: { 'idempotency-key': key } });

    test('gives the same answer again, and counts once', async () => {
        const person = await withKey();
        const first = await ask(person, 'one', { endpoint: '/a', cost: 2 });
        assert.equal(first.status, 200, first.text);
        assert.equal(first.headers.get('idempotent-replayed'), null);
        await validate(s, person.key);
        const again = await s.post('/api-keys/validate', { cost: 2, endpoint: '/a', api_key: person.key },
            { token: NEXT_TOKEN, headers: { 'idempotency-key': 'one' } });
        assert.deepEqual([again.status, again.json], [200, first.json]);
        assert.equal(again.headers.get('idempotent-replayed'), 'true');
        assert.equal((await logged(person)).length, 2);
        const kept = await s.db.query("select a::text from api_key_answers a where key = 'one'");
        assert.ok(!JSON.stringify(kept).includes(person.key));
    });

    test('is for one request of one back end', async () => {
        const [person, other] = [await withKey(), await withKey()];
        assert.equal((await ask(person, 'two')).status, 200);
        for (const [who, fields] of [[person, { cost: 2 }], [person, { endpoint: '/b' }], [other, {}]]) {
            const reply = await ask(who, 'two', fields);
            assert.deepEqual([reply.status, reply.json.code], [422, 'idempotency_key_reused']);
        }
        const billing = await ask(person, 'two', { cost: 5 }, 'b'.repeat(32));
        assert.deepEqual([billing.status, billing.json.usage.used], [200, 6]);
        assert.equal((await logged(other)).length, 0);
    });

    test('has 1 to 255 characters', async () => {
        const person = await withKey();
        for (const key of ['', 'x'.repeat(256)])
            assert.deepEqual([(await ask(person, key)).json.code, (await validate(s, 'garbage', {},
                { headers: { 'idempotency-key': key } })).status], ['bad_idempotency_key', 400]);
        assert.equal((await ask(person, 'y'.repeat(255))).status, 200);
    });

    test('of many at once runs one', async () => {
        const person = await withKey();
        const replies = await Promise.all(Array.from({ length: 16 }, () => ask(person, 'at once')));
        for (const reply of replies)
            assert.ok(reply.status === 200 || (reply.status === 409 && reply.json.code === 'request_running'
                && reply.headers.get('retry-after')), reply.text);
        const good = replies.filter((r) => r.status === 200);
        assert.equal(good.filter((r) => !r.headers.get('idempotent-replayed')).length, 1);
        assert.equal(new Set(good.map((r) => r.text)).size, 1);
        assert.equal((await logged(person)).length, 1);
    });

    // meter_claim
    test('that is under way is 409, and whatever stopped it counts nothing', async () => {
        const person = await withKey();
        const client = await s.db.connect();
        try {
            // Somebody holds the user's row: the first waits for it, the second for the first.
            await client.query('begin');
            await client.query('select 1 from entitlements where user_id = $1 for update', [person.id]);
            const first = ask(person, 'stopped');
            await until(async () => (await s.db.query("select 1 from pg_locks where not granted and locktype in"
                + " ('transactionid', 'tuple')")).length > 0, { what: 'the first waits' });
            const [one, two] = await Promise.all([first, ask(person, 'stopped')]);
            assert.equal(one.status, 503, one.text);
            assert.ok(two.status === 409 || two.status === 503, two.text);
        } finally {
            await client.query('rollback');
            client.release();
        }
        assert.equal((await logged(person)).length, 0);
        const again = await ask(person, 'stopped');
        assert.deepEqual([again.status, again.json.usage.used, again.headers.get('idempotent-replayed')], [200, 1, null]);
        assert.equal((await ask(person, 'stopped')).headers.get('idempotent-replayed'), 'true');
        assert.equal((await logged(person)).length, 1);
    });

    test('while another with it is not committed is 409 with Retry-After', async () => {
        const person = await withKey();
        const client = await s.db.connect();
        try {
            await client.query('begin');
            await client.query("insert into api_key_answers (caller, path, key, request)"
                + " values ('search', '/api-keys/validate', 'held', '')");
            const reply = await ask(person, 'held');
            assert.deepEqual([reply.status, reply.json.code, reply.headers.get('retry-after')],
                [409, 'request_running', '1']);
        } finally {
            await client.query('rollback');
            client.release();
        }
        assert.equal((await ask(person, 'held')).status, 200);
    });

    test('keeps a refusal that is final', async () => {
        const person = await withKey();
        const key = strangeKey();
        const first = await ask({ key }, 'final');
        const again = await ask({ key }, 'final');
        assert.deepEqual([first, again].map((r) => [r.status, r.json.code, r.headers.get('idempotent-replayed')]),
            [[401, 'invalid_api_key', null], [401, 'invalid_api_key', 'true']]);
        assert.equal((await ask(person, 'final')).json.code, 'idempotency_key_reused');
    });

    test('is forgotten after a day', async () => {
        const person = await withKey();
        await ask(person, 'day');
        await s.db.query("update api_key_answers set created_at = now() - interval '25 hours' where key = 'day'");
        const fresh = await ask(person, 'day', { cost: 4 });
        assert.deepEqual([fresh.status, fresh.json.usage.used, fresh.headers.get('idempotent-replayed')], [200, 5, null]);
        await s.db.query("update api_key_answers set created_at = now() - interval '25 hours' where key = 'day'");
        await s.db.query("update schedules set next_run = now() - interval '1 s' where name = 'apikeys.cleanup'");
        await until(async () => !(await s.db.query("select 1 from api_key_answers where key = 'day'")).length,
            { what: 'it is deleted' });
    });
});

test('a refusal for the quota is not kept, and counts nothing', async (t) => {
    const small = await startKeys(t, { mail: s.mail, config: { usage: { default_quota: 2 } } });
    const { key } = await withKey(small);
    const headers = { 'idempotency-key': 'full' };
    assert.equal((await validate(small, key)).status, 200);
    const over = await validate(small, key, { cost: 2 }, { headers });
    assert.deepEqual([over.status, over.json.code], [429, 'quota_exceeded']);
    assert.ok(Number(over.headers.get('retry-after')) > 0);
    const fits = await validate(small, key, { cost: 1 }, { headers });
    assert.deepEqual([fits.status, fits.json.usage.used, fits.json.usage.limit, fits.json.usage.remaining], [200, 2, 2, 0]);
    for (const name of ['ratelimit', 'ratelimit-policy']) assert.match(fits.headers.get(name), /"quota";/);
});

// key_rotate_cache: no worker answers from memory.
test('after regenerating the old key is refused by every worker, and the new one works', async () => {
    const person = await withKey();
    let old = person.key;
    for (let round = 0; round < 5; round++) {
        assert.deepEqual(new Set((await Promise.all(Array.from({ length: 16 }, () => validate(s, old)))).map((r) => r.status)),
            new Set([200]));
        const fresh = (await s.post('/api-keys/regenerate', {}, { token: person.token })).json.api_key;
        const replies = await Promise.all(Array.from({ length: 32 }, (_, i) => validate(s, i % 2 ? old : fresh)));
        assert.deepEqual(replies.map((r) => r.status), replies.map((_, i) => (i % 2 ? 401 : 200)));
        old = fresh;
    }
});

test('while keys are regenerated under load, only the newest is left', async () => {
    const person = await withKey();
    const keys = [person.key];
    let done = false;
    const load = Array.from({ length: 8 }, async () => {
        while (!done) {
            const newest = keys.length - 1;
            const asked = Math.floor(Math.random() * keys.length);
            const reply = await validate(s, keys[asked]);
            // What was the newest when it was sent may be the newest no more; what was not is never taken.
            assert.ok(reply.status === 401 || (reply.status === 200 && asked === newest), reply.text);
        }
    });
    for (let i = 0; i < 10; i++)
        keys.push((await s.post('/api-keys/regenerate', {}, { token: person.token })).json.api_key);
    done = true;
    await Promise.all(load);
    const last = await Promise.all(keys.map((key) => validate(s, key)));
    assert.deepEqual(last.map((r) => r.status), keys.map((_, i) => (i === keys.length - 1 ? 200 : 401)));
});

test('garbage never asks the database', async (t) => {
    const cluster = await startPostgres(t);
    const own = await startKeys(t, { postgres: cluster, mail: s.mail });
    const { key } = await withKey(own);
    // A worker writes down which keys were used after it has looked whether there are keys of another form.
    assert.equal((await validate(own, key)).status, 200);
    await until(async () => (await own.db.query('select 1 from api_keys where last_used_at is not null')).length,
        { what: 'the worker has looked' });
    await cluster.stop('kill');
    for (const garbage of ['garbage', `${key}x`, key.slice(3), 'vv_'.padEnd(46, 'x')]) {
        assert.equal((await validate(own, garbage)).status, 401);
        assert.equal((await authorize(own, garbage)).status, 401);
    }
    for (const reply of [await validate(own, key), await authorize(own, key), await validate(own, strangeKey())]) {
        assert.equal(reply.status, 503, reply.text);
        assert.ok(!/select|postgres|127\.0/i.test(reply.text));
    }
    await cluster.start();
    await until(async () => (await validate(own, key)).status === 200, { timeout: 20_000, what: 'it works again' });
});

test('no log line holds a key or a token, however much is logged', async (t) => {
    const own = await startKeys(t, { mail: s.mail, config: { server: { log_level: 'debug' } } });
    const { key } = await withKey(own);
    const strange = strangeKey();
    await validate(own, key, { cost: 0 });
    await validate(own, key, { endpoint: 'x' }, { headers: { 'idempotency-key': 'logged' } });
    await validate(own, key, { endpoint: 'x' }, { token: `${SERVICE_TOKEN}x` });
    await authorize(own, key);
    await authorize(own, strange);
    await own.get('/api-keys', { token: key });
    await own.waitLog(/"path":"\/api-keys"/);
    for (const secret of [key.slice(9), strange.slice(9), SERVICE_TOKEN]) assert.ok(!own.logText.includes(secret));
    assert.ok(!s.logText.includes(NEXT_TOKEN));
});
