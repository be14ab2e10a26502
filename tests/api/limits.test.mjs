// Limits: per address, per user, both, and rates that plugins count themselves; exact, forgiving nothing, and told.
import { assert, check, startServer, test, until } from '../lib/harness.mjs';

const start = (t, limits = {}, server = {}) => startServer(t, {
    plugins: ['rates', 'badge'], database: false, waitReady: 'live', config: { server, limits },
});
const user = (id) => ({ token: `user-${id}` });
const told = (reply) => [reply.headers.get('ratelimit-policy'), reply.headers.get('ratelimit')?.replaceAll(/t=\d+/g, 't=N')];
const left = (reply) => Number(reply.headers.get('ratelimit').match(/r=(\d+)/)[1]);

async function statuses(count, call) {
    const replies = await Promise.all(Array.from({ length: count }, (_, i) => call(i)));
    return Object.fromEntries([200, 429, 401].map((status) => [status, replies.filter((r) => r.status === status).length]));
}

test('every route of users is limited by user, whatever the address, all of them together', async (t) => {
    const s = await start(t, { user: '3/h' });
    const first = await s.get('/rates/plain', user(1));
    assert.deepEqual(told(first), ['"user";q=3;w=3600', '"user";r=2;t=N']);
    assert.equal((await s.get('/rates/other', user(1))).status, 200);
    assert.equal((await s.get('/badge/user', user(1))).status, 200);
    const refused = await s.get('/rates/plain', user(1));
    assert.deepEqual([refused.status, refused.json.code], [429, 'rate_limited']);
    assert.match(refused.headers.get('content-type'), /problem\+json/);
    assert.deepEqual(told(refused), ['"user";q=3;w=3600', '"user";r=0;t=N']);
    const wait = Number(refused.headers.get('retry-after'));
    assert.ok(wait > 1100 && wait <= 1200, `${wait}`);
    assert.equal((await s.get('/rates/plain', user(2))).status, 200, 'another user is not meant');
    assert.equal((await s.get('/badge/service', { token: 'back-end' })).headers.get('ratelimit'), null);
});

test('credentials that are refused cost nobody anything', async (t) => {
    const s = await start(t, { user: '2/h' });
    for (let i = 0; i < 5; i++) {
        const reply = await s.get('/rates/plain', { token: 'nonsense' });
        assert.deepEqual([reply.status, reply.headers.get('ratelimit')], [401, null]);
    }
    assert.equal(left(await s.get('/rates/plain', user(1))), 1);
});

test('limit_once: a request that authenticates twice costs 1', async (t) => {
    const s = await start(t, { user: '10/h' });
    const twice = { ...user(4), key: 'key-4' };
    assert.equal(left(await s.get('/rates/plain', twice)), 9);
    assert.equal(left(await s.get('/rates/plain', twice)), 8);
    assert.equal(left(await s.get('/rates/keyed', { ...twice, headers: { cookie: 'session=4' } })), 2);
    assert.equal((await s.request('HEAD', '/rates/plain', twice)).headers.get('ratelimit').match(/r=(\d+)/)[1], '7');
});

test('limit_ttl: what was used comes back on time, one by one, and never more of it', async (t) => {
    const s = await start(t, { user: '5/s' });
    const began = performance.now();
    let passed = 0;
    let refused = 0;
    // A second's boundary is in here, wherever it lies: no slot is free of charge, none is less than empty.
    await until(async () => {
        const reply = await s.get('/rates/plain', user(1));
        if (reply.status === 200) passed++;
        else refused++;
        assert.ok(left(reply) >= 0 && left(reply) <= 4, reply.headers.get('ratelimit'));
        return performance.now() - began > 1600;
    }, { step: 5, what: '1.6 s have passed' });
    const most = 5 + Math.floor((performance.now() - began) / 200);
    assert.ok(passed <= most && passed > 5 + 2, `${passed} passed, at most ${most}`);
    assert.ok(refused > 0);
    const reply = await s.get('/rates/plain', user(1));
    assert.ok(reply.status === 200 || reply.headers.get('retry-after') === '1');
});

test('a route may name a limit of its own for users, which stands for the general one', async (t) => {
    const s = await start(t, { user: '100/h' });
    assert.deepEqual(told(await s.get('/rates/exports', user(1))), ['"rates_exports";q=3;w=3600', '"rates_exports";r=2;t=N']);
    const keyed = await s.get('/rates/keyed', { key: 'key-1' });
    assert.equal(left(keyed), 1, 'the user is the same, whatever it shows');
    assert.deepEqual([(await s.get('/rates/exports', user(1))).status, (await s.get('/rates/exports', user(1))).status], [200, 429]);
    assert.equal(left(await s.get('/rates/plain', user(1))), 99);
});

test('a limit per address comes on top, and both are told', async (t) => {
    const s = await start(t, { user: '4/h', rates_visits: '6/m' });
    const first = await s.get('/rates/both', user(1));
    assert.deepEqual(told(first),
        ['"rates_visits";q=6;w=60, "user";q=4;w=3600', '"rates_visits";r=5;t=N, "user";r=3;t=N']);
    for (let i = 0; i < 3; i++) assert.equal((await s.get('/rates/both', user(1))).status, 200);
    const byUser = await s.get('/rates/both', user(1));
    assert.equal(byUser.status, 429);
    assert.ok(Number(byUser.headers.get('retry-after')) > 60);
    assert.deepEqual(told(byUser)[1], '"rates_visits";r=1;t=N, "user";r=0;t=N');
    assert.equal((await s.get('/rates/both', user(2))).status, 200);
    const byAddress = await s.get('/rates/both', user(2));
    assert.equal(byAddress.status, 429);
    assert.match(byAddress.json.detail, /your network/);
    assert.deepEqual(told(byAddress), ['"rates_visits";q=6;w=60', '"rates_visits";r=0;t=N']);
    assert.equal(left(await s.get('/rates/plain', user(2))), 2, 'what the address was refused did not count for the user');
});

test('what a handler says of its rates wins', async (t) => {
    const s = await start(t, { user: '4/h' });
    assert.deepEqual(told(await s.get('/rates/told', user(1))), ['"mine";q=7;w=1', '"mine";r=6;t=N']);
});

test('limits of users hold exactly over four workers, and a reload forgives nothing', async (t) => {
    const s = await start(t, { user: '25/h' }, { workers: 4 });
    const replies = await statuses(200, (i) => s.get(i % 2 ? '/rates/plain' : '/rates/other', user(i % 4 < 3 ? 1 : 2)));
    assert.deepEqual(replies, { 200: 50, 429: 150, 401: 0 });
    await s.reload();
    assert.equal((await s.get('/rates/plain', user(1))).status, 429);
});

test('off is off, and the limits stand in the configuration and beside the routes', async (t) => {
    const s = await start(t, { user: 'off', rates_exports: 'off' });
    assert.deepEqual(told(await s.get('/rates/plain', user(1))), [null, undefined]);
    assert.deepEqual(told(await s.get('/rates/exports', user(1))), [null, undefined]);
    const config = { server: { plugin_dir: s.pluginDir }, rates: { enabled: 'true' } };
    const dump = (await check(t, config, ['--dump-config'])).stdout;
    assert.match(dump, /\n# Calls of one user on routes without a limit of their own\nuser = 600\/m\n/);
    assert.match(dump, /\n# Exports of one user\nrates_exports = 3\/h\n/);
    const routes = (await check(t, config, ['--show-routes'])).stdout;
    for (const [path, limits] of Object.entries({ plain: 'user', exports: 'rates_exports', both: 'rates_visits,user',
        enter: '-', riddle: '-' })) assert.match(routes, new RegExp(`/rates/${path} +(user|key) +${limits} +rates `));
    const wrong = await check(t, { ...config, limits: { user: '600' } });
    assert.match(wrong.stderr, /\[limits\] 'user' must be a rate such as 20\/s, 600\/m or 5\/h, or off, not '600'/);
});

test('rates of a plugin: amounts pass whole or not at all, 0 only looks', async (t) => {
    const s = await start(t);
    const take = async (name, key, amount, more = '') =>
        (await s.post(`/rates/${name}?key=${key}&amount=${amount}${more}`)).json;
    assert.partialDeepStrictEqual(await take('calls', 'a', 0), { code: 0, allowed: true, remaining: 10, retry_after: 0, reset: 0 });
    assert.partialDeepStrictEqual(await take('calls', 'a', 7), { allowed: true, remaining: 3, retry_after: 0 });
    const refused = await take('calls', 'a', 4);
    assert.partialDeepStrictEqual(refused, { allowed: false, remaining: 3 });
    assert.ok(refused.retry_after > 0 && refused.retry_after <= 360_000_000, `${refused.retry_after}`);
    assert.partialDeepStrictEqual(await take('calls', 'a', 3), { allowed: true, remaining: 0 });
    const empty = await take('calls', 'a', 0);
    assert.partialDeepStrictEqual(empty, { allowed: false, remaining: 0 });
    assert.ok(empty.retry_after > 350_000_000 && empty.retry_after <= 360_000_000, `${empty.retry_after}`);
    assert.ok(empty.reset > 3590_000_000 && empty.reset <= 3600_000_000, `${empty.reset}`);
    assert.equal((await take('calls', 'b', 4294967295)).allowed, false, 'more than ever passes');
    assert.partialDeepStrictEqual(await take('calls', 'b', 10), { allowed: true, remaining: 0 });
    assert.equal((await take('other', 'a', 10)).allowed, true, 'another name');
    assert.equal((await take('none', 'a', 100, '&count=0')).allowed, true, 'no rate lets everything pass');
    assert.deepEqual(await take('calls', 'a', 1, '&count=-1'), { code: -2 });
    assert.deepEqual(await take('calls', 'a', 1, '&period=-1'), { code: -2 });
    // Keys are told apart to their last byte, and may be empty.
    const long = 'x'.repeat(900);
    assert.deepEqual([(await take('long', `${long}1`, 10)).allowed, (await take('long', `${long}2`, 10)).allowed,
        (await take('long', `${long}1`, 1)).allowed, (await take('long', '', 10)).allowed], [true, true, false, true]);
});

test('rates of a plugin hold exactly over four workers', async (t) => {
    const s = await start(t, {}, { workers: 4 });
    const replies = await Promise.all(Array.from({ length: 100 }, () => s.post('/rates/shared?key=k&amount=3&count=100')));
    assert.equal(replies.filter((r) => r.json.allowed).length, 33);
    assert.equal((await s.post('/rates/shared?key=k&amount=0&count=100')).json.remaining, 1);
});

test('a route that identifies by itself: nobody else is asked, and its 401 names the scheme', async (t) => {
    const s = await start(t, { user: '1/h' });
    assert.equal((await s.get('/rates/enter', { key: 'sesame' })).json.message, 'nobody was asked');
    for (const options of [{}, { key: 'nonsense' }, { key: 'key-9' }, { token: 'user-1' }]) {
        const reply = await s.get('/rates/enter', options);
        assert.deepEqual([reply.status, reply.json.code, reply.headers.get('www-authenticate')], [401, 'invalid_key', 'ApiKey']);
    }
    const riddle = await s.get('/rates/riddle', user(1));
    assert.deepEqual([riddle.status, riddle.headers.get('www-authenticate')], [401, 'Riddle realm="cave"']);
    assert.equal(riddle.headers.get('ratelimit'), null);
});
