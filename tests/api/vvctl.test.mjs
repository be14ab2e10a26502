// vvctl: commands of the core and of plugins, what it says when something is wrong, and the doctor.
import path from 'node:path';
import { assert, BUILD, freshDatabase, run, startPostgres, startServer, test, vvctl } from '../lib/harness.mjs';

const slow = { plugins: ['slow'] };

/** A configuration with its database, and no server. */
const configured = (t, options) => startServer(t, { ...slow, start: false, ...options });

test('a command of a plugin: the longest name wins, words and output pass through', async (t) => {
    const server = await configured(t);
    assert.deepEqual(await vvctl(server, ['slow', 'echo', 'three', 'small', '--words']),
        { code: 0, signal: null, stdout: 'three small --words\n', stderr: '' });
    const { stdout } = await vvctl(server, ['slow', 'echoes', 'differently']);
    assert.equal(stdout, '2 words\n');
});

test('a command that fails says why, and its status is 1', async (t) => {
    const server = await configured(t);
    const { code, stdout, stderr } = await vvctl(server, ['slow', 'echo']);
    assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: '', stderr: 'vvctl: Say what to echo\n' });
});

test('an unknown command: a list of what there is, and status 2', async (t) => {
    const server = await configured(t);
    const { code, stderr } = await vvctl(server, ['slwo']);
    assert.equal(code, 2);
    assert.match(stderr, /there is no command slwo/);
    for (const name of ['doctor', 'migrate [--status]', 'jobs', 'slow echo WORD...', 'version'])
        assert.ok(stderr.includes(name), `${name} is in the list`);
});

test('--help lists every command, and none is status 2', async (t) => {
    const server = await configured(t);
    const help = await vvctl(server, ['--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /usage: vvctl/);
    assert.match(help.stdout, /slow echo WORD\.\.\. +Says it again/);
    assert.equal((await vvctl(server, [])).code, 2);
    assert.equal((await vvctl(server, ['--no-such-option'])).code, 2);
});

test('version names the server and its plugins', async (t) => {
    const server = await configured(t);
    assert.match((await vvctl(server, ['version'])).stdout, /^vvserver \d+\.\d+\.\d+\nslow 1\.0\.0\n$/);
});

test('a mistake in the configuration is reported, and --set overrides what it says', async (t) => {
    const server = await configured(t);
    const broken = await vvctl(server, ['--set', 'slow.healthy=perhaps', 'version']);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /--set slow.healthy: .*'perhaps'/);
    const missing = await run(path.join(BUILD, 'bin/vvctl'), ['-c', '/nonexistent/vvserver.ini', 'version']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /\/nonexistent\/vvserver\.ini/);
});

test('a command asks the database', async (t) => {
    const server = await configured(t);
    assert.deepEqual(await vvctl(server, ['slow', 'ask']), { code: 0, signal: null, stdout: '42\n', stderr: '' });
});

test('the database away: a command that needs it says so, one that does not works', async (t) => {
    const postgres = await startPostgres(t);
    const server = await configured(t, { postgres });
    await postgres.stop();
    const ask = await vvctl(server, ['slow', 'ask']);
    assert.equal(ask.code, 1);
    assert.match(ask.stderr, /vvctl: the database cannot be reached: .*Connection refused/);
    assert.equal((await vvctl(server, ['slow', 'echo', 'fine'])).stdout, 'fine\n');
    const migrate = await vvctl(server, ['migrate']);
    assert.equal(migrate.code, 1);
    assert.match(migrate.stderr, /the database cannot be reached/);
});

test('migrate applies what is missing, once, and --status shows it', async (t) => {
    const server = await configured(t, { config: { database: { migrate: 'off' } } });
    const before = await vvctl(server, ['migrate', '--status']);
    assert.match(before.stdout, /0001_jobs/);
    const first = await vvctl(server, ['migrate']);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stderr, /0001_jobs\.sql applied/);
    assert.match(first.stdout, /up to date/);
    const again = await vvctl(server, ['migrate']);
    assert.equal(again.code, 0);
    assert.doesNotMatch(again.stderr, /applied/);
    assert.notEqual((await vvctl(server, ['migrate', '--status'])).stdout, before.stdout);
    assert.equal((await vvctl(server, ['migrate', '--sideways'])).code, 2);
});

test('doctor: all is well', async (t) => {
    const server = await startServer(t, slow);
    const { code, stdout } = await vvctl(server, ['doctor']);
    assert.equal(code, 0, stdout);
    for (const line of [/^ok +configuration/m, /^ok +database/m, /^ok +schema: up to date/m, /^ok +slow nap: slept well/m])
        assert.match(stdout, line);
});

test('doctor: a plugin that is not well, and a schema that is behind', async (t) => {
    const server = await configured(t);
    const { code, stdout } = await vvctl(server, ['--set', 'slow.healthy=false', 'doctor']);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL slow nap: It did not sleep well$/m);
    assert.match(stdout, /^FAIL schema: .*vvctl migrate/m);
    assert.match(stdout, /^ok +database/m);
    assert.deepEqual(await server.db.query("select 1 from pg_tables where schemaname = 'public'"), [],
        'a doctor changes nothing');
});

test('doctor: the database away', async (t) => {
    const postgres = await startPostgres(t);
    const server = await configured(t, { database: await freshDatabase(t, postgres) });
    await postgres.stop();
    const { code, stdout } = await vvctl(server, ['doctor']);
    assert.equal(code, 1);
    assert.match(stdout, /^FAIL database: .*Connection refused/m);
    assert.match(stdout, /^ok +configuration/m);
});
