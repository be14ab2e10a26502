// Keys as people manage them: the first one, more, fewer, one instead of all; and what an operator does.
import { after, assert, check, describe, newUser, register, test, toIni, until, vvctl } from '../lib/harness.mjs';
import { startKeys, strangeKey, validate } from '../lib/keys.mjs';

const s = await startKeys({ after }, { config: { apikeys: { max_per_user: 5 }, server: { workers: 2 } } });
const list = async (person) => (await s.get('/api-keys', { token: person.token })).json;
const make = (person, name, more) => s.post('/api-keys', { name, ...more }, { token: person.token });
const works = async (key) => {
    const reply = await validate(s, key);
    assert.ok(reply.status === 200 || reply.json.code === 'invalid_api_key', reply.text);
    return reply.status === 200;
};

describe('the first key', () => {
    test('comes with the account, has the form, and works once the address is verified', async () => {
        const person = await register(s);
        const key = person.reply.json.api_key;
        assert.match(key, /^vv_[0-9A-Za-z]{43}$/);
        assert.equal(key, strangeKey('vv_', key.slice(3, 40)), 'its checksum');
        assert.equal(await works(key), false);
        await s.db.query('update users set email_verified = true where id = $1', [person.id]);
        assert.equal(await works(key), false, 'only what the entitlements say counts');
        await vvctl(s, ['user', 'verify', person.email]);
        assert.equal(await works(key), true);
    });

    test('is stored as a digest alone', async () => {
        const person = await register(s);
        const key = person.reply.json.api_key;
        const [row] = await s.db.query('select k.*, sha256(convert_to($2, \'UTF8\')) = api_key as same, k::text as text'
            + ' from api_keys k where user_id = $1', [person.id, key]);
        assert.equal(row.same, true);
        assert.ok(!row.text.includes(key.slice(9)));
        assert.equal(row.key_prefix, key.slice(0, 9));
        assert.deepEqual([row.name, row.is_active, row.legacy], ['Default', true, false]);
        assert.ok(!s.logText.includes(key.slice(9)));
    });
});

describe('the list', () => {
    test('has every key in order, and shows none of them', async () => {
        const person = await newUser(s);
        const made = await make(person, 'Ünïcode 🎻', { expires_in_days: 30 });
        assert.equal(made.status, 200, made.text);
        assert.equal(made.headers.get('cache-control'), 'no-store');
        const { api_key: key, ...row } = made.json;
        const keys = await list(person);
        assert.deepEqual(keys.map((k) => k.name), ['Default', 'Ünïcode 🎻']);
        assert.deepEqual(keys[1], row);
        assert.deepEqual(Object.keys(row).sort(),
            ['created_at', 'expires_at', 'id', 'is_active', 'key_prefix', 'last_used_at', 'name']);
        assert.equal(row.key_prefix, key.slice(0, 9));
        assert.equal(Date.parse(row.expires_at) - Date.parse(row.created_at), 30 * 86_400_000);
        assert.ok(!JSON.stringify(keys).includes(key.slice(9)));
        assert.deepEqual([keys[0].expires_at, keys[0].last_used_at, keys[0].is_active], [null, null, true]);
    });

    test('says when a key was used', async () => {
        const person = await newUser(s);
        const { json } = await make(person, 'used');
        assert.equal(await works(json.api_key), true);
        const used = await until(async () => (await list(person))[1].last_used_at, { what: 'last_used_at' });
        assert.ok(Math.abs(Date.parse(used) - Date.now()) < 60_000);
        assert.equal((await list(person))[0].last_used_at, null);
    });

    test('is the caller\'s own', async () => {
        const [one, other] = [await newUser(s), await newUser(s)];
        await make(one, 'mine');
        assert.deepEqual((await list(other)).map((k) => k.name), ['Default']);
        assert.equal((await s.get('/api-keys')).status, 401);
    });
});

describe('making one', () => {
    test('names every field that is wrong', async () => {
        const person = await newUser(s);
        const bad = [[{}, ['name']], [{ name: '' }, ['name']], [{ name: '   ' }, ['name']], [{ name: 7 }, ['name']],
            [{ name: null }, ['name']], [{ name: 'x'.repeat(101) }, ['name']], [{ name: 'two\nlines' }, ['name']],
            [{ name: 'a\u0000b' }, null], [{ name: 'x', user_id: 1 }, ['user_id']], [{ name: ['x'] }, ['name']],
            ...[0, -1, 3651, 1.5, '7', true, 1e30].map((days) => [{ name: 'x', expires_in_days: days }, ['expires_in_days']]),
            [{ name: '', expires_in_days: 0 }, ['name', 'expires_in_days']]];
        for (const [body, fields] of bad) {
            const reply = await s.post('/api-keys', body, { token: person.token });
            assert.equal(reply.status, fields ? 422 : reply.status, JSON.stringify(body));
            assert.ok(reply.status >= 400 && reply.status < 500);
            if (fields) assert.deepEqual(reply.json.errors.map((e) => e.field).sort(), fields.sort(), reply.text);
        }
        assert.equal((await s.post('/api-keys', '{"name":"x","name":"y"}', { token: person.token })).status, 400);
        assert.equal((await s.post('/api-keys', undefined, { token: person.token })).status, 400);
        assert.equal((await list(person)).length, 1);
    });

    test('takes a name of 100 characters, trimmed, and a date or none', async () => {
        const person = await newUser(s);
        const name = '🎻'.repeat(100);
        assert.equal((await make(person, `  ${name} `, { expires_in_days: 3650 })).json.name, name);
        assert.equal((await make(person, 'x', { expires_in_days: null })).json.expires_at, null);
    });

    test('stops at the limit, exactly, however many ask at once', async () => {
        const person = await newUser(s);
        const replies = await Promise.all(Array.from({ length: 30 }, (_, i) => make(person, `key ${i}`)));
        assert.equal(replies.filter((r) => r.status === 200).length, 4);
        const refused = replies.filter((r) => r.status !== 200);
        assert.ok(refused.every((r) => r.status === 409 && r.json.code === 'too_many_keys'), refused[0].text);
        const keys = await list(person);
        assert.equal(keys.length, 5);
        assert.equal(new Set(replies.flatMap((r) => r.json.api_key ?? [])).size, 4);
        // Those that do not work any more do not count.
        await s.db.query("update api_keys set expires_at = now() - interval '1 s' where id = $1", [keys[1].id]);
        await s.delete(`/api-keys/${keys[2].id}`, { token: person.token });
        assert.equal((await make(person, 'a')).status, 200);
        assert.equal((await make(person, 'b')).status, 200);
        assert.equal((await make(person, 'c')).status, 409);
    });
});

describe('a key that ends', () => {
    test('is refused by the next call once it is revoked', async () => {
        const person = await newUser(s);
        const { json } = await make(person, 'x');
        assert.equal(await works(json.api_key), true);
        const reply = await s.delete(`/api-keys/${json.id}`, { token: person.token });
        assert.equal(reply.status, 200, reply.text);
        assert.equal(typeof reply.json.message, 'string');
        for (let i = 0; i < 8; i++) assert.equal(await works(json.api_key), false);
        assert.equal((await list(person))[1].is_active, false);
        const again = await s.delete(`/api-keys/${json.id}`, { token: person.token });
        assert.deepEqual([again.status, again.json.code], [404, 'unknown_key']);
    });

    test('can be revoked by its owner alone, and only by its id', async () => {
        const [one, other] = [await newUser(s), await newUser(s)];
        const [key] = await list(one);
        for (const id of [key.id, 2 ** 52, 1e15])
            assert.equal((await s.delete(`/api-keys/${id}`, { token: other.token })).status, 404);
        for (const id of ['0', '-1', 'x', '1.5', '99999999999999999999', '%F0%9F%8E%BB'])
            assert.equal((await s.delete(`/api-keys/${id}`, { token: other.token })).status, 422, id);
        assert.equal((await s.delete(`/api-keys/${key.id}`)).status, 401);
        assert.equal((await list(one))[0].is_active, true);
    });

    test('is revoked by one of many at once', async () => {
        const person = await newUser(s);
        const { json } = await make(person, 'x');
        const replies = await Promise.all(Array.from({ length: 10 },
            () => s.delete(`/api-keys/${json.id}`, { token: person.token })));
        assert.deepEqual(replies.map((r) => r.status).sort(), [200, ...Array(9).fill(404)]);
    });

    test('is refused when its time is over', async () => {
        const person = await newUser(s);
        const { json } = await make(person, 'x', { expires_in_days: 1 });
        assert.equal(await works(json.api_key), true);
        await s.db.query('update api_keys set expires_at = now() where id = $1', [json.id]);
        assert.equal(await works(json.api_key), false);
        assert.equal((await list(person))[1].is_active, false);
    });

    test('stays in the list for a month', async () => {
        const person = await newUser(s);
        await make(person, 'gone');
        await make(person, 'recent');
        await s.db.query(`update api_keys set is_active = false, revoked_at = now() - case name when 'gone'
            then interval '31 days' else interval '29 days' end where user_id = $1 and name <> 'Default'`, [person.id]);
        await s.db.query("update schedules set next_run = now() - interval '1 s' where name = 'apikeys.cleanup'");
        await until(async () => (await list(person)).length === 2, { what: 'the old one is deleted' });
        assert.deepEqual((await list(person)).map((k) => k.name), ['Default', 'recent']);
    });

    test('goes with the account', async () => {
        const person = await newUser(s);
        const { json } = await make(person, 'x');
        await validate(s, json.api_key, {}, { headers: { 'idempotency-key': 'gone-with-it' } });
        assert.equal((await s.delete('/profile', { token: person.token, body: { password: person.password } })).status, 200);
        assert.equal(await works(json.api_key), false);
        assert.deepEqual(await s.db.query('select 1 from api_keys where user_id = $1', [person.id]), []);
        assert.deepEqual(await s.db.query("select 1 from api_key_answers where key = 'gone-with-it'"), []);
    });

    test('is refused while the account is disabled', async () => {
        const person = await newUser(s);
        const { api_key: key } = (await make(person, 'x')).json;
        await vvctl(s, ['user', 'disable', person.email]);
        assert.equal(await works(key), false);
        await vvctl(s, ['user', 'enable', person.email]);
        assert.equal(await works(key), true);
    });
});

describe('regenerating', () => {
    test('leaves one key, new, and counted as one', async () => {
        const person = await newUser(s);
        const old = (await make(person, 'old')).json.api_key;
        const reply = await s.post('/api-keys/regenerate', undefined, { token: person.token });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(Object.keys(reply.json).sort(), ['api_key', 'created_at']);
        assert.equal(await works(old), false);
        assert.equal(await works(reply.json.api_key), true);
        assert.deepEqual((await list(person)).filter((k) => k.is_active).map((k) => k.name), ['Default']);
        assert.equal((await s.post('/api-keys/regenerate', {}, { token: person.token })).status, 200);
        assert.equal((await s.post('/api-keys/regenerate')).status, 401);
    });

    test('by many at once leaves one key', async () => {
        const person = await newUser(s);
        const replies = await Promise.all(Array.from({ length: 12 },
            () => s.post('/api-keys/regenerate', {}, { token: person.token })));
        assert.ok(replies.every((r) => r.status === 200), replies.map((r) => r.text).join('\n'));
        const working = [];
        for (const reply of replies) if (await works(reply.json.api_key)) working.push(reply);
        assert.equal(working.length, 1);
        assert.equal((await list(person)).filter((k) => k.is_active).length, 1);
    });
});

describe('an operator', () => {
    const ctl = async (...args) => {
        const { code, stdout, stderr } = await vvctl(s, ['key', ...args]);
        assert.equal(code, 0, stderr);
        return stdout;
    };

    test('lists, makes and revokes keys', async () => {
        const person = await newUser(s);
        const key = (await ctl('create', person.email, 'of vvctl')).trim();
        assert.equal(await works(key), true);
        const lines = await ctl('list', String(person.id));
        assert.match(lines, new RegExp(`${key.slice(0, 9)}.*never used.*active, of vvctl`));
        assert.ok(!lines.includes(key.slice(9)));
        const [, { id }] = await list(person);
        await ctl('revoke', String(id));
        assert.equal(await works(key), false);
        assert.match(await ctl('list', person.email), /revoked, of vvctl/);
    });

    test('is told what is wrong', async () => {
        const person = await newUser(s);
        for (const [args, said] of [[['list'], /Whose keys/], [['list', 'nobody@vv.test'], /There is no account/],
            [['revoke', 'x'], /Which key/], [['revoke', '0'], /Which key/],
            [['revoke', '123456789'], /There is no key 123456789/],
            [['create', person.email], /Name the account/], [['create', person.email, ''], /Name the account/],
            [['create', person.email, 'x'.repeat(101)], /1 to 100/], [['create', 'nobody@vv.test', 'x'], /no account/]]) {
            const { code, stderr } = await vvctl(s, ['key', ...args]);
            assert.equal(code, 1, args.join(' '));
            assert.match(stderr, said);
        }
    });

    test('hears of tokens and prefixes that cannot be', async (t) => {
        const token = 'x'.repeat(32);
        for (const [section, said] of [[{ prefix: 'vv' }, /\[apikeys\] prefix: 'vv' must be 1 to 16 of a-z and 0-9/],
            [{ prefix: 'V_' }, /must be 1 to 16/], [{ service_tokens: 'short' }, /number 1 \(service\) is shorter than 32/],
            [{ service_tokens: `a:${token}, b:${'y'.repeat(31)}` }, /number 2 \(b\) is shorter/],
            [{ service_tokens: `a:${token}, b:${token}` }, /number 2 \(b\) is the same token/],
            [{ service_tokens: `a:${token} ${token}` }, /holds a space/], [{ authorize_over_limit: '503' }, /403/]]) {
            const config = { ...s.config, apikeys: { ...s.config.apikeys, ...section } };
            const { code, stdout, stderr } = await check(t, toIni(config));
            assert.notEqual(code, 0, JSON.stringify(section));
            assert.match(stdout + stderr, said);
            assert.ok(!(stdout + stderr).includes('yyyy') && !(stdout + stderr).includes(token));
        }
    });
});

test('the document has every route but those for Envoy', async () => {
    const { paths } = (await s.get('/openapi.json')).json;
    const found = Object.entries(paths).filter(([name]) => name.startsWith('/api-keys'))
        .map(([name, methods]) => `${name} ${Object.keys(methods).sort()}`);
    assert.deepEqual(found.sort(), ['/api-keys get,post', '/api-keys/authorize get', '/api-keys/regenerate post',
        '/api-keys/validate post', '/api-keys/{id} delete']);
    assert.deepEqual(paths['/api-keys/validate'].post.security, [{ service: [] }]);
});
