// Through PgBouncer in transaction mode, as Debian packages it: no prepared statements, no session settings.
import { assert, freshDatabase, once, startServer, test, until } from '../lib/harness.mjs';
import { startPgbouncer } from '../lib/pgbouncer.mjs';

for (const prepared of ['off', 'on']) {
    test(`statements, transactions and batches pass with prepared = ${prepared}`, async (t) => {
        const db = await freshDatabase(t);
        const pooler = await startPgbouncer(t, db);
        const server = await startServer(t, {
            plugins: ['dbtest'], database: db,
            config: { database: { url: pooler.url, direct_url: db.url, prepared } },
        });
        const call = async (where, body) => (await server.post(`/dbtest/${where}`, body)).json;
        const run = (sql, params = [], lane = 0) => call('run', { lane, sql, params });
        await db.query(`create table seen (id bigint generated always as identity, who bigint not null check (who <> 13),
            what text, at timestamptz, raw bytea)`);

        // The first statements may find out that this PgBouncer mixes up prepared ones; nobody is to notice.
        const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => {
            if (i % 3 === 0) return run('select $1::int as n', [i]);
            if (i % 3 === 1) return run('insert into seen (who) values ($1) returning who as n', [i + 1000], 1);
            return call('batch', { name: 'insert', params: [i + 1000, 'x', null, null] });
        }));
        answers.forEach((a, i) => assert.equal(a.code, 0, `${i}: ${JSON.stringify(a)}`));
        answers.forEach((a, i) => i % 3 === 0 && assert.deepEqual(a.rows, [{ n: i }]));
        const transactions = await Promise.all(Array.from({ length: 20 }, (_, i) => call('tx', {
            steps: [{ sql: 'insert into seen (who) values ($1)', params: [5000 + i] }, { sql: 'select 1', params: [] }],
            end: i % 2 ? 'commit' : 'leave',
        })));
        assert.deepEqual(transactions.map((a) => a.code), Array(20).fill(0));
        assert.equal((await db.query('select count(*)::int as n from seen'))[0].n, 210);

        // The limits hold in every transaction, and stay behind in no connection that others use.
        const settings = `select current_setting('lock_timeout') as l, current_setting('TimeZone') as z,
            current_setting('statement_timeout') as s`;
        const expected = { l: '500ms', z: 'UTC', s: '2s' };
        for (let i = 0; i < 8; i++) assert.deepEqual((await run(settings, [], i % 2)).rows, [expected]);
        assert.deepEqual((await call('tx', { steps: [{ sql: settings }], end: 'commit' })).rows, [expected]);
        for (let i = 0; i < 3; i++)
            assert.deepEqual((await call('batch', { name: 'patient', params: [5001, `${i}`] })).rows,
                [{ what: `${i}`, lock: '1s', statement: '3s' }]);
        for (let i = 0; i < 4; i++) assert.deepEqual((await run(settings, [], i % 2)).rows, [expected]);
        assert.equal((await run('select pg_sleep(2.3)', [], 2)).code, 0);
        assert.equal((await run('select pg_sleep(3)')).sqlstate, '57014');
        const others = await Promise.all(Array.from({ length: 4 }, () =>
            once(pooler.url, `select current_setting('statement_timeout') as s from pg_sleep(0.1)`)));
        assert.deepEqual(others, Array(4).fill([{ s: '0' }]));

        await pooler.stop();
        await until(async () => (await server.get('/health/ready')).status === 503, { what: 'not ready' });
        await pooler.start();
        await until(async () => (await run('select 1', [], 1))?.code === 0 && (await run('select 1'))?.code === 0,
            { timeout: 3000, step: 20, what: 'service is back' });
    });
}
