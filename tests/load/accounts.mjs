// How fast people are known and let in: /profile against pgbench's SELECT, logins against bare bcrypt.
import path from 'node:path';
import { login, PASSWORD } from '../lib/accounts.mjs';
import { mustRun, ROOT, tempDir } from '../lib/process.mjs';
import { compare, median, pgbench, report, SECONDS, wrk } from './tools.mjs';

const here = path.join(ROOT, 'tests/load');

/** tokens: a file of those of people who are signed in. */
export async function benchProfile(s, cluster, tokens, what) {
    const figures = await compare({
        pgbench: () => pgbench(cluster.url(), ['-S']),
        vvserver: async () => (await wrk(s.url, { script: path.join(here, 'profile.lua'), args: [tokens] })).rate,
    });
    report(`GET /profile, ${what}, against pgbench -S`, figures.vvserver / figures.pgbench, 0.4,
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

/** s: a server whose bcrypt cost is this one, with the users of fillAccounts(). */
export async function benchLogin(t, s, cost) {
    const program = path.join(tempDir(t), 'bcrypt_rate');
    await mustRun('cc', ['-O2', '-D_GNU_SOURCE', '-o', program, path.join(here, 'bcrypt_rate.c'), '-lcrypt']);
    const person = (lane) => ({ email: `user${lane}@bench.test`, password: PASSWORD });
    for (let lane = 0; lane < 4; lane++) await login(s, person(lane)); // the cost is raised at the first login
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
                    await login(s, person(lane));
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
