// What people are told of their usage: GET and PATCH /usage, and the profile's part of it.
import { after, assert, check, newUser, register, test } from '../lib/harness.mjs';
import { decide, entitlements, logCalls, rollUp, startUsage, usageOf } from '../lib/calls.mjs';

const s = await startUsage({ after }, { config: { usage: { default_quota: 100 } } });
const HOUR = 3600_000;
const startOf = (unit) => s.db.query(`select date_trunc('${unit}', now(), 'UTC') as t`).then(([row]) => row.t.getTime());
const iso = (ms) => new Date(ms).toISOString();

test('calls count once each, their costs are what is used of the limit', async () => {
    const person = await newUser(s);
    const none = await usageOf(s, person);
    assert.deepEqual([none.total_requests, none.requests_today, none.used, none.limit, none.remaining, none.forecast],
        [0, 0, 0, 100, 100, null]);
    assert.deepEqual(Object.keys(none), ['total_requests', 'requests_today', 'requests_this_week', 'requests_this_month',
        'used', 'limit', 'remaining', 'period_start', 'period_end', 'notify', 'forecast']);
    await decide(s, person, { cost: 3, endpoint: '/search' });
    await decide(s, person, { times: 2 });
    const some = await usageOf(s, person);
    assert.deepEqual([some.total_requests, some.requests_today, some.requests_this_week, some.requests_this_month],
        [3, 3, 3, 3]);
    assert.deepEqual([some.used, some.remaining], [5, 95]);
    const month = await startOf('month');
    assert.equal(Date.parse(some.period_start), month);
    assert.equal(Date.parse(some.period_end), new Date(month).setUTCMonth(new Date(month).getUTCMonth() + 1));
});

test('what is refused is counted nowhere', async () => {
    const person = await newUser(s);
    assert.equal((await decide(s, person, { cost: 100 })).outcome, 'allowed');
    assert.equal((await decide(s, person, {})).outcome, 'over_quota');
    const { total_requests: total, used, remaining, forecast } = await usageOf(s, person);
    assert.deepEqual([total, used, remaining], [1, 100, 0]);
    assert.equal(forecast?.limit_reached_at ?? null, null);
});

test('days, ISO weeks and calendar months begin in UTC, before and after a roll-up', async () => {
    const person = await newUser(s);
    const [day, week, month] = await Promise.all(['day', 'week', 'month'].map(startOf));
    const times = [day, week, month].flatMap((t) => [t, t + 1, t - 1, t - 70 * 60_000]);
    await logCalls(s, person, [...times, Date.now() - 400 * 24 * HOUR].map((t) => ({ at: iso(t), cost: 7 })));
    const count = (from) => times.filter((t) => t >= from).length;
    const expected = [times.length + 1, count(day), count(week), count(month)];
    const seen = async () => {
        const u = await usageOf(s, person);
        return [u.total_requests, u.requests_today, u.requests_this_week, u.requests_this_month];
    };
    assert.deepEqual(await seen(), expected);
    await rollUp(s, "now() - interval '90 minutes'");
    assert.deepEqual(await seen(), expected);
    await rollUp(s);
    assert.deepEqual(await seen(), expected);
});

test('the forecast follows the pace of the period', async () => {
    const person = await newUser(s);
    const set = (used, passed, left) => s.db.query(`update entitlements set used = $2,
        period_start = now() - $3 * interval '1 hour', period_end = now() + $4 * interval '1 hour' where user_id = $1`,
    [person.id, used, passed, left]);
    await set(10, 0.9, 100);
    assert.equal((await usageOf(s, person)).forecast, null, 'too early');
    await set(0, 50, 50);
    assert.equal((await usageOf(s, person)).forecast, null, 'nothing used');
    await set(20, 50, 50);
    assert.deepEqual((await usageOf(s, person)).forecast, { used_at_period_end: 40, limit_reached_at: null });
    await set(80, 50, 50);
    const { forecast } = await usageOf(s, person);
    assert.equal(forecast.used_at_period_end, 160);
    const hours = (Date.parse(forecast.limit_reached_at) - Date.now()) / HOUR;
    assert.ok(Math.abs(hours - 12.5) < 0.1, `in ${hours} hours`);
    await set(150, 50, 50);
    assert.equal((await usageOf(s, person)).forecast.limit_reached_at, null, 'it is reached already');
});

test('a period that is over counts no more', async () => {
    const person = await newUser(s);
    await s.db.query(`update entitlements set used = 50, period_start = now() - interval '70 days',
        period_end = now() - interval '1 second' where user_id = $1`, [person.id]);
    const { used, remaining, period_start: begins } = await usageOf(s, person);
    assert.deepEqual([used, remaining, Date.parse(begins)], [0, 100, await startOf('month')]);
    assert.equal((await s.get('/profile', { token: person.token })).json.api_calls_used, 0);
});

test('mails about the quota are turned off and on', async () => {
    const person = await newUser(s);
    const patch = (body) => s.patch('/usage', body, { token: person.token });
    assert.equal((await usageOf(s, person)).notify, true);
    const off = await patch({ notify: false });
    assert.deepEqual([off.status, off.json.notify, off.json.limit], [200, false, 100]);
    assert.equal((await entitlements(s, person)).notify, false);
    assert.equal((await usageOf(s, person)).notify, false);
    assert.equal((await patch({ notify: false })).json.notify, false);
    assert.equal((await patch({ notify: true })).json.notify, true);
});

test('what makes no sense is refused, and changes nothing', async () => {
    const person = await newUser(s);
    const { token } = person;
    const bad = [{}, { notify: null }, { notify: 'false' }, { notify: 0 }, { notify: [false] }, { notify: false, used: 0 },
        { notify: '\u{1f4a3}'.repeat(1000) }];
    for (const body of bad) assert.equal((await s.patch('/usage', body, { token })).status, 422, JSON.stringify(body));
    const json = { token, headers: { 'content-type': 'application/json' } };
    assert.equal((await s.patch('/usage', '{"notify": false, "notify": true}', json)).status, 400);
    assert.equal((await s.patch('/usage', '{"n\\u0000": 1, "notify": false}', json)).status, 400);
    assert.equal((await s.patch('/usage', '', json)).status, 400);
    assert.equal((await usageOf(s, person)).notify, true);
    for (const where of ['/usage', '/aws/usage', '/usage/history'])
        assert.equal((await s.get(where)).status, 401, where);
    assert.equal((await s.patch('/usage', { notify: false })).status, 401);
    assert.equal((await s.post('/usage', {}, { token })).status, 405);
    assert.equal((await s.get('/usage/', { token })).status, 404);
});

test('the alias answers the same and is in no document', async () => {
    const person = await newUser(s);
    await decide(s, person, {});
    const [one, two] = [await usageOf(s, person), (await s.get('/aws/usage', { token: person.token })).json];
    assert.deepEqual({ ...two, forecast: null }, { ...one, forecast: null });
    const { json } = await s.get('/openapi.json');
    assert.ok(json.paths['/usage'].patch && json.paths['/usage/history'].get);
    assert.equal(json.paths['/aws/usage'], undefined);
});

test('the profile says what was used and the limit', async () => {
    const person = await newUser(s);
    await decide(s, person, { cost: 4 });
    const { api_calls_used: used, api_calls_limit: limit } = (await s.get('/profile', { token: person.token })).json;
    assert.deepEqual([used, limit], [4, 100]);
});

test('somebody who was not looked at yet is, when they ask', async () => {
    const person = await newUser(s);
    await s.db.query('delete from entitlements where user_id = $1', [person.id]);
    const profile = (await s.get('/profile', { token: person.token })).json;
    assert.deepEqual([profile.api_calls_used, profile.api_calls_limit], [0, 100]);
    const { used, limit } = await usageOf(s, person);
    assert.deepEqual([used, limit], [0, 100]);
    assert.equal((await decide(s, person, {})).outcome, 'allowed');
});

test('whatever happens to an account makes its row, when it was missing', async () => {
    const [one, two] = [await newUser(s), await register(s)];
    await s.db.query('delete from entitlements where user_id = any ($1)', [[one.id, two.id]]);
    await s.patch('/profile', { first_name: 'Grace' }, { token: one.token });
    assert.equal((await entitlements(s, one)).verified, true);
    const mail = await s.mail.waitFor(two.email);
    await s.post('/auth/verify-email', { token: mail.token });
    assert.equal((await entitlements(s, two)).verified, true);
});

test('unlimited is counted, and has no remainder', async (t) => {
    const free = await startUsage(t, { config: { usage: { default_quota: 'unlimited' } } });
    const person = await newUser(free);
    await decide(free, person, { cost: 1000000 });
    const { used, limit, remaining, forecast, total_requests: total } = await usageOf(free, person);
    assert.deepEqual([used, limit, remaining, total], [1000000, null, null, 1]);
    assert.equal(forecast?.limit_reached_at ?? null, null);
    assert.equal((await free.get('/profile', { token: person.token })).json.api_calls_limit, null);
});

test('options that make no sense stop the start, by name', async (t) => {
    for (const [key, value] of [['default_quota', 'many'], ['default_quota', '-1'], ['default_quota', '1e3'],
        ['retention_months', '1'], ['rollup_retention_months', '1'], ['rate_limit', 'fast']]) {
        const { code, stderr, stdout } = await check(t, { ...s.config, usage: { ...s.config.usage, [key]: value } });
        assert.notEqual(code, 0, `${key} = ${value}`);
        assert.match(stdout + stderr, new RegExp(key));
    }
});
