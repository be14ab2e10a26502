// The database as plugins reach it: values, errors, transactions, batches, locks, and a PostgreSQL that goes away.
import { assert, freshDatabase, startPostgres, startServer, test, until } from '../lib/harness.mjs';

const READ = 0;
const WRITE = 1;
const SLOW = 2;
const EUNAVAILABLE = -4;
const ETIMEOUT = -5;
const ECANCELED = -6;
const EINVAL = -2;
const EUNIQUE = -8;
const ESQL = -9;
const EREFUSED = -10;

async function start(t, options = {}) {
    const server = await startServer(t, { plugins: ['dbtest'], ...options });
    const call = async (where, body) => {
        const reply = await server.post(`/dbtest/${where}`, body);
        assert.equal(reply.status, 200, reply.text);
        return reply.json;
    };
    return {
        server, db: server.db,
        run: (sql, params = [], lane = READ) => call('run', { lane, sql, params }),
        brief: (sql, params = [], lane = READ) => server.post('/dbtest/brief', { lane, sql, params, bare: true }),
        bare: (sql, params = [], lane = READ) => server.post('/dbtest/run', { lane, sql, params, bare: true }),
        tx: (steps, end = 'commit') => call('tx', { steps: steps.map(([sql, ...params]) => ({ sql, params })), end }),
        named: (sql, names) => call('named', { sql, names }),
        batch: (name, ...params) => call('batch', { name, params }),
    };
}

const one = async (promise) => (await promise).rows[0];

async function makeSeen(db) {
    await db.query(`create table seen (id bigint generated always as identity, who bigint not null check (who <> 13),
        what text, at timestamptz, raw bytea, unique (who, what))`);
}

/** Does `work` while somebody else's transaction holds what `sql` locks. */
async function whileLocked(db, sql, work) {
    const foreign = await db.connect();
    try {
        await foreign.query(`begin; ${sql}`);
        await work();
    } finally {
        await foreign.query('rollback');
        foreign.release();
    }
}

test('values arrive as they were sent', async (t) => {
    const { run, db } = await start(t);
    const row = await one(run(
        `select $1::bigint as int, $2::text as text, $3::bool as bool, $4::float8 as real, $5::timestamptz as time,
                $6::jsonb as json, $7::bytea as bytes, $8::text as nothing, $9::text as empty`,
        [42, 'ä"\\\u{1F600}', true, 0.1, { $time: 1700000000123456 }, { $json: { a: [1, 'x'] } }, { $bytes: 'a\\b' },
            null, '']));
    assert.deepEqual(row, {
        int: 42, text: 'ä"\\\u{1F600}', bool: true, real: 0.1, time: '2023-11-14T22:13:20.123456Z',
        json: { a: [1, 'x'] }, bytes: Buffer.from('a\\b').toString('base64url'), nothing: null, empty: '',
    });
    await db.query(`create type mood as enum ('happy')`);
    assert.deepEqual(await one(run(
        `select 1::int2 as i2, 2::int4 as i4, 'x'::varchar as v, 'y'::char(2) as c, 'n'::name as n, 1.5::float4 as f4,
                123456789012345678901234567890.123::numeric as num, date '2024-02-29' as d,
                '12345678-9abc-def0-1234-56789abcdef0'::uuid as u, '192.0.2.1'::inet as i, '10.0.0.0/8'::cidr as net,
                'happy'::mood as m, '{"b": 1}'::json as j, timestamp '2024-01-01 12:00' as ts, null::numeric as nn`)), {
        i2: 1, i4: 2, v: 'x', c: 'y ', n: 'n', f4: 1.5, num: '123456789012345678901234567890.123', d: '2024-02-29',
        u: '12345678-9abc-def0-1234-56789abcdef0', i: '192.0.2.1', net: '10.0.0.0/8', m: 'happy', j: { b: 1 },
        ts: '2024-01-01T12:00:00Z', nn: null,
    });
});

test('columns are found by name in any order; of two with one name the first, whatever was read before', async (t) => {
    const { server, named } = await start(t);
    const sql = 'select n as a, n * 10 as b, n * 100 as a, n * 1000 as c from generate_series(1, 3) n';
    const rows = (list) => [1, 2, 3].flatMap((n) => list.map((factor) => factor && n * factor));
    assert.deepEqual((await named(sql, ['a', 'b', 'c'])).values, rows([1, 10, 1000]));
    assert.deepEqual((await named(sql, ['b', 'a', 'a', 'c', 'b', 'b', 'c', 'a'])).values, rows([10, 1, 1, 1000, 10, 10, 1000, 1]));
    assert.deepEqual((await named(sql, ['c', 'd', 'a'])).values, rows([1000, null, 1]));
    await server.waitLog(/a result has no column 'd'/);
    const wide = Array.from({ length: 100 }, (_, i) => `c${i}`);
    const values = (await named(`select ${wide.map((name, i) => `${i} as ${name}`)}`, [...wide, ...wide.toReversed()])).values;
    assert.deepEqual(values, [...wide.keys(), ...[...wide.keys()].reverse()]);
});

test('a type that is not read is null, and the log names the cast to write', async (t) => {
    const { run, server } = await start(t);
    assert.deepEqual((await run(`select array[1, 2] as list`)).rows, [{ list: null }]);
    await server.waitLog(/column 'list' has a type \(oid 1007\) that is not read: write list::text/);
    assert.deepEqual((await run(`select array[1, 2]::text as list`)).rows, [{ list: '{1,2}' }]);
});

test('rows that were touched are counted', async (t) => {
    const { run, db } = await start(t);
    await makeSeen(db);
    assert.equal((await run('insert into seen (who) select generate_series(1, 5)', [], WRITE)).affected, 5);
    assert.equal((await run('update seen set what = $1 where who > 3', ['x'], WRITE)).affected, 2);
    assert.deepEqual((await run('delete from seen where who = 1 returning who', [], WRITE)).rows, [{ who: 1 }]);
});

test('errors have codes, answers that suit them, and log lines without anything that was sent', async (t) => {
    const { run, bare, server, db } = await start(t);
    await makeSeen(db);
    await run(`insert into seen (who, what) values (1, 'x')`, [], WRITE);
    assert.partialDeepStrictEqual(await run(`insert into seen (who, what) values (1, 'x')`, [], WRITE),
        { code: EUNIQUE, sqlstate: '23505' });
    assert.partialDeepStrictEqual(await run('select nonsense'), { code: ESQL, sqlstate: '42703' });
    assert.partialDeepStrictEqual(await run('selekt 1'), { code: ESQL, sqlstate: '42601' });
    assert.partialDeepStrictEqual(await run('select $1::int', ['top-secret-1']), { code: ESQL, sqlstate: '22P02' });
    assert.equal((await run('select $1::text', ['a\u0000b'])).code, EINVAL);
    const reply = await bare('select nonsense');
    assert.equal(reply.status, 500);
    assert.doesNotMatch(reply.text, /nonsense/);
    await server.waitLog(/SQL error 42703: column .*nonsense.* does not exist; in: select nonsense/);
    await server.waitLog(/22P02/);
    assert.doesNotMatch(server.logText, /top-secret/);
    assert.deepEqual((await run('select 1 as fine')).rows, [{ fine: 1 }]);
});

test('hundreds of statements at once each get their own answer', async (t) => {
    const { run } = await start(t);
    const answers = await Promise.all(Array.from({ length: 600 }, (_, i) => (i % 7 === 3
        ? run('select 1 / ($1::int - $1::int) as n', [i])
        : run('select $1::int as n, repeat($2, 3000) as fill', [i, String(i % 10)], i % 2))));
    answers.forEach((answer, i) => {
        if (i % 7 === 3) assert.equal(answer.sqlstate, '22012');
        else assert.deepEqual(answer.rows, [{ n: i, fill: String(i % 10).repeat(3000) }]);
    });
});

test('large values pass in both directions at once', async (t) => {
    const { run } = await start(t, { config: { server: { max_body: '16M' } } });
    const text = 'x'.repeat(4_000_000);
    const rows = await Promise.all([1, 2, 3].map(() => one(run('select length($1) as n, $1 as text', [text]))));
    for (const row of rows) assert.ok(row.n === text.length && row.text === text);
});

test('a transaction is there after its commit and leaves nothing otherwise', async (t) => {
    const { run, tx, db, server } = await start(t);
    await makeSeen(db);
    const count = async () => Number((await db.query('select count(*) as n from seen'))[0].n);
    const insert = (who) => ['insert into seen (who) values ($1) returning who', who];
    assert.deepEqual((await tx([insert(1), insert(2)])).rows, [{ who: 2 }]);
    assert.equal(await count(), 2);
    await tx([insert(3)], 'rollback');
    await tx([insert(4)], 'leave');
    assert.partialDeepStrictEqual(await tx([insert(5), insert(13)]), { code: ESQL, sqlstate: '23514' });
    // Nobody waits for the rollbacks; what they undid is never seen, and their locks go.
    assert.equal(await count(), 2);
    await until(async () => (await db.query(`select count(*)::int as n from pg_stat_activity
        where datname = current_database() and state like 'idle in transaction%'`))[0].n === 0,
        { what: 'no transaction is left open' });
    assert.equal((await tx([])).code, 0);
    assert.equal((await run('select 1 as fine')).code, 0);
    for (let i = 0; i < 30; i++) assert.equal((await tx([insert(100 + i)], i % 2 ? 'leave' : 'commit')).code, 0);
    assert.equal(await count(), 17);
    assert.equal((await tx([insert(6)], 'sleep')).code, EREFUSED);
    assert.equal((await tx([insert(7)], 'again')).code, EREFUSED);
    await server.waitLog(/plugin 'dbtest' began a transaction while this request holds one/);
    assert.equal(await count(), 17);
});

test('a deferred constraint fails the commit, not the server', async (t) => {
    const { tx, run, db } = await start(t);
    await db.query('create table d (a int unique deferrable initially deferred)');
    assert.partialDeepStrictEqual(await tx([['insert into d values (1)'], ['insert into d values (1)']]),
        { code: EUNIQUE, sqlstate: '23505' });
    assert.partialDeepStrictEqual(await run('insert into d values (1), (1)', [], WRITE), { code: EUNIQUE });
    assert.equal((await run('select count(*) as n from d')).rows[0].n, 0);
});

test('a deadline ends what waits, and its transaction', async (t) => {
    const { server, brief, run, db } = await start(t, { config: { database: { lock_timeout: '5s', statement_timeout: '6s' } } });
    await makeSeen(db);
    await db.query('insert into seen (who) values (1)');
    await whileLocked(db, 'update seen set what = $$x$$', async () => {
        const began = Date.now();
        const [single, tx] = await Promise.all([
            brief('update seen set who = 2', [], WRITE),
            server.post('/dbtest/brief-tx', { steps: [{ sql: 'insert into seen (who) values (50)' },
                { sql: 'update seen set who = 3' }], end: 'commit' }),
        ]);
        assert.equal(single.status, 503);
        assert.ok(tx.status === 503 || tx.json.code === ECANCELED, tx.text);
        assert.ok(Date.now() - began < 2500, `${Date.now() - began} ms`);
    });
    await until(async () => (await run('select count(*) as n from seen where who in (3, 50)')).rows[0].n === 0
        && (await db.query(`select count(*)::int as n from pg_stat_activity where datname = current_database()
            and state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend'`))[0].n === 0,
        { what: 'the transaction is rolled back' });
});

test('a foreign lock is 503 after lock_timeout, and nobody else stalls', async (t) => {
    const { run, bare, tx, db } = await start(t);
    await makeSeen(db);
    await db.query('insert into seen (who) values (1), (2)');
    await whileLocked(db, 'update seen set what = $$x$$ where who = 1', async () => {
        let waiting = 2;
        const blocked = [bare('update seen set what = $1 where who = 1', ['y'], WRITE),
            tx([['update seen set what = $1 where who = 1', 'z']])].map((p) => p.finally(() => waiting--));
        await Promise.all(Array.from({ length: 50 }, () => run('select 1 as fine')));
        assert.deepEqual([waiting, (await tx([['insert into seen (who) values (3)']])).code], [2, 0]);
        const [write, inTx] = await Promise.all(blocked);
        assert.equal(write.status, 503);
        assert.equal(write.json.code, 'database_busy');
        assert.ok(write.headers.get('retry-after') >= 1);
        assert.deepEqual([inTx.code, inTx.sqlstate], [ETIMEOUT, '55P03']);
    });
    assert.equal((await run('update seen set what = $1 where who = 1', ['y'], WRITE)).affected, 1);
});

test('statement_timeout ends a statement, except a slow one', async (t) => {
    const { run, brief, db } = await start(t, { config: { database: { statement_timeout: '300ms' } } });
    assert.partialDeepStrictEqual(await run('select pg_sleep(2)'), { code: ETIMEOUT, sqlstate: '57014' });
    assert.equal((await run('select pg_sleep(0.6)', [], SLOW)).code, 0);
    assert.equal((await brief('select pg_sleep(30)', [], SLOW)).status, 503);
    await until(async () => (await db.query(`select count(*)::int as n from pg_stat_activity
        where query like '%pg_sleep(30)%' and state = 'active' and pid <> pg_backend_pid()`))[0].n === 0,
        { timeout: 3000, what: 'the slow statement has ended on the server, too' });
    assert.equal((await run('select 1')).code, 0);
});

test('a deadlock is repeated until it passes', async (t) => {
    const { run, db } = await start(t, { config: { database: { lock_timeout: '5s', statement_timeout: '5s' } } });
    await db.query('create table pair (id int primary key, n int not null); insert into pair values (1, 0), (2, 0)');
    // Ours takes row 1 and then wants row 2. The other holds row 2, wants row 1, and has more patience than we have:
    // it is ours that PostgreSQL ends.
    const other = await db.connect();
    try {
        await other.query(`set deadlock_timeout = '1min'`).catch(() => {});
        await other.query('begin; update pair set n = n + 1 where id = 2');
        const ours = run(`with a as (update pair set n = n + 1 where id = 1 returning id)
            select (select n from pair where id = (select 2 from a) for update) as n`, [], WRITE);
        await until(async () => (await db.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock'
            and datname = current_database()`)).length > 0, { what: 'ours waits for row 2' });
        await other.query('update pair set n = n + 1 where id = 1').catch(() => {});
        await other.query('commit');
        assert.equal((await ours).code, 0);
    } finally {
        other.release();
    }
});

test('changed tables do not break prepared statements', async (t) => {
    const { run, tx, db } = await start(t);
    await db.query('create table wide (a int); insert into wide values (1)');
    for (const lane of [READ, WRITE]) assert.deepEqual((await run('select * from wide', [], lane)).rows, [{ a: 1 }]);
    for (let i = 0; i < 4; i++) await tx([['select * from wide']]);
    for (const name of ['b', 'c']) {
        await db.query(`alter table wide add column ${name} int`);
        const results = await Promise.all(Array.from({ length: 8 }, () => run('select * from wide')));
        for (const result of results) assert.equal(Object.keys(result.rows[0]).at(-1), name);
        assert.equal(Object.keys((await run('select * from wide', [], WRITE)).rows[0]).at(-1), name);
        assert.equal(Object.keys((await tx([['select * from wide']])).rows[0]).at(-1), name);
    }
});

test('a batch gives every caller its own rows', async (t) => {
    const { batch, db } = await start(t);
    await makeSeen(db);
    const texts = ['plain', 'a,{}"\\b', 'NULL', '', 'ä\u{1F600}', null];
    const at = { $time: 1700000000123456 };
    const sent = await Promise.all(Array.from({ length: 300 }, (_, i) =>
        batch('insert', 1000 + i, texts[i % texts.length], at, { $bytes: `b"\\${i}` })));
    assert.ok(sent.every(({ code }) => code === 0));
    const stored = await db.query('select who::int, what, at, raw from seen order by who');
    stored.forEach((row, i) => assert.deepEqual(row, { who: 1000 + i, what: texts[i % texts.length],
        at: new Date(1700000000123), raw: Buffer.from(`b"\\${i}`) }));
    await db.query(`insert into seen (who, what) values (1001, 'more')`);
    const found = await Promise.all([1000, 1001, 7, 1001].map((who) => batch('lookup', who)));
    assert.deepEqual(found.map((f) => f.rows.map((r) => `${r.who} ${r.what}`)),
        [['1000 plain'], ['1001 more', '1001 a,{}"\\b'], [], ['1001 more', '1001 a,{}"\\b']]);
    assert.deepEqual(Object.keys(found[0].rows[0]), ['id', 'who', 'what']);
});

test('what arrives while a batch is in flight goes together with the next', async (t) => {
    const { batch } = await start(t);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => batch('slow', i)));
    assert.ok(answers.every((a) => a.rows.length === 1));
    assert.ok(Math.max(...answers.map((a) => a.rows[0].together)) >= 20);
});

test('a bad row fails alone in its batch', async (t) => {
    const { batch, db } = await start(t);
    await makeSeen(db);
    await db.query(`insert into seen (who, what) values (77, 'taken')`);
    const answers = await Promise.all(Array.from({ length: 120 }, (_, i) => {
        if (i === 5) return batch('insert', 13, 'x', null, null); // the check
        if (i === 60) return batch('insert', null, 'x', null, null); // not null
        if (i === 77) return batch('insert', 77, 'taken', null, null); // unique
        if (i === 90) return batch('insert', 'no number', 'x', null, null); // class 22
        return batch('insert', 1000 + i, 'x', null, null);
    }));
    const failed = Object.fromEntries(answers.map((a, i) => [i, a]).filter(([, a]) => a.code !== 0)
        .map(([i, a]) => [i, `${a.code} ${a.sqlstate}`]));
    assert.deepEqual(failed, { 5: `${ESQL} 23514`, 60: `${ESQL} 23502`, 77: `${EUNIQUE} 23505`, 90: `${ESQL} 22P02` });
    assert.equal((await db.query('select count(*)::int as n from seen'))[0].n, 117);
});

test('a batch that meets a foreign lock is busy for all; a cancelled caller harms nobody', async (t) => {
    const { batch, server, db } = await start(t, { config: { database: { lock_timeout: '900ms' } } });
    await makeSeen(db);
    await whileLocked(db, 'lock table seen', async () => {
        const brief = server.post('/dbtest/brief-batch', { name: 'insert', params: [1, 'brief', null, null] });
        const answers = await Promise.all([1, 2, 3].map((i) => batch('insert', i, 'x', null, null)));
        for (const { code, sqlstate } of answers) assert.deepEqual([code, sqlstate], [ETIMEOUT, '55P03']);
        const gone = await brief;
        assert.ok(gone.status === 503 || gone.json.code === ECANCELED, gone.text);
    });
    assert.equal((await batch('insert', 9, 'later', null, null)).code, 0);
});

/** The backends whose last statement was the batch that may wait; `now`: they do wait for a lock. */
const patients = (db, now = false) => db.query(`select pid from pg_stat_activity where datname = current_database()
    and query like '%from changed' and ($1 = false or wait_event_type = 'Lock')`, [now]);

test('a batch that may wait for locks does so alone', async (t) => {
    const { batch, bare, run, server, db } = await start(t, { config: { database: { lock_timeout: '100ms' } } });
    await makeSeen(db);
    await db.query('insert into seen (who) values (1), (2)');
    const patient = (who, what) => server.post('/dbtest/batch', { name: 'patient', params: [who, what], bare: true });
    let waiting;
    await whileLocked(db, 'update seen set what = $$x$$ where who = 1', async () => {
        let answered = false;
        waiting = patient(1, 'after').finally(() => { answered = true; });
        await until(async () => (await patients(db, true)).length === 1, { what: 'it waits for the row' });
        // A write that is not as patient gives up meanwhile, and whatever needs no lock goes on.
        assert.equal((await bare('update seen set what = $1 where who = 1', ['y'], WRITE)).status, 503);
        const others = await Promise.all(Array.from({ length: 20 }, (_, i) =>
            (i % 2 ? batch('lookup', 2) : batch('insert', 100 + i, 'x', null, null))));
        assert.ok(others.every(({ code }) => code === 0));
        assert.equal(answered, false);
    });
    const { status, json } = await waiting;
    assert.deepEqual([status, json.rows], [200, [{ what: 'after', lock: '1s', statement: '3s' }]]);
    assert.equal((await run('select what from seen where who = 1')).rows[0].what, 'after');
});

test('a batch that waits for more than a second is 503, and the next one passes', async (t) => {
    const { server, db } = await start(t);
    await makeSeen(db);
    await db.query('insert into seen (who) values (1), (2)');
    const patient = (who) => server.post('/dbtest/batch', { name: 'patient', params: [who, 'new'], bare: true });
    await whileLocked(db, 'update seen set what = $$x$$ where who = 1', async () => {
        const first = patient(1);
        await until(async () => (await patients(db, true)).length === 1, { what: 'it waits for the row' });
        // What arrives meanwhile goes with the next batch, and is not harmed.
        const [busy, next] = await Promise.all([first, patient(2)]);
        assert.deepEqual([busy.status, busy.json.code], [503, 'database_busy']);
        assert.ok(busy.headers.get('retry-after') >= 1);
        assert.deepEqual([next.status, next.json.rows[0]?.what], [200, 'new']);
    });
    assert.equal((await patient(1)).status, 200);
});

test('the connection of waiting batches comes when it is used, comes back, and readiness does not hang on it', async (t) => {
    const { batch, server, db } = await start(t);
    await makeSeen(db);
    await db.query('insert into seen (who) values (1)');
    assert.deepEqual((await Promise.all([1, 2, 3].map((i) => batch('patient', 1, `${i}`)))).map((a) => a.code), [0, 0, 0]);
    const [{ pid }, ...more] = await patients(db);
    assert.deepEqual(more, []);
    assert.equal((await batch('lookup', 1)).code, 0);
    assert.equal((await batch('patient', 1, 'again')).code, 0);
    assert.deepEqual(await patients(db), [{ pid }], 'it is kept, and nobody else uses it');
    await db.query('select pg_terminate_backend($1)', [pid]);
    assert.equal((await server.get('/health/ready')).status, 200);
    await until(async () => (await batch('patient', 1, 'back')).code === 0, { timeout: 2000, step: 20, what: 'it is back' });
});

test('without PostgreSQL the answer is 503 at once, and service is back within 2 s of it', async (t) => {
    const postgres = await startPostgres(t);
    const { server, bare, run, batch, tx, db } = await start(t, { postgres });
    await makeSeen(db);
    await tx([['select 1']]);
    for (const how of ['fast', 'kill']) {
        const worker = server.processes('worker')[0].pid;
        await postgres.stop(how);
        await until(async () => (await server.get('/health/ready')).status === 503, { what: 'not ready' });
        for (let i = 0; i < 5; i++) {
            const began = Date.now();
            const replies = await Promise.all([bare('select 1'), bare('select 1', [], WRITE), bare('select 1', [], SLOW)]);
            assert.deepEqual(replies.map((r) => r.status), [503, 503, 503]);
            assert.deepEqual([(await batch('lookup', 1)).code, (await batch('patient', 1, 'x')).code,
                (await tx([['select 1']])).code], Array(3).fill(EUNAVAILABLE));
            assert.ok(Date.now() - began < 500, `${Date.now() - began} ms`);
        }
        await postgres.start();
        await until(async () => (await bare('select 1')).status === 200, { timeout: 2000, step: 20, what: 'reads work' });
        await until(async () => (await bare('select 1', [], WRITE)).status === 200, { timeout: 2000, step: 20, what: 'writes work' });
        await until(async () => (await tx([['select 1']])).code === 0, { timeout: 2000, step: 20, what: 'transactions work' });
        assert.equal((await batch('lookup', 1)).code, 0);
        await until(async () => (await batch('patient', 1, 'x')).code === 0, { timeout: 2000, step: 20, what: 'waiting works' });
        assert.equal((await run('select 1', [], SLOW)).code, 0);
        assert.equal(server.processes('worker')[0].pid, worker, 'the worker is the same one');
    }
});

test('a backend killed in mid-flight fails what it ran, and nothing is written twice', async (t) => {
    const postgres = await startPostgres(t);
    const { run, batch, db, tx } = await start(t, { postgres });
    await makeSeen(db);
    const admin = await freshDatabase(t, postgres);
    for (let round = 0; round < 4; round++) {
        const load = Array.from({ length: 200 }, (_, i) => {
            const who = 1000 * (round + 1) + i;
            if (i % 4 === 0) return tx([['insert into seen (who) values ($1)', who]]).then((r) => [who, r.code]);
            if (i % 4 === 1) return batch('insert', who, null, null, null).then((r) => [who, r.code]);
            return run('insert into seen (who) values ($1)', [who], WRITE).then((r) => [who, r.code]);
        });
        await admin.query(`select 1`);
        for (const { pid } of await db.query(`select pid from pg_stat_activity where usename = current_user
            and application_name = 'vvserver'`)) try { process.kill(Number(pid), round % 2 ? 'SIGTERM' : 'SIGKILL'); } catch { continue; }
        const done = await Promise.all(load);
        await until(async () => (await run('select 1')).code === 0 && (await run('select 1', [], WRITE)).code === 0
            && (await tx([['select 1']])).code === 0, { timeout: 5000, what: 'service is back' });
        const times = new Map((await db.query('select who::int, count(*)::int as n from seen group by who')).map((r) => [r.who, r.n]));
        for (const [who, code] of done) {
            if (code === 0) assert.equal(times.get(who), 1, `${who} was acknowledged`);
            else assert.ok(code === EUNAVAILABLE && (times.get(who) ?? 0) <= 1, `${who}: ${code}, ${times.get(who)} times`);
        }
    }
});
