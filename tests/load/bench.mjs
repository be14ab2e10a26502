// The measurements: ratios against nginx, pgbench and bare bcrypt, all in one run on one machine.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { login, newUser, PASSWORD } from '../lib/accounts.mjs';
import { pgBin, startPostgres } from '../lib/postgres.mjs';
import { BUILD, mustRun, ROOT, tempDir } from '../lib/process.mjs';
import { startServer } from '../lib/server.mjs';
import { benchWebhooks } from './webhooks.mjs';
import { compare, median, misses, pgbench, report, SECONDS, startNginx, wrk } from './tools.mjs';

const USERS = 100_000;
const TOKENS = 10_000;
const here = path.join(ROOT, 'tests/load');
const ends = [];
const t = { after: (fn) => ends.push(fn) };

async function serve(cluster, config = {}) {
    return startServer(t, {
        plugins: ['auth', 'mail'], postgres: cluster,
        config: { ...config, server: { log_level: 'warning', ...config.server } },
    });
}

async function benchLive(s) {
    const body = (await s.get('/health/live')).text;
    const nginx = await startNginx(t, body);
    const figures = await compare({
        nginx: async () => (await wrk(nginx)).rate,
        vvserver: async () => (await wrk(`${s.url}/health/live`)).rate,
    });
    report('GET /health/live against nginx', figures.vvserver / figures.nginx, 0.6,
        `${Math.round(figures.vvserver)}/s against ${Math.round(figures.nginx)}/s`);
}

/** 100,000 users who all have one password; the first 10,000 signed in. */
async function fill(s) {
    const first = await newUser(s, { email: 'user0@bench.test' });
    await s.db.query(`insert into users (email, password_hash, first_name, last_name, email_verified)
        select 'user' || n || '@bench.test', (select password_hash from users where id = $1), 'Ada', 'Lovelace', true
        from generate_series(1, $2::int - 1) n`, [first.id, USERS]);
    await s.db.query('analyze users');
    const tokens = [];
    let next = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (next < TOKENS) {
            const signedIn = await login(s, { email: `user${next++}@bench.test`, password: PASSWORD });
            tokens.push(signedIn.token);
        }
    }));
    const file = path.join(tempDir(t), 'tokens');
    writeFileSync(file, `${tokens.join('\n')}\n`);
    return file;
}

async function benchProfile(s, cluster, tokens) {
    const figures = await compare({
        pgbench: () => pgbench(cluster.url(), ['-S']),
        vvserver: async () => (await wrk(s.url, { script: path.join(here, 'profile.lua'), args: [tokens] })).rate,
    });
    report(`GET /profile, ${TOKENS} users, against pgbench -S`, figures.vvserver / figures.pgbench, 0.4,
        `${Math.round(figures.vvserver)}/s against ${Math.round(figures.pgbench)}/s`);
}

/** Asks /health/live one after the other until `done`, and gives the 99th percentile in milliseconds. */
async function probe(s, done) {
    const times = [];
    while (!done.now) {
        const began = performance.now();
        await s.get('/health/live');
        times.push(performance.now() - began);
        await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)];
}

async function benchLogin(s, cost) {
    const program = path.join(tempDir(t), 'bcrypt_rate');
    await mustRun('cc', ['-O2', '-D_GNU_SOURCE', '-o', program, path.join(here, 'bcrypt_rate.c'), '-lcrypt']);
    const p99 = [];
    const figures = await compare({
        bcrypt: async () => Number((await mustRun(program, [String(cost), String(SECONDS)])).stdout),
        logins: async () => {
            const done = { now: false };
            const probing = probe(s, done);
            let answered = 0;
            const began = performance.now();
            const end = began + SECONDS * 1000;
            let last = began;
            await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
                while (performance.now() < end) {
                    await login(s, { email: `user${lane}@bench.test`, password: PASSWORD });
                    answered++;
                    last = performance.now();
                }
            }));
            done.now = true;
            p99.push(await probing);
            return answered / ((last - began) / 1000);
        },
    });
    report(`logins against bare bcrypt (cost ${cost}, one thread)`, figures.logins / figures.bcrypt, 0.9,
        `${figures.logins.toFixed(2)}/s against ${figures.bcrypt.toFixed(2)}/s`);
    report('10 ms against the p99 of /health/live meanwhile', 10 / median(p99), 1, `${median(p99).toFixed(1)} ms`);
}

async function main() {
    const cluster = await startPostgres(t, { shared_buffers: '1GB', fsync: 'on', full_page_writes: 'on' });
    await mustRun(`${pgBin()}/pgbench`, ['-i', '-q', '-s', '1', cluster.url()]);
    console.log(`median of runs of ${SECONDS} s, shared_buffers 1 GB, ${USERS} users, build ${BUILD}`);
    const cheap = await serve(cluster);
    await benchLive(cheap);
    const tokens = await fill(cheap);
    await benchProfile(cheap, cluster, tokens);
    await benchWebhooks(t, cluster);
    const dear = await startServer(t, {
        plugins: ['auth', 'mail'], database: cheap.db, mail: cheap.mail,
        config: { auth: { bcrypt_cost: 12 }, server: { log_level: 'warning' } },
    });
    for (let lane = 0; lane < 4; lane++) // the cost is raised at the first login
        await login(dear, { email: `user${lane}@bench.test`, password: PASSWORD });
    await benchLogin(dear, 12);
}

try {
    await main();
} finally {
    for (const end of ends.reverse()) await end();
}
process.exitCode = misses() > 0 ? 1 : 0;
