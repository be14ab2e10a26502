// How fast what touches nothing is answered: /health/live against nginx, and garbage instead of keys against /health/live.
import path from 'node:path';
import { ROOT } from '../lib/process.mjs';
import { compare, report, startNginx, wrk } from './tools.mjs';

const script = path.join(ROOT, 'tests/load/garbage.lua');

export async function benchLive(t, s) {
    const body = (await s.get('/health/live')).text;
    const nginx = await startNginx(t, body);
    const figures = await compare({
        nginx: async () => (await wrk(nginx)).rate,
        vvserver: async () => (await wrk(`${s.url}/health/live`)).rate,
    });
    report('GET /health/live against nginx', figures.vvserver / figures.nginx, 0.6,
        `${Math.round(figures.vvserver)}/s against ${Math.round(figures.nginx)}/s`);
}

/** How many transactions the server's database has seen, those of the last second included. */
async function transactions(s) {
    // A backend that is busy tells of them once a second.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const [{ count }] = await s.db.query('select xact_commit + xact_rollback as count from pg_stat_database'
        + ' where datname = current_database()');
    return Number(count);
}

/** Random texts as keys: refused by their form, while the database does what it does without any calls. */
export async function benchGarbage(s) {
    let seen = 0;
    let refusals = 0;
    const figures = await compare({
        live: async () => (await wrk(s.url, { script, args: ['/health/live'] })).rate,
        garbage: async () => {
            const before = await transactions(s);
            const { rate, requests } = await wrk(s.url, { script, args: ['/api-keys/authorize', 'X-API-Key'], refused: true });
            seen += await transactions(s) - before;
            refusals += requests;
            return rate;
        },
    });
    report('garbage keys on GET /api-keys/authorize against GET /health/live', figures.garbage / figures.live, 0.8,
        `${Math.round(figures.garbage)}/s against ${Math.round(figures.live)}/s`);
    // What runs by the clock goes on meanwhile.
    report('garbage refused against 100 times the transactions of the database', refusals / (100 * Math.max(seen, 1)), 1,
        `${refusals} refused, ${seen} transactions`);
}
