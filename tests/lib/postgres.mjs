// Private PostgreSQL clusters on loopback: one for a whole test run, more for tests that stop or kill theirs.
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync }
    from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { cleanup, descendants, freePort, idsOf, isAlive, mustRun, run, spawnBound, tempDir, until }
    from './process.mjs';
import { stateDir } from './state.mjs';

// PostgreSQL refuses to run as root.
export const PG_USER = process.getuid() === 0 ? 'postgres' : undefined;

// What is lost when the machine loses power; a killed server loses nothing by these.
const FAST = { fsync: 'off', full_page_writes: 'off' };

/** The folder of the newest PostgreSQL's programs on this machine. */
export function pgBin() {
    const base = '/usr/lib/postgresql';
    const versions = existsSync(base) ? readdirSync(base).map(Number).filter(Boolean) : [];
    const found = versions.sort((a, b) => b - a).find((v) => existsSync(`${base}/${v}/bin/postgres`));
    if (!found) throw new Error(`no PostgreSQL server under ${base}`);
    return `${base}/${found}/bin`;
}

async function asPgUser(file, args) {
    if (!PG_USER) return mustRun(file, args, { cwd: '/' });
    return mustRun('setpriv', ['--reuid', PG_USER, '--regid', PG_USER, '--init-groups', file, ...args], { cwd: '/' });
}

async function initCluster(dir) {
    mkdirSync(dir, { recursive: true });
    if (PG_USER) chownSync(dir, ...idsOf(PG_USER));
    chmodSync(dir, 0o700);
    await asPgUser(`${pgBin()}/initdb`, ['-D', dir, '-U', 'postgres', '--auth=trust', '-E', 'UTF8',
        '--locale=C.UTF-8', '--no-sync']);
}

/** initdb takes seconds, a copy of its work does not. */
async function copyCluster(dir) {
    const pattern = await stateDir(`pg-template-${path.basename(path.dirname(pgBin()))}`, PG_USER);
    if (!existsSync(`${pattern}/PG_VERSION`)) {
        const fresh = mkdtempSync(`${pattern}.`);
        await initCluster(fresh);
        // Whoever comes second finds the folder there and uses it.
        await run('mv', ['-T', fresh, pattern]);
        rmSync(fresh, { recursive: true, force: true });
    }
    await mustRun('cp', ['-a', '-T', pattern, dir]);
}

export class Postgres {
    /** settings are those of postgresql.conf; what lies in dir already is kept. */
    constructor({ dir, sockets, settings = {}, detached = false }) {
        this.dir = dir;
        this.sockets = sockets;
        this.settings = settings;
        this.detached = detached; // from our terminal, whose Ctrl-C would reach it before its users have ended
    }

    /** For any database of the cluster, by default as the superuser. */
    url(database = 'postgres', user = 'postgres') {
        return `postgresql://${user}@127.0.0.1:${this.port}/${database}`;
    }

    async start() {
        if (!existsSync(path.join(this.dir, 'PG_VERSION'))) await initCluster(this.dir);
        this.port ??= await freePort();
        const settings = {
            port: this.port, listen_addresses: '127.0.0.1', unix_socket_directories: this.sockets,
            synchronous_commit: 'on', logging_collector: 'off', max_connections: 400, timezone: 'UTC',
            ...this.settings,
        };
        const args = ['-D', this.dir];
        for (const [key, value] of Object.entries(settings)) args.push('-c', `${key}=${value}`);
        this.logFile = path.join(this.sockets, 'postgresql.log');
        const log = openSync(this.logFile, 'a');
        await until(async () => {
            if (!this.child || !isAlive(this.child.pid))
                // After a kill -9 the old backends may hold the shared memory for a moment; then it is tried again.
                this.child = spawnBound(`${pgBin()}/postgres`, args,
                    { user: PG_USER, cwd: '/', stdio: ['ignore', log, log], detached: this.detached });
            await once(this.url(), 'select 1');
            return true;
        }, { timeout: 60_000, step: 50, what: `PostgreSQL starts; its log is ${this.logFile}` });
        return this;
    }

    /** How: 'fast' (the usual), 'immediate' (as after a crash), 'kill' (kill -9 of every process of it). */
    async stop(how = 'fast') {
        const child = this.child;
        if (!child) return;
        this.child = null;
        const all = [child.pid, ...descendants(child.pid).map((p) => p.pid)];
        if (how === 'kill') for (const pid of all) tryKill(pid, 'SIGKILL');
        else tryKill(child.pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
        await until(() => !all.some(isAlive), { timeout: 30_000, what: 'PostgreSQL is gone' });
    }

    get logText() { return readFileSync(this.logFile, 'utf8'); }
}

function tryKill(pid, signal) {
    try {
        process.kill(pid, signal);
    } catch (error) {
        if (error.code !== 'ESRCH') throw error;
    }
}

/** One statement on a connection of its own. */
export async function once(url, sql, params) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
        return (await client.query(sql, params)).rows;
    } finally {
        await client.end();
    }
}

function socketDir(t) {
    const dir = tempDir(t, 'vv-pg-');
    if (PG_USER) chownSync(dir, ...idsOf(PG_USER));
    return dir;
}

/** A cluster of the test's own, which it may stop('kill') and start() again. */
export async function startPostgres(t, settings = {}) {
    const sockets = socketDir(t);
    const dir = path.join(sockets, 'data');
    await copyCluster(dir);
    const cluster = new Postgres({ dir, sockets, settings: { ...FAST, shared_buffers: '32MB', ...settings } });
    await cluster.start();
    cleanup(t, () => cluster.stop('immediate'));
    return cluster;
}

let own;

/** The run's cluster as `./dev test` started it; without that (one file run by hand) one for this process. */
async function sharedUrl() {
    if (process.env.VV_PG_URL) return process.env.VV_PG_URL;
    // It outlives every test of the file, and must not keep the file from ending: its death is bound to ours.
    const ends = [];
    own ??= startPostgres({ after: (fn) => ends.push(fn) }).then((cluster) => {
        cluster.child.unref();
        process.on('exit', () => rmSync(path.dirname(cluster.dir), { recursive: true, force: true }));
        return cluster.url();
    });
    return own;
}

let counter = 0;

/** A new empty database with an owner of its own: {url, name, query(sql, params)}. */
export async function freshDatabase(t, cluster) {
    const admin = cluster ? cluster.url() : await sharedUrl();
    const name = `vv_${process.pid}_${++counter}`;
    await once(admin, `create role ${name} login`);
    await once(admin, `create database ${name} owner ${name}`);
    const url = new URL(admin);
    url.pathname = `/${name}`;
    url.username = name;
    const pool = new pg.Pool({ connectionString: url.href, max: 4 });
    pool.on('error', () => {}); // a killed server is what some tests are about
    cleanup(t, async () => {
        await pool.end();
        // A cluster of the test's own, or of this process, goes with all that is in it.
        if (cluster || own) return;
        await once(admin, `drop database if exists ${name} with (force)`);
        await once(admin, `drop role if exists ${name}`);
    });
    return {
        name, url: url.href, admin,
        query: async (sql, params) => (await pool.query(sql, params)).rows,
        connect: () => pool.connect(),
    };
}
