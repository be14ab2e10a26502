// SIGHUP: a new generation takes over without losing a request, or everything stays as it was.
import { copyFileSync, renameSync, rmSync, statSync, readlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import {
    assert, BUILD, canConnect, dropIdle, freePort, isAlive, mustRun, ROOT, startServer, tempDir, test, until,
} from '../lib/harness.mjs';

const slow = { plugins: ['slow'] };

/** Over a connection of its own: one that is kept may still end in the old generation. */
async function say(server, where) {
    dropIdle();
    return (await server.get(where)).json?.text;
}

const text = (server) => say(server, '/slow');

/** Compiles a plugin "parrot" that answers GET /parrot with `words`, and puts it in place as an update would. */
async function buildParrot(dir, words) {
    const source = path.join(dir, 'parrot.c');
    writeFileSync(source, `/* Says one thing. */
#include <vv/plugin.h>

static int talk(struct vv_request *req)
{
    struct vv_json *json = vv_object(req);

    vv_put(json, "text", VV_TEXT("${words}"));
    return vv_reply(req, 200, json);
}

static const struct vv_route routes[] = {
    VV_ROUTE(VV_GET, "/parrot", VV_ANYONE, talk, .summary = "Says it"),
    VV_END,
};

VV_PLUGIN(.name = "parrot", .version = "1.0.0", .summary = "Says one thing", .routes = routes)
`);
    await mustRun('gcc', ['-std=c17', '-fPIC', '-shared', '-fvisibility=hidden', `-I${ROOT}/sdk/include`,
        '-o', path.join(dir, 'parrot.new'), source]);
    renameSync(path.join(dir, 'parrot.new'), path.join(dir, 'parrot.so'));
}

/** Sends SIGHUP and waits for the log's word on the outcome. */
async function hangup(server, pattern) {
    const from = server.log.length;
    server.kill(server.pid, 'SIGHUP');
    return server.waitLog(pattern, { from, timeout: 20_000 });
}

test('a changed configuration takes effect, and the old generation leaves', async (t) => {
    const server = await startServer(t, slow);
    const old = server.processes().filter((p) => p.pid !== server.pid);
    assert.equal(await text(server), 'slept');
    server.writeConfig({ slow: { text: 'woke up' } });
    await server.reload();
    await server.waitLog(/generation 2 is serving/);
    assert.equal(await text(server), 'woke up');
    await until(() => !old.some((p) => isAlive(p.pid)), { timeout: 20_000, what: 'the old generation has left' });
    assert.equal(server.processes('supervisor')[0].pid, server.pid);
});

test('a request that is under way during a reload is answered by the old generation', async (t) => {
    const server = await startServer(t, slow);
    const [worker] = server.processes('worker');
    const answer = server.get('/slow?ms=1500');
    server.writeConfig({ slow: { text: 'woke up' } });
    await server.reload();
    assert.equal(await text(server), 'woke up');
    const { status, json } = await answer;
    assert.equal(status, 200);
    assert.equal(json.text, 'slept');
    await until(() => !isAlive(worker.pid), { timeout: 15_000, what: 'the old worker has left' });
});

test('a broken configuration is refused: everything stays as it was, dead workers included', async (t) => {
    const server = await startServer(t, slow);
    const before = server.processes();
    server.writeConfig({ slow: { text: 'never', healthy: 'perhaps' } });
    await hangup(server, /reload refused: .*generation 1 goes on/);
    assert.match(server.logText, /\[slow\].*healthy/);
    assert.deepEqual(server.processes(), before);
    assert.equal(await text(server), 'slept');

    const [{ pid }] = server.processes('worker');
    server.kill(pid);
    await until(() => server.processes('worker').some((p) => p.pid !== pid), { what: 'a new worker' });
    assert.equal(await text(server), 'slept', 'it is forked from the leader, not from what lies on disk');

    server.writeConfig({ slow: { text: 'mended', healthy: 'true' } });
    await server.reload();
    assert.equal(await text(server), 'mended');
});

test('a plugin file that cannot be loaded is refused, and so is one that is gone', async (t) => {
    const dir = tempDir(t);
    await buildParrot(dir, 'first');
    const server = await startServer(t, { pluginDir: dir, plugins: ['parrot'] });
    writeFileSync(path.join(dir, 'parrot.new'), 'this is no plugin');
    renameSync(path.join(dir, 'parrot.new'), path.join(dir, 'parrot.so'));
    await hangup(server, /reload refused/);
    rmSync(path.join(dir, 'parrot.so'));
    await hangup(server, /reload refused/);
    assert.equal(await say(server, '/parrot'), 'first');
    const [{ pid }] = server.processes('worker');
    server.kill(pid);
    await until(() => server.processes('worker').some((p) => p.pid !== pid), { what: 'a new worker' });
    assert.equal(await say(server, '/parrot'), 'first');
});

test('a changed plugin file takes effect', async (t) => {
    const dir = tempDir(t);
    await buildParrot(dir, 'first');
    const server = await startServer(t, { pluginDir: dir, plugins: ['parrot'] });
    assert.equal(await say(server, '/parrot'), 'first');
    await buildParrot(dir, 'second');
    assert.equal(await say(server, '/parrot'), 'first');
    await server.reload();
    assert.equal(await say(server, '/parrot'), 'second');
});

test('a changed server program takes over: same process, same sockets, still reloading and ending well', async (t) => {
    const dir = tempDir(t);
    const program = path.join(dir, 'vvserverd');
    copyFileSync(path.join(BUILD, 'bin/vvserverd'), program);
    const server = await startServer(t, { ...slow, program });
    const inode = () => statSync(`/proc/${server.pid}/exe`).ino;
    const before = inode();
    const open = server.get('/slow?ms=2000');

    copyFileSync(program, path.join(dir, 'vvserverd.new'));
    renameSync(path.join(dir, 'vvserverd.new'), program);
    server.writeConfig({ slow: { text: 'woke up' } });
    await hangup(server, /generation 2 is serving/);
    await until(() => inode() !== before && inode() === statSync(program).ino, { what: 'the new program runs' });
    assert.equal(readlinkSync(`/proc/${server.pid}/exe`), program);
    assert.equal(await text(server), 'woke up');
    assert.equal((await open).json.text, 'slept');

    // The old generation's worker, which answered last, is on its way out.
    const worker = await until(() => {
        const all = server.processes('worker');
        return all.length === 1 && all[0];
    }, { what: 'the old generation is gone' });
    server.kill(worker.pid);
    await until(() => server.processes('worker').some((p) => p.pid !== worker.pid), { what: 'a new worker' });
    const [leader] = server.processes('leader').slice(-1);
    server.kill(leader.pid);
    await server.waitLog(/generation 3 is serving/);
    await hangup(server, /generation 4 is serving/);
    assert.equal(await text(server), 'woke up');
    await server.stop();
});

test('another address is opened, and the one no longer named is closed', async (t) => {
    const server = await startServer(t, slow);
    const old = server.port;
    const port = await freePort();
    server.writeConfig({ server: { listen: `127.0.0.1:${port}` } });
    await hangup(server, /generation 2 is serving/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
    await until(async () => !await canConnect(old), { what: 'the old port is closed' });
    server.writeConfig({ server: { listen: `127.0.0.1:${port}, 192.0.2.1:${old}` } });
    await hangup(server, /reload refused: cannot listen on 192\.0\.2\.1/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
});

test('signals that come while a reload is under way count once', async (t) => {
    const server = await startServer(t, slow);
    server.writeConfig({ slow: { text: 'the last word' } });
    for (let i = 0; i < 20; i++) server.kill(server.pid, 'SIGHUP');
    await until(async () => await text(server) === 'the last word', { what: 'the configuration counts' });
    const serving = () => server.log.filter((line) => /is serving/.test(line.message)).length;
    const starting = () => server.log.filter((line) => /^reloading/.test(line.message)).length;
    await until(() => serving() === starting() + 1 && server.processes('leader').length === 1,
        { timeout: 20_000, what: 'all is quiet' });
    assert.ok(serving() >= 2 && serving() <= 4, `${serving()} generations for 20 signals`);
});

/** Keeps asking until it is told to stop: clients with a connection each that is kept, and ones that open their own. */
function load(server, clients = 8) {
    const result = { answered: 0, failures: [] };
    let going = true;
    const once = (agent) => new Promise((resolve) => {
        const req = http.get(`${server.url}/slow?ms=5`, { agent }, (res) => {
            let body = '';
            res.on('data', (data) => { body += data; });
            res.on('end', () => {
                if (res.statusCode === 200 && body.includes('text')) result.answered++;
                else result.failures.push(`${res.statusCode} ${body}`);
                resolve();
            });
            res.on('error', (error) => resolve(result.failures.push(`answer: ${error.message}`)));
        });
        req.on('error', (error) => resolve(result.failures.push(`request: ${error.message}`)));
    });
    const client = async (agent) => {
        while (going) await once(agent);
    };
    const agents = Array.from({ length: clients }, (_, i) =>
        new http.Agent({ keepAlive: i % 2 === 0, maxSockets: 1 }));
    const all = agents.map(client);
    result.end = async () => {
        going = false;
        await Promise.all(all);
        agents.forEach((agent) => agent.destroy());
    };
    return result;
}

test('drain: no request is lost while generations follow one another under load', async (t) => {
    const server = await startServer(t, { ...slow, config: { server: { workers: 2 } } });
    const result = load(server);
    for (let generation = 2; generation <= 4; generation++) {
        const from = result.answered;
        await until(() => result.answered > from + 100, { what: 'the load goes on' });
        await hangup(server, new RegExp(`generation ${generation} is serving`));
    }
    const from = result.answered;
    await until(() => result.answered > from + 100, { what: 'the load goes on' });
    await result.end();
    assert.deepEqual(result.failures, []);
});
