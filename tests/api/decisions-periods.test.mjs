// Where a period ends a call is counted on one side of it, in log and counter alike; no call needs its month's partition.
import { after, assert, describe, test, until, vvctl } from '../lib/harness.mjs';
import { assertUsed, holding, logged, newCaller, newCallers, startBeside, startCalls, statuses, usageIdle, usedBy }
    from '../lib/callers.mjs';
import { runSchedule } from '../lib/subscribers.mjs';
import { validate } from '../lib/keys.mjs';

const s = await startCalls({ after }, { quota: 1000, config: { server: { workers: 2 } } });
const servers = [s, await startBeside({ after }, s, { quota: 1000 })];
await usageIdle(s); // what tests write into rows stays from now on
const one = async (sql, params) => Object.values((await s.db.query(sql, params))[0])[0];

/** Lets a person's period end so many milliseconds from now, with so much used → that moment. */
async function endsIn(person, ms, used = 0) {
    return one(`update entitlements e set anchor = b, period_start = usage_month(b, -1), period_end = b, used = $3
        from (select date_trunc('milliseconds', clock_timestamp() + $2 * interval '1 ms') as b) t
        where user_id = $1 returning b`, [person.id, ms, used]);
}

/** Whether log, counter and answers agree about either side of the border. */
async function assertBorder(person, border, replies) {
    const good = replies.filter((r) => r.status === 200);
    const early = good.filter((r) => Date.parse(r.json.usage.resets_at) === border.getTime());
    const [row] = await s.db.query(`select count(*) filter (where l.timestamp < $2)::int as before,
        count(*) filter (where l.timestamp >= $2)::int as since from usage_logs l where user_id = $1`, [person.id, border]);
    assert.deepEqual(row, { before: early.length, since: good.length - early.length });
    assert.equal(await usedBy(s, person), row.since);
    assert.equal(await one('select period_start from entitlements where user_id = $1', [person.id]) - border, 0);
    const places = (some) => some.map((r) => r.json.usage.used).sort((a, b) => a - b);
    assert.deepEqual(places(good.filter((r) => !early.includes(r))), Array.from({ length: row.since }, (_, i) => i + 1));
    return { before: early, since: row.since };
}

test('calls all over the end of a period are counted on one side of it', async () => {
    const person = await newCaller(s);
    const border = await endsIn(person, 400);
    const replies = [];
    await Promise.all(Array.from({ length: 12 }, async (_, i) => {
        while (Date.now() < border.getTime() + 300) {
            replies.push(await validate(servers[i % 2], person.key));
            // Slow enough for the quota, and never all at the same time.
            await new Promise((go) => setTimeout(go, Math.random() * 30));
        }
    }));
    const { before, since } = await assertBorder(person, border, replies);
    assert.ok(before.length > 0 && since > 0);
});

test('what was used up is there anew at the end of the period, exactly', async () => {
    const person = await newCaller(s);
    const border = await endsIn(person, 300, 1000);
    const early = await validate(s, person.key);
    assert.deepEqual([early.status, early.json.code, early.headers.get('retry-after')], [429, 'quota_exceeded', '1']);
    await until(() => Date.now() > border.getTime() + 5, { step: 5 });
    const replies = await Promise.all(Array.from({ length: 1100 }, (_, i) => validate(servers[i % 2], person.key)));
    assert.deepEqual(statuses(replies), { 200: 1000, 429: 100 });
    await assertBorder(person, border, replies);
});

test('calls that wait for a lock while the period ends are counted on one side of it', async () => {
    for (let round = 0; round < 3; round++) {
        const person = await newCaller(s);
        const border = await endsIn(person, 250);
        const calls = [];
        await holding(s, 'select from entitlements where user_id = $1 for update', [person.id], async (release) => {
            while (Date.now() < border.getTime() + 150) {
                calls.push(...servers.map((server) => validate(server, person.key)));
                await new Promise((go) => setTimeout(go, 10));
            }
            await release();
        });
        const replies = await Promise.all(calls);
        assert.deepEqual(Object.keys(statuses(replies)), ['200']);
        await assertBorder(person, border, replies);
    }
});

test('months from the 29th, 30th and 31st end on the last day of shorter ones', async () => {
    const now = new Date();
    const last = (year, month) => new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    const at = (year, month, day) => Date.UTC(year, month, Math.min(day, last(year, month)), 23, 59, 59);
    for (const day of [28, 29, 30, 31]) {
        const person = await newCaller(s);
        await s.db.query(`update entitlements set anchor = $2, used = 7, period_end = now() - interval '1 s'
            where user_id = $1`, [person.id, new Date(Date.UTC(2024, 0, day, 23, 59, 59))]);
        const [y, m] = [now.getUTCFullYear(), now.getUTCMonth()];
        const expected = [at(y, m, day), at(y, m + 1, day)].find((t) => t > now);
        const { usage } = (await validate(s, person.key)).json;
        assert.deepEqual([usage.used, Date.parse(usage.resets_at)], [1, expected]);
    }
});

describe('a month without a partition', () => {
    test('loses no call, is told of by doctor, and gets one while calls go on', async () => {
        const people = await newCallers(s, 4);
        const name = await one("select 'usage_logs_' || to_char(now() at time zone 'UTC', 'YYYYMM')");
        await s.db.query(`create table kept as select * from ${name}; drop table ${name};
            insert into usage_logs select * from kept; drop table kept`);
        let done = false;
        const counts = people.map(async (person, i) => {
            let n = 0;
            for (; !done; n++) {
                const reply = await validate(servers[(i + n) % 2], person.key);
                assert.ok([200, 429].includes(reply.status), reply.text);
                if (reply.status === 429) break;
                await new Promise((go) => setTimeout(go, 5));
            }
            return n;
        });
        const doctor = async () => (({ stdout, stderr }) => stdout + stderr)(await vvctl(s, ['doctor']));
        await until(async () => (await logged(s, people[0])).calls > 3, { what: 'calls are recorded' });
        assert.match(await doctor(), new RegExp(`There is no ${name}`));
        await runSchedule(s, 'usage.partitions');
        await until(() => one('select to_regclass($1) is not null', [name]), { timeout: 20_000, what: `${name} is made` });
        assert.doesNotMatch(await doctor(), /FAIL .*usage-partitions/);
        const from = (await logged(s, people[3])).calls;
        await until(async () => (await logged(s, people[3])).calls > from, { what: 'calls go on' });
        done = true;
        const totals = await Promise.all(counts);
        for (const [i, person] of people.entries()) await assertUsed(s, person, totals[i]);
        assert.equal(await one('select count(*)::int from usage_logs_default'), 0);
        assert.equal(await one(`select count(*)::int from ${name} where user_id = any ($1)`, [people.map((p) => p.id)]),
            totals.reduce((a, b) => a + b, 0));
    });
});
