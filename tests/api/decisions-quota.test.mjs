// A quota is exact: of any number of parallel calls, by any number of workers and servers, as many pass as there is room for.
import { after, assert, describe, startMail, test } from '../lib/harness.mjs';
import { assertUsed, holding, logged, newCaller, newCallers, startBeside, startCalls, statuses, usedBy, waiting }
    from '../lib/callers.mjs';
import { validate } from '../lib/keys.mjs';

const many = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));
const mail = await startMail({ after });

/** Servers on one database, each with so many workers, which also tell by mail of a quota that is used up. */
async function start(t, { servers = 1, workers = 1, quota = 100 } = {}) {
    const options = { plugins: ['mail'], mail, quota, config: { server: { workers } } };
    const first = await startCalls(t, options);
    return [first, ...await many(servers - 1, () => startBeside(t, first, options))];
}

const SETTINGS = { 'one worker': {}, 'four workers': { workers: 4 }, 'two servers': { servers: 2, workers: 2 } };

// quota_race
for (const [name, setting] of Object.entries(SETTINGS)) {
    describe(`with ${name}`, () => {
        test('of 1,000 parallel calls exactly the 100 pass that are left', async (t) => {
            const servers = await start(t, setting);
            const person = await newCaller(servers[0]);
            const replies = await many(1000, (i) => validate(servers[i % servers.length], person.key));
            assert.deepEqual(statuses(replies), { 200: 100, 429: 900 });
            for (const refused of replies.filter((r) => r.status === 429)) {
                assert.equal(refused.json.code, 'quota_exceeded');
                assert.ok(Number(refused.headers.get('retry-after')) > 0);
            }
            const used = replies.filter((r) => r.status === 200).map((r) => r.json.usage.used).sort((a, b) => a - b);
            assert.deepEqual(used, Array.from({ length: 100 }, (_, i) => i + 1), 'each is told another place');
            await assertUsed(servers[0], person, 100);
            const told = await servers[0].db.query(`select template from mail_messages where user_id = $1 union all
                select payload ->> 'level' from jobs where kind = 'usage.notice' and payload ->> 'user' = $1::text`,
            [person.id]);
            assert.ok(told.length >= 1 && told.length <= 2, `told of 80 and of 100 % once each: ${JSON.stringify(told)}`);
        });

        test('costs of all sizes pass while they fit, and nobody else is kept waiting', async (t) => {
            const servers = await start(t, { ...setting, quota: 500 });
            const [person, ...others] = await newCallers(servers[0], 11);
            const costs = Array.from({ length: 300 }, () => 1 + Math.floor(Math.random() * 10));
            const [replies, rest] = await Promise.all([
                Promise.all(costs.map((cost, i) => validate(servers[i % servers.length], person.key, { cost }))),
                many(200, (i) => validate(servers[i % servers.length], others[i % 10].key, { cost: 2 })),
            ]);
            assert.deepEqual(statuses(rest), { 200: 200 });
            const passed = costs.filter((_, i) => replies[i].status === 200);
            assert.ok(replies.every((r) => r.status === 200 || r.json.code === 'quota_exceeded'));
            const sum = passed.reduce((a, b) => a + b, 0);
            assert.ok(sum <= 500 && sum > 490, `${sum} of 500`);
            await assertUsed(servers[0], person, sum, passed.length);
            for (const other of others) await assertUsed(servers[0], other, 40, 20);
            // Room only shrinks: whatever was refused does not fit into what is left in the end either.
            const left = 500 - sum;
            for (const [i, cost] of costs.entries())
                if (replies[i].status === 429) assert.ok(cost > left, `a call of ${cost} was refused with ${left} left`);
        });
    });
}

/** Runs calls so that they are decided together: what comes first waits for the log, and the rest gathers behind it. */
async function together(s, calls) {
    const first = await newCaller(s);
    return holding(s, 'lock table usage_logs in share row exclusive mode', [], async (release) => {
        const ahead = validate(s, first.key);
        await waiting(s);
        const sent = Promise.all(calls.map(([person, fields]) => validate(s, person.key, fields)));
        await s.get('/health/ready'); // they have been read by then, or are right behind it
        await release();
        assert.equal((await ahead).status, 200);
        return sent;
    });
}

/** Whether a person's calls were of one batch: of each there is one time. */
const ofOneBatch = async (s, person) => (await s.db.query(
    'select 1 from usage_logs where user_id = $1 group by timestamp', [person.id])).length === 1;

describe('in one batch', () => {
    test('a dear call does not keep out the cheap ones that fit', async (t) => {
        const [s] = await start(t, { quota: 5 });
        let proven = 0;
        for (let round = 0; round < 50 && proven < 3; round++) {
            const person = await newCaller(s);
            const replies = await together(s, [10, 1, 1].map((cost) => [person, { cost }]));
            assert.deepEqual(replies.map((r) => r.status), [429, 200, 200]);
            await assertUsed(s, person, 2);
            proven += await ofOneBatch(s, person);
        }
        assert.equal(proven, 3);
    });

    test('a user who asks many times has what is left, and others have theirs', async (t) => {
        const [s] = await start(t, { quota: 10 });
        let proven = 0;
        for (let round = 0; round < 50 && proven < 3; round++) {
            const [person, ...others] = await newCallers(s, 11);
            const calls = Array.from({ length: 30 }, (_, i) => (i % 3 ? [person, {}] : [others[i / 3], { cost: 1 + i / 3 }]));
            const replies = await together(s, calls);
            assert.deepEqual(statuses(replies.filter((_, i) => i % 3)), { 200: 10, 429: 10 });
            assert.deepEqual(statuses(replies.filter((_, i) => !(i % 3))), { 200: 10 });
            await assertUsed(s, person, 10);
            for (const [i, other] of others.entries()) await assertUsed(s, other, i + 1, 1);
            proven += await ofOneBatch(s, person);
        }
        assert.equal(proven, 3);
    });

    test('those whose key nobody has, and garbage, are refused alone', async (t) => {
        const [s] = await start(t, { quota: 3 });
        const [one, two] = await newCallers(s, 2);
        const gone = await newCaller(s);
        await s.db.query('delete from users where id = $1', [gone.id]);
        const replies = await together(s, [[gone, {}], [one, { cost: 3 }], [gone, {}], [two, { endpoint: '{"},\\NULL,{' }],
            [{ key: 'vv_' }, {}], [two, { endpoint: 'NULL' }]]);
        assert.deepEqual(replies.map((r) => r.status), [401, 200, 401, 200, 401, 200]);
        assert.deepEqual([await usedBy(s, one), await usedBy(s, two)], [3, 2]);
        assert.deepEqual((await s.db.query('select api_endpoint from usage_logs where user_id = $1 order by 1', [two.id]))
            .map((row) => row.api_endpoint).sort(), ['NULL', '{"},\\NULL,{']);
        assert.deepEqual(await logged(s, gone), { calls: 0, cost: 0 });
    });
});
