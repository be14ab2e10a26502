// The process tree: who dies is replaced, what is under way is finished, and a bad start says why.
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {
    assert, BUILD, canConnect, cleanup, freePort, isAlive, run, spawnBound, startPostgres, startServer, tempDir, test,
    until,
} from '../lib/harness.mjs';

const slow = { plugins: ['slow'] };

/** The one process of a role that is not among `but`. */
function other(server, role, but) {
    return until(() => server.processes(role).find((p) => !but.includes(p.pid)),
        { what: `another ${role} than ${but}` });
}

function ready(server) {
    return until(async () => (await server.get('/health/ready')).status === 200, { what: 'it is ready' });
}

/** Waits until a GET /slow is inside its handler; {answer} is the promise of what comes. */
async function begun(server, ms) {
    const before = await waiting(server);
    const answer = server.get(`/slow?ms=${ms}`);
    answer.catch(() => {}); // looked at later
    await until(async () => await waiting(server) > before, { what: '/slow was begun' });
    return { answer };
}

async function metric(server, name) {
    const { text } = await server.get('/metrics', { headers: { authorization: 'Bearer token-of-the-metrics' } });
    const line = text.split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
    assert.ok(line, `${name} is among the metrics`);
    return Number(line.slice(line.lastIndexOf(' ') + 1));
}

const waiting = (server) => metric(server, 'vv_slow_waiting');
const metrics = { metrics: { token: 'token-of-the-metrics' } };

test('one supervisor, one leader, the workers and a job worker, each by its name', async (t) => {
    const server = await startServer(t, { config: { server: { workers: 2 } } });
    assert.deepEqual(server.processes().map((p) => p.role).filter((role) => role !== 'migration').sort(),
        ['jobs', 'leader', 'supervisor', 'worker', 'worker']);
    assert.equal((await server.get('/health/live')).status, 200);
});

test('a worker that is killed is replaced at once, and says why', async (t) => {
    const server = await startServer(t);
    const [{ pid }] = server.processes('worker');
    server.kill(pid);
    await other(server, 'worker', [pid]);
    await ready(server);
    await server.waitLog(new RegExp(`worker 1 \\(process ${pid}\\) was killed by signal 9`));
});

test('a worker that dies again and again is replaced, ever more slowly', async (t) => {
    const server = await startServer(t);
    const killed = [];
    for (let i = 0; i < 4; i++) {
        const { pid } = await other(server, 'worker', killed);
        killed.push(pid);
        server.kill(pid);
    }
    const { pid } = await other(server, 'worker', killed);
    assert.ok(isAlive(pid));
    assert.equal((await server.get('/health/live')).status, 200);
});

test('a job worker that is killed is replaced', async (t) => {
    const server = await startServer(t);
    const [{ pid }] = server.processes('jobs');
    server.kill(pid);
    await other(server, 'jobs', [pid]);
    assert.equal((await server.get('/health/live')).status, 200);
});

test('when the leader is killed another one takes over and the old workers leave', async (t) => {
    const server = await startServer(t, { ...slow, config: metrics });
    const [leader] = server.processes('leader');
    const [worker] = server.processes('worker');
    const { answer } = await begun(server, 500);
    server.kill(leader.pid);
    await other(server, 'leader', [leader.pid]);
    await server.waitLog(/generation 2 is serving/);
    assert.equal((await server.get('/health/live')).status, 200);
    assert.equal((await answer).status, 200, 'what the old worker held is answered');
    await until(() => !isAlive(worker.pid), { what: 'the old worker has left' });
});

test('when the supervisor is killed nothing stays behind', async (t) => {
    const server = await startServer(t);
    const family = server.processes().map((p) => p.pid);
    server.stopping = true;
    server.kill(server.pid);
    await until(() => !family.some(isAlive), { timeout: 15_000, what: 'all processes are gone' });
});

for (const signal of ['SIGTERM', 'SIGINT']) {
    test(`${signal}: what is under way is answered, nothing new is taken, the end is clean`, async (t) => {
        const server = await startServer(t, { ...slow, config: metrics });
        const { answer } = await begun(server, 1_000);
        server.stopping = true;
        server.kill(server.pid, signal);
        await until(async () => !await canConnect(server.port), { what: 'the port is closed' });
        const { status, headers, json } = await answer;
        assert.equal(status, 200);
        assert.equal(json.text, 'slept');
        assert.equal(headers.get('connection'), 'close');
        assert.deepEqual(await server.child.ended, { code: 0, signal: null });
    });
}

test('the drain deadline cuts off what takes longer, says so, and the end is clean all the same', async (t) => {
    const server = await startServer(t, { ...slow, config: { ...metrics, server: { drain_timeout: '1500ms' } } });
    const { answer } = await begun(server, 25_000);
    server.stopping = true;
    const began = Date.now();
    server.kill(server.pid, 'SIGTERM');
    assert.equal((await answer).status, 503);
    assert.deepEqual(await server.child.ended, { code: 0, signal: null });
    const took = Date.now() - began;
    assert.ok(took >= 1_000 && took < 5_000, `it took ${took} ms`);
});

test('a worker that hangs is killed after the deadline', async (t) => {
    const server = await startServer(t, { config: { server: { drain_timeout: '300ms' } } });
    const [worker] = server.processes('worker');
    server.kill(worker.pid, 'SIGSTOP');
    server.stopping = true;
    server.kill(server.pid, 'SIGTERM');
    assert.deepEqual(await server.child.ended, { code: 0, signal: null });
    assert.ok(!isAlive(worker.pid));
});

test('a port that is taken is a clear error', async (t) => {
    const server = await startServer(t, { start: false });
    const holder = net.createServer();
    await new Promise((resolve) => holder.listen(server.port, '127.0.0.1', resolve));
    t.after(() => holder.close());
    const { code, stderr } = await run(path.join(BUILD, 'bin/vvserverd'), ['-c', server.ini]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${server.port}: Address already in use`));
});

test('an address that is none is a clear error', async (t) => {
    const server = await startServer(t, { start: false, config: { server: { listen: 'localhost:http' } } });
    const { code, stderr } = await run(path.join(BUILD, 'bin/vvserverd'), ['-c', server.ini]);
    assert.equal(code, 1);
    assert.match(stderr, /localhost:http/);
});

test('several addresses, IPv6 among them', async (t) => {
    const port = await freePort();
    const server = await startServer(t, { start: false });
    server.writeConfig({ server: { listen: `127.0.0.1:${server.port}, [::1]:${port}` } });
    await server.start();
    assert.equal((await server.get('/health/live')).status, 200);
    assert.equal((await fetch(`http://[::1]:${port}/health/live`)).status, 200);
});

test('a mistake in the configuration ends the start with status 1', async (t) => {
    const server = await startServer(t, { start: false, config: { server: { wrokers: 1 } } });
    const { code, stderr } = await run(path.join(BUILD, 'bin/vvserverd'), ['-c', server.ini]);
    assert.equal(code, 1);
    assert.match(stderr, /unknown key 'wrokers'/);
    assert.match(stderr, /the server does not start/);
});

test('the database away at the start: live, not ready, and ready by itself', async (t) => {
    const postgres = await startPostgres(t);
    const server = await startServer(t, { ...slow, postgres, start: false });
    await postgres.stop();
    server.options.waitReady = 'live';
    await server.start();
    assert.equal((await server.get('/health/live')).status, 200);
    assert.equal((await server.get('/health/ready')).status, 503);
    await postgres.start();
    await ready(server);
    assert.equal(server.processes('leader').length, 1);
});

test('a schema of a newer server is refused', async (t) => {
    const first = await startServer(t);
    await first.stop();
    const [{ table }] = await first.db.query(
        `select attrelid::regclass::text as table from pg_attribute join pg_class on oid = attrelid
         where attname = 'checksum' and relkind = 'r' and relname like '%migration%'`);
    const [row] = await first.db.query(`select * from ${table} order by 1, 2 limit 1`);
    const names = Object.keys(row);
    const newer = names.map((name) => (/version|number/.test(name) ? 9999 : /^(name|file)$/.test(name)
        ? '9999_from_the_future.sql' : row[name]));
    await first.db.query(
        `insert into ${table} (${names.join(', ')}) values (${names.map((_, i) => `$${i + 1}`).join(', ')})`, newer);
    const { code, stderr } = await run(path.join(BUILD, 'bin/vvserverd'), ['-c', first.ini]);
    assert.equal(code, 1);
    assert.match(stderr, /newer/);
});

test('workers = 0: one process does it all', async (t) => {
    const server = await startServer(t, { ...slow, config: { ...metrics, server: { workers: 0 } } });
    assert.equal(server.processes().length, 1);
    const { answer } = await begun(server, 300);
    await server.stop();
    assert.equal((await answer).status, 200);
});

test('workers = 0 waits for the database, too', async (t) => {
    const postgres = await startPostgres(t);
    const server = await startServer(t, { postgres, start: false, config: { server: { workers: 0 } } });
    await postgres.stop();
    server.options.waitReady = 'live';
    await server.start();
    await postgres.start();
    await ready(server);
});

test('metrics are summed over the workers, and outlive them', async (t) => {
    const server = await startServer(t, { ...slow, config: { ...metrics, server: { workers: 2 } } });
    for (let i = 0; i < 20; i++)
        assert.equal((await server.get('/slow', { headers: { connection: 'close' } })).status, 200);
    assert.equal(await metric(server, 'vv_slow_calls_total'), 20);
    const family = server.processes('worker').map((p) => p.pid);
    for (const pid of family) server.kill(pid);
    await until(() => server.processes('worker').filter((p) => !family.includes(p.pid)).length === 2,
        { what: 'two new workers' });
    assert.equal(await metric(server, 'vv_slow_calls_total'), 20);
    assert.equal(await waiting(server), 0);
});

test('a worker killed while it waits leaves no gauge behind', async (t) => {
    const server = await startServer(t, { ...slow, config: metrics });
    const [{ pid }] = server.processes('worker');
    const { answer } = await begun(server, 20_000);
    server.kill(pid);
    await assert.rejects(answer);
    await other(server, 'worker', [pid]);
    assert.equal(await waiting(server), 0);
});

test('sockets that systemd hands over are used', async (t) => {
    const server = await startServer(t, { start: false });
    // What systemd does: the socket as descriptor 3, two variables that name it, and an exec.
    const activate = `use IO::Socket::INET; use POSIX; $^F = 9;
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1:${server.port}', Listen => 5) or die $!;
        dup2(fileno($s), 3); POSIX::close(fileno($s)) if fileno($s) != 3;
        $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$; exec @ARGV;`;
    const child = spawnBound('perl', ['-e', activate, path.join(BUILD, 'bin/vvserverd'), '-c', server.ini],
        { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (data) => { log += data; });
    cleanup(t, () => {
        child.kill('SIGTERM');
        return child.ended;
    });
    await until(() => /generation 1 is serving/.test(log), { what: 'it serves' });
    assert.equal((await server.get('/health/live')).status, 200);
    child.kill('SIGTERM');
    assert.deepEqual(await child.ended, { code: 0, signal: null });
});

test('systemd is told what happens: ready, reloading, alive, stopping', async (t) => {
    const dir = tempDir(t);
    const heard = path.join(dir, 'heard');
    const socket = path.join(dir, 'notify');
    const listener = spawnBound('perl', ['-e', `use IO::Socket::UNIX; use Socket;
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => '${socket}') or die $!;
        open(my $out, '>', '${heard}') or die $!; $out->autoflush(1);
        while (defined $s->recv(my $m, 4096)) { print $out join(' ', split(/\\n/, $m)), "\\n" }`], { stdio: 'inherit' });
    cleanup(t, () => {
        listener.kill();
        return listener.ended;
    });
    await until(() => existsSync(socket) && existsSync(heard), { what: 'the listener listens' });
    const words = (word) => readFileSync(heard, 'utf8').split('\n').filter((line) => line.includes(word)).length;
    const server = await startServer(t, { env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '200000' } });
    await until(() => words('READY=1') === 1, { what: 'READY' });
    await until(() => words('WATCHDOG=1') > 3, { what: 'WATCHDOG, again and again' });
    await server.reload();
    await until(() => words('READY=1') === 2, { what: 'READY after a reload' });
    assert.match(readFileSync(heard, 'utf8'), /RELOADING=1 MONOTONIC_USEC=\d+/);
    server.writeConfig({ server: { workers: 'many' } });
    server.kill(server.pid, 'SIGHUP');
    await until(() => words('READY=1') === 3, { what: 'READY after a refused reload' });
    assert.equal(words('RELOADING=1'), 2);
    assert.equal(words('STOPPING=1'), 0);
    await server.stop();
    await until(() => words('STOPPING=1') === 1, { what: 'STOPPING' });
});
