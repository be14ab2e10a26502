// The history of calls: any window, by hour, day or month, is what a count of the calls themselves gives.
import { after, assert, newUser, test } from '../lib/harness.mjs';
import { decide, logCalls, rollUp, startUsage } from '../lib/calls.mjs';

const s = await startUsage({ after }, { config: { usage: { default_quota: 'unlimited' } } });
const HOUR = 3600_000, DAY = 24 * HOUR;
const iso = (ms) => new Date(ms).toISOString();
const ask = (person, args = {}) => s.get(`/usage/history?${new URLSearchParams(args)}`, { token: person.token });

async function history(person, args) {
    const reply = await ask(person, args);
    assert.equal(reply.status, 200, reply.text);
    return reply.json.series;
}

/** The same out of the calls, none of which was dropped. */
async function counted(person, { from, to, granularity = 'hour', endpoint }) {
    const rows = await s.db.query(`select date_trunc($4, timestamp, 'UTC') as start, api_endpoint as endpoint,
            count(*)::integer as calls, sum(cost)::integer as cost from usage_logs
        where user_id = $1 and timestamp >= $2 and timestamp < $3
          and ($5::text is null or coalesce(api_endpoint, '') = $5)
        group by 1, 2 order by 1, coalesce(api_endpoint, '')`, [person.id, from, to, granularity, endpoint ?? null]);
    return rows.map((row) => ({ ...row, start: row.start.toISOString().replace('.000Z', 'Z') }));
}

/** A generator of numbers from 0 to 1 that a failed run can be repeated with. */
function random(seed) {
    let state = seed;
    return () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
    };
}

test('without parameters it is today by the hour', async () => {
    const person = await newUser(s);
    assert.deepEqual(await history(person), []);
    await decide(s, person, { cost: 2, endpoint: '/b' });
    await decide(s, person, { endpoint: '/b' });
    await decide(s, person, {});
    await decide(s, person, { endpoint: '/ü 💡' });
    const [{ day }] = await s.db.query("select date_trunc('day', now(), 'UTC') as day");
    await logCalls(s, person, [{ at: iso(day.getTime() - 1) }]);
    const [{ hour }] = await s.db.query("select date_trunc('hour', max(timestamp), 'UTC') as hour from usage_logs");
    const start = iso(hour).replace('.000Z', 'Z');
    assert.deepEqual(await history(person), [
        { start, endpoint: null, calls: 1, cost: 1 }, { start, endpoint: '/b', calls: 2, cost: 3 },
        { start, endpoint: '/ü 💡', calls: 1, cost: 1 },
    ]);
    assert.deepEqual(await history(person, { endpoint: '/b' }), [{ start, endpoint: '/b', calls: 2, cost: 3 }]);
    assert.deepEqual(await history(person, { endpoint: '' }), [{ start, endpoint: null, calls: 1, cost: 1 }]);
    assert.deepEqual(await history(person, { endpoint: '/B' }), []);
    assert.deepEqual(await history(await newUser(s)), [], 'everybody sees their own');
});

test('what is not said of the window is the day, the month or the year of its end', async () => {
    const person = await newUser(s);
    await logCalls(s, person, ['2025-01-01T00:00:00Z', '2025-03-01T00:00:00Z', '2025-03-14T23:59:59.999999Z',
        '2025-03-15T00:00:00Z', '2025-03-15T05:00:00Z', '2024-12-31T23:59:59Z'].map((at) => ({ at })));
    const starts = async (args) => (await history(person, args)).map((b) => `${b.start} ${b.calls}`);
    const to = '2025-03-15T05:00:00Z';
    assert.deepEqual(await starts({ to }), ['2025-03-15T00:00:00Z 1']);
    assert.deepEqual(await starts({ to: '2025-03-15T00:00:00Z' }), ['2025-03-14T23:00:00Z 1']);
    assert.deepEqual(await starts({ to, granularity: 'day' }),
        ['2025-03-01T00:00:00Z 1', '2025-03-14T00:00:00Z 1', '2025-03-15T00:00:00Z 1']);
    assert.deepEqual(await starts({ to, granularity: 'month' }), ['2025-01-01T00:00:00Z 1', '2025-03-01T00:00:00Z 3']);
    assert.deepEqual(await starts({ from: '2025-03-15T01:00:00+01:00', to: '2025-03-15T05:00:00.000001Z' }),
        ['2025-03-15T00:00:00Z 1', '2025-03-15T05:00:00Z 1'], 'in whatever zone it is asked');
});

test('any window equals a count of the calls, before and after roll-ups', async () => {
    const person = await newUser(s);
    const seed = Date.now() % 2 ** 31, rand = random(seed);
    const now = Date.now(), span = 50 * DAY;
    const at = () => {
        const t = now - 5000 - rand() * span;
        return rand() < 0.3 ? Math.floor(t / HOUR) * HOUR : Math.floor(t);
    };
    const endpoints = [null, '/a', '/b'];
    await logCalls(s, person, Array.from({ length: 3000 }, () => ({
        at: iso(at()), endpoint: endpoints[Math.floor(rand() * 3)], cost: 1 + Math.floor(rand() * 9),
    })));
    for (const until of ['50 days', '30 days 17 minutes', '29 days', '20 minutes', '0 s']) {
        await rollUp(s, `now() - interval '${until}'`);
        for (let i = 0; i < 40; i++) {
            const [a, b] = [at(), rand() < 0.3 ? now : at()];
            const short = rand() < 0.3;
            const window = {
                from: iso(Math.min(a, b)), to: iso(short ? Math.min(a, b) + Math.floor(rand() * 2 * HOUR) : Math.max(a, b)),
                granularity: ['hour', 'day', 'month'][i % 3], ...(rand() < 0.2 ? { endpoint: '/a' } : {}),
            };
            assert.deepEqual(await history(person, window), await counted(person, window),
                `seed ${seed}, rolled up to ${until}: ${JSON.stringify(window)}`);
        }
    }
});

test('where the calls are dropped, a window is made of whole hours', async () => {
    const person = await newUser(s);
    await logCalls(s, person, ['2025-06-30T22:10:00Z', '2025-06-30T22:50:00Z', '2025-06-30T23:30:00Z',
        '2025-07-01T00:10:00Z'].map((at) => ({ at })));
    await rollUp(s);
    await s.db.query("delete from usage_logs where timestamp < '2025-07-01Z'");
    await s.db.query("update usage_rollup set since = '2025-07-01Z'");
    const starts = async (from, to) => (await history(person, { from, to })).map((b) => `${b.start} ${b.calls}`);
    assert.deepEqual(await starts('2025-06-30T22:30:00Z', '2025-06-30T23:00:00Z'), ['2025-06-30T22:00:00Z 2']);
    assert.deepEqual(await starts('2025-06-30T22:30:00Z', '2025-06-30T23:10:00Z'),
        ['2025-06-30T22:00:00Z 2', '2025-06-30T23:00:00Z 1']);
    assert.deepEqual(await starts('2025-06-30T23:59:00Z', '2025-07-01T00:10:00Z'), ['2025-06-30T23:00:00Z 1']);
    assert.deepEqual(await starts('2025-06-30T23:59:00Z', '2025-07-01T00:10:00.001Z'),
        ['2025-06-30T23:00:00Z 1', '2025-07-01T00:00:00Z 1']);
    await s.db.query("update usage_rollup set since = '-infinity'");
});

test('what makes no sense is refused', async () => {
    const person = await newUser(s);
    const bad = [
        { from: 'yesterday' }, { from: '2025-01-01' }, { to: '2025-13-01T00:00:00Z' }, { to: 'infinity' }, { from: '' },
        { granularity: 'week' }, { granularity: '' }, { granularity: 'HOUR' }, { endpoint: 'x'.repeat(101) },
        { endpoint: 'a\u0000b' }, { from: '2025-01-02T00:00:00Z', to: '2025-01-01T23:59:59Z' },
        { from: '2999-01-01T00:00:00Z' },
        { from: '2025-01-01T00:00:00Z', to: '2025-04-11T00:00:01Z' },
        { from: '2020-01-01T00:00:00Z', to: '2025-01-01T00:00:00Z', granularity: 'day' },
        { from: '1900-01-01T00:00:00Z', to: '2025-01-01T00:00:00Z', granularity: 'month' },
    ];
    for (const args of bad) {
        const { status, text } = await ask(person, args);
        assert.ok([400, 422].includes(status), `${JSON.stringify(args)}: ${status} ${text}`);
    }
    const twice = await s.get('/usage/history?granularity=hour&granularity=day', { token: person.token });
    assert.ok([400, 422].includes(twice.status), twice.text);
    const backwards = await ask(person, { from: '2025-01-02T00:00:00Z', to: '2025-01-01T00:00:00Z' });
    assert.equal(backwards.status, 422);
    assert.match(backwards.text, /"from"/);
    assert.deepEqual(await history(person, { from: '2025-01-01T00:00:00Z', to: '2025-01-01T00:00:00Z' }), []);
    assert.deepEqual(await history(person, { from: '2025-01-01T00:00:00Z', to: '2025-04-11T00:00:00Z' }), []);
    assert.deepEqual(await history(person, { endpoint: 'é'.repeat(100) }), []);
});

test('an answer that would be endless is refused with a hint', async () => {
    const person = await newUser(s);
    await s.db.query(`insert into usage_logs (user_id, api_endpoint, timestamp)
        select $1, 'e' || n, now() from generate_series(1, 10001) n`, [person.id]);
    const refused = await ask(person, { from: iso(Date.now() - HOUR) });
    assert.deepEqual([refused.status, refused.json.code], [422, 'too_much']);
    const day = { from: iso(Date.now() - HOUR), endpoint: 'e9' };
    assert.equal((await history(person, day)).length, 1);
});
