// Whoever shows a key that is good for nothing learns nothing of why: every such key is answered the same, in every way.
import { after, assert, login, readMail, register, startMail, test, vvctl } from '../lib/harness.mjs';
import { authorize, startKeys, strangeKey, validate } from '../lib/keys.mjs';

const mail = await startMail({ after });
const s = await startKeys({ after }, { mail, config: { server: { workers: 2 } } });
const must = async (promise) => {
    const reply = await promise;
    assert.equal(reply.status ?? reply.code, reply.status ? 200 : 0, reply.text ?? reply.stderr);
    return reply;
};

/** Somebody verified, with the first key. */
async function known() {
    const person = await register(s);
    const { token } = await readMail(s, person);
    await must(s.post('/auth/verify-email', { token }));
    return { ...await login(s, person), key: person.reply.json.api_key };
}

/** Keys by what is wrong with them. */
async function keys() {
    const [disabled, deleted, gone, revoked, replaced, expired] = await Promise.all(Array.from({ length: 6 }, known));
    for (const person of [disabled, deleted, gone, revoked, replaced, expired]) await must(validate(s, person.key));
    await must(vvctl(s, ['user', 'disable', disabled.email]));
    await must(s.request('DELETE', '/profile', { token: deleted.token, body: { password: deleted.password } }));
    await must(vvctl(s, ['user', 'delete', gone.email]));
    const [{ id }] = (await must(s.get('/api-keys', { token: revoked.token }))).json;
    await must(s.delete(`/api-keys/${id}`, { token: revoked.token }));
    await must(s.post('/api-keys/regenerate', {}, { token: replaced.token }));
    await s.db.query("update api_keys set expires_at = now() - interval '1 s' where user_id = $1", [expired.user_id]);
    const good = replaced.key;
    return {
        'an unverified account': (await register(s)).reply.json.api_key, 'a disabled account': disabled.key,
        'a deleted account': deleted.key, 'one deleted by an operator': gone.key, 'a revoked one': revoked.key,
        'a replaced one': replaced.key, 'an expired one': expired.key, "nobody's": strangeKey(),
        'another prefix': `other_${good.slice(3)}`, 'a wrong checksum': `${good.slice(0, -1)}${good.endsWith('a') ? 'b' : 'a'}`,
        'garbage': 'garbage', 'one cut short': good.slice(0, -1), 'a token': disabled.token.slice(0, 500),
    };
}

/** All of an answer but what is every answer's own. */
function shape({ status, headers, json }) {
    const { request_id: id, ...body } = json;
    const own = ['date', 'x-request-id', 'connection', 'keep-alive'];
    assert.equal(headers.get('x-request-id'), id);
    return { status, body, headers: [...headers].filter(([name]) => !own.includes(name)).map(([name, value]) =>
        [name, name === 'content-length' ? Number(value) - id.length : value]) };
}

// enum_matrix, as far as keys go
test('every key that is good for nothing gets the same status, body and headers, time and again', async () => {
    const expected = {};
    const all = await keys();
    for (const round of [1, 2]) for (const [what, key] of Object.entries(all)) for (const [name, ask] of [
        ['validate', () => validate(s, key)],
        ['validate with a cost', () => validate(s, key, { cost: 1000000, endpoint: '/x' })],
        ['validate once', () => validate(s, key, {}, { headers: { 'idempotency-key': `${what} ${round}` } })],
        ['authorize', () => authorize(s, key)],
    ]) {
        const seen = shape(await ask());
        assert.equal(seen.status, 401);
        assert.equal(seen.body.code, 'invalid_api_key');
        expected[name] ??= seen;
        assert.deepEqual(seen, expected[name], `${name}: ${what}, round ${round}`);
    }
    assert.deepEqual(expected.validate.body, expected.authorize.body);
    const calls = await s.db.query("select 1 from usage_logs where api_endpoint = '/x' or cost > 1");
    assert.deepEqual(calls, [], 'and nothing is counted');
});

test('the second answer to an Idempotency-Key is the same, too', async () => {
    const ask = (key, once) => validate(s, key, {}, { headers: { 'idempotency-key': once } });
    const seen = [];
    for (const [what, key] of Object.entries(await keys())) {
        await ask(key, `twice ${what}`);
        const { headers, ...rest } = shape(await ask(key, `twice ${what}`));
        seen.push({ ...rest, headers: headers.filter(([name]) => name !== 'idempotent-replayed'), what });
    }
    for (const { what, ...answer } of seen) {
        const { what: _, ...first } = seen[0];
        assert.deepEqual(answer, first, what);
    }
});
