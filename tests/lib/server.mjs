// The real server under test: its configuration, its start and end, its log, its processes.
import assert from 'node:assert/strict';
import { existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { defaults, linkPlugins, merge, toIni } from './config.mjs';
import { dropIdle, raw, request } from './http.mjs';
import { freshDatabase } from './postgres.mjs';
import { startAws } from '../peers/aws/index.mjs';
import { startMail } from '../peers/mail/index.mjs';
import { startStripe } from '../peers/stripe/index.mjs';
import { BUILD, cleanup, descendants, freePort, isAlive, run, spawnBound, tempDir, until } from './process.mjs';

const SANITIZER = /ERROR: (Address|Leak|Thread)Sanitizer|runtime error: |WARNING: ThreadSanitizer/;
const STOP_DEADLINE = 20_000;

/**
 * Starts vvserverd for test t (anything with after() will do, node:test's module too) and waits until it is ready.
 * Options: plugins: names to enable; config: {section: {key: value}} laid over the defaults; pluginDir; env; args;
 * waitReady: false | 'live' (up, database or not) | true; database: one of freshDatabase(), false for none;
 * postgres: a cluster of startPostgres() to make the database in; mail: one of startMail() (made when "mail" is on);
 * stripe: one of startStripe() (made when "stripe" is on; its webhooks come here); aws: one of startAws() (made when "aws" is
 * on; its keys are in the environment, under what env says); program: another vvserverd than the build's.
 */
export async function startServer(t, options = {}) {
    const server = new Server(t, options);
    await server.prepare();
    if (options.start !== false) await server.start();
    return server;
}

export class Server {
    constructor(t, options) {
        this.t = t;
        this.options = { plugins: [], waitReady: true, ...options };
        this.dir = tempDir(t, 'vv-srv-');
        this.ini = path.join(this.dir, 'vvserver.ini');
        this.logFile = path.join(this.dir, 'server.log');
    }

    async prepare() {
        const { plugins, config, pluginDir, postgres } = this.options;
        if (plugins.includes('mail')) this.mail = this.options.mail ?? await startMail(this.t);
        if (plugins.includes('stripe')) this.stripe = this.options.stripe ?? await startStripe(this.t);
        if (plugins.includes('aws')) this.aws = this.options.aws ?? await startAws(this.t);
        this.db = this.options.database === false ? null
            : this.options.database ?? await freshDatabase(this.t, postgres);
        this.databaseUrl = this.db?.url;
        this.port = await freePort();
        this.url = `http://127.0.0.1:${this.port}`;
        this.stripe?.listen(`${this.url}/webhooks/stripe`);
        this.pluginDir = pluginDir ?? linkPlugins(path.join(this.dir, 'plugins'), plugins);
        this.config = merge(defaults({ ...this, plugins }), config);
        this.writeConfig();
        cleanup(this.t, () => this.#end());
    }

    /** Writes the INI again, with changes laid over what it was; reload() makes them count. */
    writeConfig(changes) {
        this.config = merge(this.config, changes);
        writeFileSync(this.ini, toIni(this.config));
    }

    async start() {
        const { args = [], waitReady, program = path.join(BUILD, 'bin/vvserverd') } = this.options;
        const log = openSync(this.logFile, 'a');
        this.stopping = false;
        this.child = spawnBound(program, ['-c', this.ini, ...args], {
            stdio: ['ignore', log, log], env: this.env,
        });
        this.pid = this.child.pid;
        if (waitReady === false) return;
        const path_ = waitReady === 'live' ? '/health/live' : '/health/ready';
        try {
            await until(async () => {
                return !this.running || (await this.get(path_, { timeout: 2_000 })).status === 200;
            }, { timeout: 20_000, what: `${path_} is 200` });
            if (!this.running) throw new Error('the server ended');
        } catch (error) {
            throw new Error(`the server did not get ready; its log:\n${tail(this.logText)}`, { cause: error });
        }
    }

    /** What its processes, and vvctl, find in their environment. */
    get env() { return { ...process.env, ...this.aws?.env(), ...this.options.env }; }

    get running() { return this.child.exitCode === null && this.child.signalCode === null; }

    request(method, where, options) { return request(this.url, method, where, options); }
    get(where, options) { return this.request('GET', where, options); }
    post(where, body, options) { return this.request('POST', where, { body, ...options }); }
    patch(where, body, options) { return this.request('PATCH', where, { body, ...options }); }
    delete(where, options) { return this.request('DELETE', where, options); }
    raw(bytes, options) { return raw(this.port, bytes, options); }

    get logText() { return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : ''; }

    /** The log's JSON lines; what is not JSON (a sanitizer's report) is in logText only. */
    get log() {
        return this.logText.split('\n').filter((line) => line.startsWith('{')).flatMap((line) => {
            try {
                return [JSON.parse(line)];
            } catch {
                return []; // a line that is being written
            }
        });
    }

    /** Waits for a log line, from line number `from` on: predicate is a function, or a pattern for the message. */
    waitLog(predicate, { from = 0, timeout = 10_000 } = {}) {
        const matches = typeof predicate === 'function' ? predicate : (line) => predicate.test(JSON.stringify(line));
        return until(() => this.log.slice(from).find(matches), { timeout, what: `a log line ${predicate}` });
    }

    /** [{pid, ppid, role}]: role is supervisor, leader, worker, jobs, or the process's plain name. */
    processes(role) {
        const all = [{ pid: this.pid, ppid: process.pid, comm: 'vv:supervisor' }, ...descendants(this.pid)]
            .map(({ pid, ppid, comm }) => ({ pid, ppid, role: comm.replace(/^vv:/, '') }));
        return role ? all.filter((p) => p.role === role) : all;
    }

    kill(pid, signal = 'SIGKILL') { process.kill(pid, signal); }

    /** SIGHUP, and waits until a new leader stands and the old one is gone. */
    async reload({ timeout = 20_000 } = {}) {
        const old = new Set(this.processes('leader').map((p) => p.pid));
        this.kill(this.pid, 'SIGHUP');
        await until(() => {
            const leaders = this.processes('leader');
            return leaders.length === 1 && !old.has(leaders[0].pid)
                && this.processes('worker').length === this.processes('worker').filter(
                    (p) => p.ppid === leaders[0].pid).length;
        }, { timeout, what: 'a new generation took over' });
    }

    /** SIGTERM, and expects a clean end within the deadline. */
    async stop() {
        if (!this.child || this.stopping) return;
        this.stopping = true;
        const family = this.processes().map((p) => p.pid);
        dropIdle();
        if (this.running) this.child.kill('SIGTERM');
        let late;
        const timer = setTimeout(() => {
            late = true;
            for (const pid of [this.pid, ...descendants(this.pid).map((p) => p.pid)])
                try { process.kill(pid, 'SIGKILL'); } catch { continue; }
        }, STOP_DEADLINE);
        const { code, signal } = await this.child.ended;
        clearTimeout(timer);
        assert.ok(!late, `the server did not end within ${STOP_DEADLINE} ms of SIGTERM:\n${tail(this.logText)}`);
        assert.equal(code, 0, `the server ended with ${signal ?? code}:\n${tail(this.logText)}`);
        await until(() => !family.some(isAlive), { timeout: 5_000, what: 'no process of the server is left' });
    }

    /** kill -9 of the whole process tree, as if the machine had gone; start() begins again on the same state. */
    async crash() {
        const family = this.processes().map((p) => p.pid);
        this.stopping = true;
        for (const pid of family) try { process.kill(pid, 'SIGKILL'); } catch { continue; }
        await until(() => !family.some(isAlive), { what: 'the server is gone' });
    }

    async #end() {
        try {
            await this.stop();
            const report = this.logText.match(SANITIZER);
            if (report) assert.fail(`a sanitizer complained:\n${this.logText.slice(report.index, report.index + 6000)}`);
        } finally {
            if (this.t.passed === false) this.t.diagnostic?.(`end of the server's log:\n${tail(this.logText)}`);
        }
    }
}

function tail(text, lines = 60) {
    return text.split('\n').slice(-lines).join('\n');
}

/** vvctl with a server's configuration → {code, stdout, stderr} */
export function vvctl(server, args, options) {
    return run(path.join(BUILD, 'bin/vvctl'), ['-c', server.ini, ...args], { env: server.env, ...options });
}

/** vvserverd without serving: args such as ['--check'] or ['--show-routes'] on INI text or a config object. */
export function check(t, config, args = ['--check'], options = {}) {
    const file = path.join(tempDir(t, 'vv-chk-'), 'vvserver.ini');
    writeFileSync(file, typeof config === 'string' ? config : toIni(config));
    return run(path.join(BUILD, 'bin/vvserverd'), ['-c', file, ...args], options)
        .then((result) => ({ ...result, file }));
}
