// What keeps the log of calls in order by itself: roll-ups, partitions, retention; and what doctor says when it does not.
import { after, assert, newUser, test, until, vvctl } from '../lib/harness.mjs';
import { runSchedule } from '../lib/subscribers.mjs';
import { decide, logCalls, rollUp, startUsage, usageOf } from '../lib/calls.mjs';

const s = await startUsage({ after }, {
    config: { usage: { default_quota: 'unlimited', retention_months: 2, rollup_retention_months: 4 } },
});
const one = async (sql, params) => Object.values((await s.db.query(sql, params))[0])[0];
const edge = () => one('select until from usage_rollup');
const month = (n) => one(`select to_char(usage_month(date_trunc('month', now(), 'UTC'), ${n}) at time zone 'UTC', 'YYYYMM')`);
const partitions = async () => (await s.db.query(`select relname from pg_inherits join pg_class on oid = inhrelid
    where inhparent = 'usage_logs'::regclass order by 1`)).map((row) => row.relname);
const hoursOf = (person) => s.db.query('select * from usage_hours where user_id = $1 order by hour', [person.id]);

async function doctor() {
    const { stdout, stderr } = await vvctl(s, ['doctor']);
    return stdout + stderr;
}

test('the schedule takes calls into the roll-ups, those of a running transaction when it has ended', async () => {
    const person = await newUser(s);
    const client = await s.db.connect();
    await client.query('begin');
    await client.query('insert into usage_logs (user_id, timestamp) values ($1, now())', [person.id]);
    await logCalls(s, person, [{ at: new Date(Date.now() - 60_000), endpoint: '/old', cost: 2 }]);
    const begun = (await client.query('select now()')).rows[0].now;
    // Time goes by: the transaction becomes old, by the clock that the roll-up sees.
    await runSchedule(s, 'usage.rollup');
    await until(async () => (await hoursOf(person)).length === 1, { what: 'the old call is rolled up' });
    assert.ok(await edge() <= begun, 'nothing past the transaction is taken');
    assert.equal(await one("select usage_settled() <= $1", [begun]), true);
    assert.equal((await usageOf(s, person)).total_requests, 1);
    await client.query('commit');
    client.release();
    assert.equal((await usageOf(s, person)).total_requests, 2);
    assert.equal(await one("select usage_settled() > now() - interval '11 s'"), true, 'nobody holds it up any more');
    await rollUp(s);
    assert.equal((await usageOf(s, person)).total_requests, 2);
    const [total] = await s.db.query('select calls, cost from usage_totals where user_id = $1', [person.id]);
    assert.deepEqual([Number(total.calls), Number(total.cost)], [2, 3]);
});

test('calls that arrive while roll-ups run are counted once', async () => {
    const person = await newUser(s);
    let done = false, rolled = 0;
    const rolling = (async () => { while (!done) rolled += await rollUp(s, 'usage_settled()'); })();
    for (let i = 0; i < 10; i++)
        await Promise.all(Array.from({ length: 10 }, () => decide(s, person, { times: 3, endpoint: `/${i % 3}` })));
    done = true;
    await rolling;
    const seen = await usageOf(s, person);
    assert.deepEqual([seen.total_requests, seen.used], [300, 300]);
    await until(async () => await rollUp(s, 'usage_settled()') >= 0 && await edge() > await one(
        'select max(timestamp) from usage_logs where user_id = $1', [person.id]), { timeout: 30_000, what: 'all is rolled up' });
    assert.equal((await usageOf(s, person)).total_requests, 300);
    assert.equal(Number(await one('select sum(calls) from usage_hours where user_id = $1', [person.id])), 300);
});

test('a month without a partition loses nothing, and gets one', async () => {
    const person = await newUser(s);
    const now = `usage_logs_${await month(0)}`, next = `usage_logs_${await month(1)}`;
    await s.db.query(`create table kept as select * from ${now}; drop table ${now}, ${next};
        insert into usage_logs select * from kept; drop table kept`);
    const verdict = await decide(s, person, { cost: 5 });
    assert.equal(verdict.outcome, 'allowed');
    assert.match(await doctor(), new RegExp(`There is no ${now}, ${next}`));
    assert.equal((await usageOf(s, person)).total_requests, 1);
    const client = await s.db.connect();
    await client.query('begin');
    await client.query('lock table usage_logs in row exclusive mode');
    await runSchedule(s, 'usage.partitions');
    // It waits for the lock, lets go, and comes again.
    const waiting = async () => Number(await one(
        "select count(*) from pg_locks where not granted and relation = 'usage_logs'::regclass"));
    await until(async () => await waiting() > 0, { what: 'somebody waits for the table' });
    await until(async () => await waiting() === 0, { what: 'nobody waits for the table' });
    assert.equal((await partitions()).includes(now), false);
    await client.query('commit');
    client.release();
    await until(async () => (await partitions()).includes(now) && (await partitions()).includes(next),
        { what: 'the partitions are made' });
    assert.equal(await one('select count(*) from usage_logs_default'), '0');
    assert.equal(await one(`select count(*) from ${now} where user_id = $1`, [person.id]), '1');
    await decide(s, person, {});
    assert.deepEqual([(await usageOf(s, person)).total_requests, (await usageOf(s, person)).used], [2, 6]);
    assert.doesNotMatch(await doctor(), /FAIL .*usage/);
    for (const name of [now, next]) assert.equal(await one(
        'select count(*) from pg_index where indrelid = $1::regclass', [name]), '2', 'with its indexes');
});

test('calls go on while partitions are made', async () => {
    const person = await newUser(s);
    let done = false;
    const making = (async () => {
        for (let n = 13; !done; n++) await s.db.query(`select usage_make_partitions(${n})`);
    })();
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => decide(s, person, { times: 10 })));
    done = true;
    await making;
    assert.equal(verdicts.reduce((sum, v) => sum + v.times_allowed, 0), 200);
    assert.equal((await usageOf(s, person)).total_requests, 200);
});

test('what is older than is kept goes, and stays in the history and in the total', async () => {
    const person = await newUser(s);
    const at = (n, days = 3) => one(`select usage_month(date_trunc('month', now(), 'UTC'), ${n}) + interval '${days} days'`);
    const ages = [-1, -2, -3, -3, -4, -5, -6];
    await logCalls(s, person, (await Promise.all(ages.map((n) => at(n)))).map((t) => ({ at: t, cost: 2 })));
    await runSchedule(s, 'usage.partitions');
    await until(async () => await one('select folded > $1 from usage_rollup', [await at(-5)]), { what: 'old hours are folded' });
    const kept = await partitions();
    for (const n of [-1, -2]) assert.ok(kept.includes(`usage_logs_${await month(n)}`), `month ${n} is kept`);
    for (const n of [-3, -4, -5, -6]) assert.ok(!kept.includes(`usage_logs_${await month(n)}`), `month ${n} is dropped`);
    assert.equal(await one('select count(*) from usage_logs where user_id = $1', [person.id]), '2');
    assert.equal((await usageOf(s, person)).total_requests, ages.length);
    const from = (await at(-8)).toISOString();
    const reply = await s.get(`/usage/history?granularity=month&from=${from}`, { token: person.token });
    assert.deepEqual(reply.json.series.map((b) => [b.calls, b.cost]), [[1, 2], [2, 4], [1, 2], [1, 2]]);
    const [folded] = await s.db.query("select * from usage_hours where user_id = $1 and hour = '-infinity'", [person.id]);
    assert.deepEqual([Number(folded.calls), Number(folded.cost), folded.endpoint], [2, 4, '']);
    await runSchedule(s, 'usage.partitions');
    assert.equal((await usageOf(s, person)).total_requests, ages.length);
    const { stdout } = await vvctl(s, ['usage', 'rebuild']);
    assert.match(stdout, /roll-ups: 0 rows were wrong/, 'what has no calls any more is left alone');
    assert.equal((await usageOf(s, person)).total_requests, ages.length);
});

test('doctor says what is behind, and what is missing', async () => {
    const person = await newUser(s);
    assert.doesNotMatch(await doctor(), /FAIL .*usage/);
    const before = await edge();
    await s.db.query("update usage_rollup set until = now() - interval '2 hours'");
    assert.match(await doctor(), /Roll-ups are 120 minutes behind/);
    await s.db.query('update usage_rollup set until = $1', [before]);
    await s.db.query('delete from entitlements where user_id = $1', [person.id]);
    assert.match(await doctor(), /1 accounts have no entitlements/);
    await s.db.query("insert into usage_logs (user_id, timestamp) values ($1, '2199-01-01Z')", [person.id]);
    assert.match(await doctor(), /1 calls lie in usage_logs_default/);
});
