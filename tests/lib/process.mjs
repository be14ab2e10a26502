// What every test helper needs of the operating system: waiting, free ports, programs and folders that end with the test.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BUILD = path.resolve(ROOT, process.env.VV_BUILD || 'build');

/** Polls until fn returns something truthy and returns that; what it throws counts as "not yet". */
export async function until(fn, { timeout = 10_000, what = String(fn), step = 25 } = {}) {
    const deadline = Date.now() + timeout;
    let last;
    for (;;) {
        try {
            const value = await fn();
            if (value) return value;
            last = undefined;
        } catch (error) {
            last = error;
        }
        if (Date.now() > deadline)
            throw new Error(`not within ${timeout} ms: ${what}`, last && { cause: last });
        await new Promise((resolve) => setTimeout(resolve, step));
    }
}

const stacks = new WeakMap();

/** Runs fn when test t ends; what was started last ends first, and one failure does not spare the others. */
export function cleanup(t, fn) {
    let stack = stacks.get(t);
    if (!stack) {
        stack = [];
        stacks.set(t, stack);
        t.after(async () => {
            const errors = [];
            while (stack.length) {
                try {
                    await stack.pop()();
                } catch (error) {
                    errors.push(error);
                }
            }
            if (errors.length) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
        });
    }
    stack.push(fn);
}

/** A folder under /tmp (its path is short enough for Unix sockets) that goes with the test. */
export function tempDir(t, prefix = 'vv-') {
    const dir = mkdtempSync(path.join('/tmp', prefix));
    if (t) cleanup(t, () => rmSync(dir, { recursive: true, force: true }));
    return dir;
}

const given = new Set();

/** A loopback port nobody listens on, never the same one twice in this process. */
export async function freePort() {
    for (;;) {
        const port = await new Promise((resolve, reject) => {
            const probe = net.createServer().once('error', reject);
            probe.listen(0, '127.0.0.1', () => {
                const { port: found } = probe.address();
                probe.close(() => resolve(found));
            });
        });
        if (given.has(port)) continue;
        given.add(port);
        return port;
    }
}

export function canConnect(port) {
    return new Promise((resolve) => {
        const socket = net.connect(port, '127.0.0.1');
        socket.once('connect', () => socket.destroy() && resolve(true));
        socket.once('error', () => resolve(false));
    });
}

/** Runs a program to its end; never rejects because of its exit code. */
export function run(file, args, options = {}) {
    return new Promise((resolve) => {
        const { input, ...rest } = options;
        const settings = { timeout: 60_000, maxBuffer: 64 << 20, ...rest };
        const child = execFile(file, args, settings, (error, stdout, stderr) => {
            const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
            resolve({ code, signal: error?.signal ?? null, stdout, stderr });
        });
        if (input !== undefined) child.stdin.end(input);
    });
}

/** Like run, but a failure is an error that shows what the program said. */
export async function mustRun(file, args, options) {
    const result = await run(file, args, options);
    if (result.code !== 0)
        throw new Error(`${file} ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
    return result;
}

/**
 * Starts a program that gets SIGTERM should we die without a goodbye. As root, `user` runs it as that user (setpriv
 * sets the death signal after it changed the user, which would otherwise clear it).
 */
export function spawnBound(file, args, { user, ...options } = {}) {
    const prefix = ['--pdeathsig', 'TERM'];
    if (user && process.getuid() === 0)
        prefix.push('--reuid', user, '--regid', String(groupOf(user)), '--init-groups');
    const child = spawn('setpriv', [...prefix, file, ...args], options);
    child.ended = new Promise((resolve) =>
        child.once('exit', (code, signal) => resolve({ code, signal })));
    return child;
}

/** [uid, gid] of a user of this machine. */
export function idsOf(user) {
    const line = readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(`${user}:`));
    if (!line) throw new Error(`there is no user ${user} on this machine`);
    return line.split(':').slice(2, 4).map(Number);
}

function groupOf(user) {
    return idsOf(user)[1];
}

/** {pid, ppid, comm, state} of every process, and none that ended while we looked. */
export function processTable() {
    const table = [];
    for (const name of readdirSync('/proc')) {
        if (!/^\d+$/.test(name)) continue;
        try {
            const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
            const end = stat.lastIndexOf(')');
            const [state, ppid] = stat.slice(end + 2).split(' ');
            table.push({
                pid: Number(name), ppid: Number(ppid), comm: stat.slice(stat.indexOf('(') + 1, end), state,
            });
        } catch {
            continue;
        }
    }
    return table;
}

/** The living descendants of a process, parents before children. */
export function descendants(pid) {
    const table = processTable();
    const found = [];
    const walk = (parent) => {
        for (const p of table.filter((row) => row.ppid === parent)) {
            if (p.state !== 'Z') found.push(p);
            walk(p.pid);
        }
    };
    walk(pid);
    return found;
}

export function isAlive(pid) {
    try {
        return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch {
        return false;
    }
}
