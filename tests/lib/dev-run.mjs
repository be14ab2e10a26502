// ./dev run, started by tests as a newcomer would start it: beside whatever a developer runs, with a state of its own.
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { BUILD, cleanup, descendants, freePort, isAlive, ROOT, run, spawnBound, tempDir, until } from './process.mjs';
import { shellOf } from './readme.mjs';

/** A folder and a port for devRun(). */
export async function devPlace(t) {
    const dir = tempDir(t, 'vv-dev-');
    chmodSync(dir, 0o755); // PostgreSQL's user has to reach it
    return { dir, port: await freePort() };
}

/** Starts it as README says → {env, url, output, tour, paste(text), stop()} */
export async function devRun(t, { dir, port }, ...args) {
    const env = { ...process.env, VV_DEV_DIR: dir, VV_DEV_PORT: String(port) };
    // What ./dev builds before it starts is not what a sanitized run is about.
    const command = BUILD === path.join(ROOT, 'build') ? shellOf('README.md', 'Start')[0].trim()
        : `exec ${process.execPath} tests/lib/run.mjs`;
    const child = spawnBound('bash', ['-c', [command, ...args].join(' ')],
        { env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
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
    await until(() => output.includes('/usage -H') || child.exitCode !== null, { timeout: 40_000 });
    assert.equal(child.exitCode, null, output);
    return {
        env, url: `http://127.0.0.1:${port}`, output, tour: output.slice(output.search(/^field\(/m)), stop,
        /** Runs text as if it had been pasted into a shell in this folder. */
        paste: (text, more) => run('bash', ['-c', text], { cwd: ROOT, env: { ...env, ...more } }),
    };
}
