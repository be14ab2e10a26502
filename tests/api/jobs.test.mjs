// Durable jobs and schedules: enqueued with a change, run once it is committed, and never lost.
import { assert, freshDatabase, startPostgres, startServer, test, until, vvctl } from '../lib/harness.mjs';

const TABLES = `
    create table jobtest_runs (id bigint generated always as identity primary key, job bigint, attempt int, tag text,
        began_at timestamptz not null default clock_timestamp(), ended_at timestamptz);
    create table jobtest_seen (seen boolean);
    create table jobtest_stored (id text primary key, mutex text)`;

async function start(t, { postgres, ...config } = {}) {
    const database = await freshDatabase(t, postgres);
    await database.query(TABLES);
    return startServer(t, { plugins: ['jobtest'], database, config: { server: config } });
}

async function enqueue(server, payload, more = {}) {
    const { status, text } = await server.post('/jobtest', {
        kind: 'jobtest.run', payload: JSON.stringify(payload), ...more,
    });
    assert.equal(status, 200, text);
}

const runs = (server, tag) => server.db.query(
    'select *, extract(epoch from began_at) * 1000 as began, extract(epoch from ended_at) * 1000 as ended'
    + ' from jobtest_runs where tag = $1 order by id', [tag]);
const jobs = (server) => server.db.query('select * from jobs order by id');
const noJobs = (server) => until(async () => (await jobs(server)).length === 0, { what: 'no job is left' });

/** Waits until a tag has been run so often, and to its end. */
function ran(server, tag, count = 1, timeout = 10_000) {
    return until(async () => {
        const all = await runs(server, tag);
        return all.length >= count && all.every((r) => r.ended_at) && all;
    }, { timeout, what: `${tag} ran ${count} times` });
}

function assertNoOverlap(all) {
    const sorted = all.toSorted((a, b) => a.began - b.began);
    for (let i = 1; i < sorted.length; i++)
        assert.ok(Number(sorted[i].began) >= Number(sorted[i - 1].ended), `run ${i} began before run ${i - 1} ended`);
}

test('a job runs soon after the commit, and never after a rollback', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'warm' });
    await ran(server, 'warm');
    await enqueue(server, { tag: 'no' }, { roll_back: true });
    // Each begins right after the worker has looked: without being woken it would look again a second later. On a busy
    // machine one may be late for other reasons.
    const took = [];
    for (let i = 1; i <= 4; i++) {
        const began = Date.now();
        await enqueue(server, { tag: 'yes' });
        await ran(server, 'yes', i);
        took.push(Date.now() - began);
    }
    assert.ok(Math.min(...took) < 500, `they took ${took} ms`);
    await noJobs(server);
    assert.deepEqual(await runs(server, 'no'), []);
    const early = Date.now();
    await enqueue(server, { tag: 'later' }, { delay: 1500 });
    await ran(server, 'later');
    assert.ok(Date.now() - early >= 1400, 'a delay is kept');
});

test('a hundred jobs in one transaction all run, once each', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'many' }, { count: 100 });
    await ran(server, 'many', 100);
    await noJobs(server);
    assert.equal(new Set((await runs(server, 'many')).map((r) => r.job)).size, 100);
    assert.equal((await runs(server, 'many')).length, 100);
});

test('rows and their jobs in one statement of a batch: each once, and the job worker is woken', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'warm' });
    await ran(server, 'warm');
    const stored = (id, mutex = null) => server.post('/jobtest/store', { id, mutex }).then((r) => assert.equal(r.status, 200, r.text));
    const took = [];
    for (let i = 0; i < 4; i++) {
        const began = Date.now();
        await stored(`one ${i}`);
        await ran(server, `one ${i}`);
        took.push(Date.now() - began);
    }
    assert.ok(Math.min(...took) < 500, `they took ${took} ms`);
    const ids = Array.from({ length: 300 }, (_, i) => `many ${i % 150}`);
    await Promise.all(ids.map((id, i) => stored(id, i % 2 ? 'odd' : null)));
    await noJobs(server);
    const all = await server.db.query(`select tag, count(*)::int as n from jobtest_runs where tag like 'many %' group by tag`);
    assert.deepEqual([all.length, all.filter((row) => row.n !== 1)], [150, []]);
});

test('vv_enqueue_jobs() means what vv_enqueue() means', async (t) => {
    const server = await start(t, { job_workers: 0 });
    const { db } = server;
    const many = (...args) => db.query('select vv_enqueue_jobs($1, $2::jsonb[], $3, $4) as n', args).then(([row]) => Number(row.n));
    assert.equal(await many(['a', 'b', 'c', 'd'], ['{"x":1}', null, '{"x":3}', '{"x":4}'], [null, 'u', 'u', null], ['m', null, null, null]), 3);
    const [first] = await db.query(`select run_at from jobs where unique_name = 'u'`);
    assert.equal(await many(['e', 'f'], ['{}', '{}'], ['u', 'v'], null), 2);
    assert.deepEqual((await jobs(server)).map((j) => [j.kind, j.payload, j.unique_name, j.mutex, j.state]).sort(), [
        ['a', { x: 1 }, null, 'm', 'ready'], ['b', {}, 'u', null, 'ready'], ['d', { x: 4 }, null, null, 'ready'],
        ['f', {}, 'v', null, 'ready']]);
    assert.deepEqual(await db.query(`select run_at from jobs where unique_name = 'u'`), [first]);
    await db.query(`update jobs set state = 'running', attempts = 1 where unique_name = 'u'`);
    assert.equal(await many(['b'], ['{}'], ['u'], null), 1);
    assert.equal((await jobs(server)).filter((j) => j.unique_name === 'u').length, 2);
    assert.equal(Number((await db.query(`select vv_enqueue_jobs('{}'::text[]) as n`))[0].n), 0);
    assert.equal(Number((await db.query(`select vv_enqueue_jobs(null) as n`))[0].n), 0);
    assert.equal(Number((await db.query(`select vv_enqueue_jobs(array['x','y']) as n`))[0].n), 2);
});

test('a job that fails comes back with growing pauses, and is done when it succeeds', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'flaky', then: 'fail', times: 2 });
    const all = await ran(server, 'flaky', 3);
    assert.deepEqual(all.map((r) => r.attempt), [1, 2, 3]);
    assert.ok(all[1].began - all[0].ended >= 150 && all[2].began - all[1].ended >= 300, 'there are pauses');
    await noJobs(server);
});

test('after its last attempt a job is dead, can be seen, retried and deleted', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'dead', then: 'fail' });
    await until(async () => (await jobs(server))[0]?.state === 'dead');
    const [job] = await jobs(server);
    assert.equal(job.attempts, 3);
    assert.match(job.last_error, /failed on purpose/);

    let shown = await vvctl(server, ['jobs', 'list', '--dead']);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, new RegExp(`^${job.id} .*jobtest\\.run.*failed on purpose`, 'm'));
    assert.doesNotMatch((await vvctl(server, ['jobs', 'list'])).stdout, /jobtest/);
    shown = await vvctl(server, ['jobs', 'show', job.id]);
    assert.match(shown.stdout, /payload +\{.*"tag": "dead"/);

    assert.equal((await vvctl(server, ['jobs', 'retry', job.id])).code, 0);
    await ran(server, 'dead', 4);
    await until(async () => (await jobs(server))[0]?.state === 'dead');
    assert.match((await vvctl(server, ['jobs', 'retry', '--all'])).stdout, /^1 job will run now/);
    await ran(server, 'dead', 7);
    await until(async () => (await jobs(server))[0]?.state === 'dead');
    assert.equal((await vvctl(server, ['jobs', 'delete', job.id])).code, 0);
    assert.deepEqual(await jobs(server), []);
    const missing = await vvctl(server, ['jobs', 'delete', job.id]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /no such job/);
});

test('a job that gives up is dead at once', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'hopeless', then: 'give_up' });
    await until(async () => (await jobs(server))[0]?.state === 'dead');
    const [job] = await jobs(server);
    assert.equal(job.attempts, 1);
    assert.equal(job.last_error, 'this cannot be done');
});

test('a job that takes too long is cut off', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'long', sleep: 20_000 }, { kind: 'jobtest.short' });
    await until(async () => (await jobs(server))[0]?.state === 'dead');
    assert.match((await jobs(server))[0].last_error, /cut off/);
});

test('a unique job that is pending is not enqueued again; one that runs is followed by one more', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'once' }, { unique: 'u', delay: 1000, count: 5 });
    await enqueue(server, { tag: 'once' }, { unique: 'u', delay: 5000 });
    assert.equal((await jobs(server)).length, 1);
    await ran(server, 'once');
    await noJobs(server);
    assert.equal((await runs(server, 'once')).length, 1);

    await enqueue(server, { tag: 'again', sleep: 1000 }, { unique: 'u', mutex: 'm' });
    await until(async () => (await runs(server, 'again')).length === 1);
    await enqueue(server, { tag: 'again' }, { unique: 'u', mutex: 'm', count: 3 });
    assertNoOverlap(await ran(server, 'again', 2));
    await noJobs(server);
    assert.equal((await runs(server, 'again')).length, 2);
});

test('a unique job that fails gives way to the one enqueued meanwhile', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'old', sleep: 500, then: 'fail' }, { unique: 'u' });
    await until(async () => (await runs(server, 'old')).length === 1);
    await enqueue(server, { tag: 'new' }, { unique: 'u', delay: 800 });
    await ran(server, 'new');
    await noJobs(server);
    assert.equal((await runs(server, 'old')).length, 1);
});

test('a pending job does not run before the change that enqueued it again is committed', async (t) => {
    const server = await start(t);
    // It becomes due while the transaction that enqueued it again is still open.
    await server.db.query(
        "insert into jobs (kind, unique_name, run_at) values ('jobtest.look', 'look', now() + interval '1 second')");
    assert.equal((await server.post('/jobtest/look', {})).status, 200);
    await until(async () => (await server.db.query('select * from jobtest_seen where seen')).length === 1);
    await noJobs(server);
});

test('two jobs of a mutex never run at once, with several job workers', async (t) => {
    const server = await start(t, { job_workers: 3 });
    await enqueue(server, { tag: 'mutex', sleep: 30 }, { mutex: 'm', count: 20 });
    await enqueue(server, { tag: 'free', sleep: 300 }, { count: 6 });
    const all = await ran(server, 'mutex', 20, 20_000);
    assertNoOverlap(all);
    const free = await ran(server, 'free', 6);
    const overlaps = free.some((a) => free.some((b) => a.id !== b.id && Number(a.began) < Number(b.ended)
        && Number(b.began) < Number(a.ended)));
    assert.ok(overlaps, 'jobs without a mutex run side by side');
});

test('a job in backoff does not hold its mutex', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'first', then: 'fail' }, { kind: 'jobtest.slow', mutex: 'm' });
    await ran(server, 'first');
    await until(async () => (await jobs(server))[0]?.state === 'ready');
    await enqueue(server, { tag: 'second' }, { mutex: 'm' });
    await ran(server, 'second');
});

test('slow jobs of one kind do not delay another kind', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'slow', sleep: 4000 }, { kind: 'jobtest.slow', count: 12 });
    await until(async () => (await runs(server, 'slow')).length === 8);
    const began = Date.now();
    await enqueue(server, { tag: 'quick' });
    await ran(server, 'quick');
    assert.ok(Date.now() - began < 2000, 'it did not wait');
    assert.equal((await runs(server, 'slow')).length, 8, 'eight of a kind at once, as it says');
});

test('jobs of a job worker that was killed run again at once', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'killed', sleep: 3000, then: 'succeed' }, { count: 3, mutex: null });
    await until(async () => (await runs(server, 'killed')).length === 3);
    server.kill(server.processes('jobs')[0].pid);
    await until(async () => (await runs(server, 'killed')).filter((r) => r.attempt === 2).length === 3,
        { timeout: 15_000, what: 'all three run a second time' });
    await noJobs(server);
    await server.waitLog(/3 jobs of workers that ended were taken back/);
});

test('jobs of a machine that was lost come back when their lease ends, not before', async (t) => {
    const server = await start(t);
    const insert = (tag, lease, attempts = 1) => server.db.query(
        "insert into jobs (kind, payload, state, attempts, worker, lease_until) values ('jobtest.run', $1, 'running',"
        + ' $3, \'elsewhere/1/2/3\', now() + $2::interval)', [{ tag }, lease, attempts]);
    await insert('lost', '3 seconds');
    await insert('held', '1 hour');
    await insert('spent', '-1 second', 3);
    const [lost] = await ran(server, 'lost');
    assert.equal(lost.attempt, 2);
    await until(async () => (await jobs(server)).length === 2);
    assert.deepEqual((await jobs(server)).map((j) => [j.payload.tag, j.state]), [['held', 'running'], ['spent', 'dead']]);
    assert.deepEqual(await runs(server, 'held'), []);
});

test('jobs of a kind that nobody knows are left alone', async (t) => {
    const server = await start(t);
    await server.db.query("insert into jobs (kind) values ('nobody.knows')");
    await enqueue(server, { tag: 'known' });
    await ran(server, 'known');
    await until(async () => (await jobs(server)).length === 1);
    const [job] = await jobs(server);
    assert.deepEqual([job.kind, job.state, job.attempts], ['nobody.knows', 'ready', 0]);
    const refused = await server.post('/jobtest', { kind: 'nobody.knows', payload: '{}' });
    assert.equal(refused.status, 500);
    await server.waitLog(/no plugin that is on runs jobs of kind 'nobody\.knows'/);
});

test('a schedule runs once for all servers of a database', async (t) => {
    const server = await start(t, { job_workers: 2 });
    await startServer(t, { plugins: ['jobtest'], database: server.db });
    const ticks = await until(async () => {
        const all = await server.db.query("select *, extract(epoch from began_at) * 1000 as began from jobtest_runs"
            + " where tag = 'tick' order by began_at");
        return all.length >= 4 && all;
    }, { timeout: 20_000, what: 'four ticks' });
    for (let i = 1; i < ticks.length; i++)
        assert.ok(ticks[i].began - ticks[i - 1].began > 1500, 'never two in one interval');
});

test('a job under way is finished when the server is told to stop', async (t) => {
    const server = await start(t);
    await enqueue(server, { tag: 'last', sleep: 1500 });
    await until(async () => (await runs(server, 'last')).length === 1);
    await server.stop();
    const all = await runs(server, 'last');
    assert.equal(all.length, 1);
    assert.ok(all[0].ended_at, 'it ended');
    assert.deepEqual(await jobs(server), []);
});

test('with PostgreSQL killed in between no job is lost', async (t) => {
    const postgres = await startPostgres(t);
    const server = await start(t, { postgres });
    await enqueue(server, { tag: 'before', sleep: 1500 }, { count: 4 });
    await enqueue(server, { tag: 'waiting' }, { delay: 2500, count: 4 });
    await until(async () => (await runs(server, 'before')).length === 4);
    await postgres.stop('kill');
    await postgres.start();
    await until(async () => new Set((await runs(server, 'waiting')).map((r) => r.job)).size === 4,
        { timeout: 30_000, what: 'those that waited run' });
    await until(async () => (await jobs(server)).length === 0, { timeout: 60_000, what: 'all of them end' });
});
