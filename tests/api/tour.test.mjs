// ./dev run as a newcomer meets it: what it prints works by copy and paste, Ctrl-C ends it, its state lives on.
import path from 'node:path';
import { chmodSync, readFileSync } from 'node:fs';
import { assert, cleanup, freePort, isAlive, ROOT, run, tempDir, test, until } from '../lib/harness.mjs';
import { descendants, spawnBound } from '../lib/process.mjs';

/** Starts what ./dev run executes after its build → {env, url, tour, stop()} */
async function devRun(t, dir, port, ...args) {
    const env = { ...process.env, VV_DEV_DIR: dir, VV_DEV_PORT: String(port) };
    const child = spawnBound(process.execPath, [path.join(ROOT, 'tests/lib/run.mjs'), ...args],
        { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
    const stop = async () => {
        const family = descendants(child.pid).map((p) => p.pid);
        child.kill('SIGINT');
        const { code } = await child.ended;
        await until(() => !family.some(isAlive), { what: 'nothing that ./dev run started is left' });
        return code;
    };
    cleanup(t, async () => {
        if (child.exitCode === null) await stop();
    });
    await until(() => output.includes('/profile') || child.exitCode !== null, { timeout: 40_000 });
    assert.equal(child.exitCode, null, output);
    return { env, url: `http://127.0.0.1:${port}`, tour: output.slice(output.search(/^ADA=/m)), stop };
}

const paste = (dev, text) => run('bash', ['-c', text], { cwd: ROOT, env: dev.env });

test('the tour works by copy and paste, and what it stored outlives Ctrl-C but not --reset', async (t) => {
    const dir = tempDir(t, 'vv-dev-');
    chmodSync(dir, 0o755); // PostgreSQL's user has to reach it
    const port = await freePort();

    let dev = await devRun(t, dir, port);
    assert.ok(dev.tour.includes(readFileSync(path.join(ROOT, 'README.md'), 'utf8').match(/^ADA=.*$/m)[0]));
    const said = await paste(dev, `set -e\n${dev.tour}\necho; echo "ADA=$ADA"`);
    assert.equal(said.code, 0, said.stdout + said.stderr);
    assert.match(said.stdout, /Subject: \S/);
    const address = said.stdout.match(/^ADA=(.*)$/m)[1];
    const profile = JSON.parse(said.stdout.match(/^.*"subscription_status".*$/m)[0].match(/\{[^{}]*"subscription_status".*\}/)[0]);
    assert.equal(profile.email, address);
    assert.equal(profile.email_verified, true);
    assert.equal(await dev.stop(), 0);

    const login = (d) => paste(d, `curl -s -o /dev/null -w '%{http_code}' ${d.url}/auth/login `
        + `-H 'Content-Type: application/json' -d '{"email": "${address}", "password": "Tr0mbone-and-cello"}'`);
    dev = await devRun(t, dir, port);
    assert.equal((await login(dev)).stdout, '200');
    assert.equal((await run(path.join(ROOT, 'dev'), ['mail', address], { env: dev.env })).code, 0);
    assert.equal(await dev.stop(), 0);

    dev = await devRun(t, dir, port, '--reset');
    assert.equal((await login(dev)).stdout, '401');
    assert.equal(await dev.stop(), 0);
});
