// Migrations: each file once, all or nothing, never a changed or an unknown one.
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, check, ROOT, startServer, tempDir, test, vvctl } from '../lib/harness.mjs';

/** A server that is not started, whose migrations are ours and those of `files` for the plugin dbtest. */
async function prepare(t, files = {}, config = {}) {
    const dir = path.join(tempDir(t, 'vv-sql-'), 'sql');
    cpSync(path.join(ROOT, 'sql'), dir, { recursive: true });
    mkdirSync(path.join(dir, 'dbtest'));
    const server = await startServer(t, {
        plugins: ['dbtest'], start: false, config: { database: { migrations_dir: dir, ...config } },
    });
    const write = (name, sql) => writeFileSync(path.join(dir, 'dbtest', name), sql);
    for (const [name, sql] of Object.entries(files)) write(name, sql);
    return { server, dir, write, db: server.db, migrate: (...args) => vvctl(server, ['migrate', ...args]) };
}

const applied = async (db) => (await db.query(`select number from vv_migrations where component = 'dbtest' order by 1`))
    .map((row) => row.number);

test('files are applied in order, once, with their records', async (t) => {
    const { server, db, write, migrate } = await prepare(t, {
        '0001_first.sql': 'create table first (a int); insert into first values (1);',
        '0002_second.sql': 'alter table first add column b int; -- comment\n',
    });
    assert.match((await migrate('--status')).stdout, /missing +sql\/dbtest\/0001_first\.sql/);
    const results = await Promise.all([migrate(), migrate(), migrate()]);
    for (const { code, stderr } of results) assert.equal(code, 0, stderr);
    assert.deepEqual(await db.query('select * from first'), [{ a: 1, b: null }]);
    assert.deepEqual(await applied(db), [1, 2]);
    write('0003_third.sql', 'insert into first values (3)');
    await server.start();
    assert.deepEqual(await applied(db), [1, 2, 3]);
    assert.match((await migrate('--status')).stdout, /applied +sql\/dbtest\/0003_third\.sql/);
    await server.stop();
});

test('a file that fails leaves nothing of itself', async (t) => {
    const { db, migrate, write } = await prepare(t, {
        '0001_good.sql': 'create table good (a int)',
        '0002_bad.sql': 'create table half (a int); select nonsense;',
    });
    const { code, stderr } = await migrate();
    assert.notEqual(code, 0);
    assert.match(stderr, /sql\/dbtest\/0002_bad\.sql: column "?nonsense"? does not exist/);
    assert.deepEqual(await applied(db), [1]);
    assert.equal((await db.query(`select to_regclass('half') as t`))[0].t, null);
    write('0002_bad.sql', 'create table half (a int); commit;');
    assert.match((await migrate()).stderr, /must not end the transaction/);
    assert.deepEqual(await applied(db), [1]);
});

test('a changed file, a newer schema and a missing file are refused by name', async (t) => {
    const { server, dir, db, migrate, write } = await prepare(t, {
        '0001_a.sql': 'create table a (a int)', '0002_b.sql': 'create table b (a int)',
    });
    assert.equal((await migrate()).code, 0);
    write('0002_b.sql', 'create table b (a bigint)');
    assert.match((await migrate()).stderr, /sql\/dbtest\/0002_b\.sql was changed after it had been applied/);
    rmSync(path.join(dir, 'dbtest', '0002_b.sql'));
    assert.match((await migrate()).stderr, /schema is newer than this server \(dbtest 0002\); install that version or later/);
    write('0002_b.sql', 'create table b (a int)');
    assert.equal((await migrate()).code, 0);

    server.writeConfig({ database: { migrate: 'off' } });
    write('0003_c.sql', 'create table c (a int)');
    server.options.waitReady = false;
    await server.start();
    await server.waitLog(/the schema lacks sql\/dbtest\/0003_c\.sql: run `vvctl migrate`/);
    await server.child.ended;
    server.stopping = true;
    assert.deepEqual(await applied(db), [1, 2]);
});

test('--check reads the files without a database', async (t) => {
    const { server, write } = await prepare(t);
    const config = { ...server.config, database: { ...server.config.database, url: 'postgresql://nobody@127.0.0.1:1/x' } };
    assert.equal((await check(t, config)).code, 0);
    write('first.sql', 'select 1');
    const { code, stderr } = await check(t, config);
    assert.notEqual(code, 0);
    assert.match(stderr, /first\.sql: a migration's name is a number/);
});

test('a migration waits for nobody for long, and tries again', async (t) => {
    const { db, migrate } = await prepare(t, { '0001_a.sql': 'alter table taken add column b int' });
    await db.query('create table taken (a int)');
    const other = await db.connect();
    try {
        await other.query('begin; select * from taken');
        const running = migrate();
        setTimeout(() => other.query('rollback'), 4000);
        assert.equal((await running).code, 0);
    } finally {
        other.release();
    }
    assert.deepEqual(await applied(db), [1]);
});
