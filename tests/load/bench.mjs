// The measurements: ratios against nginx, pgbench and bare bcrypt, all in one run on one machine. ./dev bench [PATTERN]
import { pgBin, startPostgres } from '../lib/postgres.mjs';
import { BUILD, mustRun } from '../lib/process.mjs';
import { startServer } from '../lib/server.mjs';
import { benchLogin, benchProfile } from './accounts.mjs';
import { benchGarbage, benchLive } from './health.mjs';
import { fillAccounts, fillSubscribers, signIn } from './subscribers.mjs';
import { benchValidate } from './validate.mjs';
import { benchWebhooks } from './webhooks.mjs';
import { misses, SCALE, SECONDS } from './tools.mjs';

const USERS = Math.ceil(100_000 * SCALE);
const TOKENS = Math.ceil(10_000 * SCALE);
const ACCOUNTS = ['auth', 'mail'];
const EVERYTHING = ['auth', 'mail', 'stripe', 'usage', 'apikeys', 'aws'];
const ends = [];
const t = { after: (fn) => ends.push(fn) };

/** Made when it is asked for first; end() ends the server that was made. */
function lazily(make) {
    let made;
    return Object.assign(() => (made ??= make()), { end: async () => (await made)?.s.stop() });
}

const theCluster = lazily(async () => {
    const cluster = await startPostgres(t, { shared_buffers: '1GB', fsync: 'on', full_page_writes: 'on' });
    await mustRun(`${pgBin()}/pgbench`, ['-i', '-q', '-s', '1', cluster.url()]);
    return cluster;
});

const serve = async (plugins, more) => startServer(t, {
    plugins, postgres: await theCluster(), ...more,
    config: { server: { log_level: 'warning' }, ...more?.config },
});

/** A server with nothing but accounts, and one with every plugin and people who pay. */
const accounts = lazily(async () => {
    const s = await serve(ACCOUNTS);
    await fillAccounts(s, USERS);
    return s;
});

async function subscribers(users, calls) {
    // The users' own rates and quotas would end a bench that is only about speed.
    const s = await serve(EVERYTHING, {
        config: { usage: { rate_limit: '100000/s' }, 'plan:pro': { api_calls: 1_000_000_000 } },
    });
    return { s, users, calls, keys: await fillSubscribers(s, users, calls) };
}

const shop = lazily(() => subscribers(USERS, Math.ceil(1_000_000 * SCALE)));

/** In the order in which they run: each with the name that a pattern is looked for in. */
const BENCHES = {
    live: async () => benchLive(t, await accounts()),
    profile: async () => benchProfile(await accounts(), await theCluster(), await signIn(await accounts(), TOKENS),
        `${TOKENS} users`),
    webhooks: async () => benchWebhooks(t, await theCluster()),
    validate: async () => benchValidate(t, await theCluster(), { ...await shop(), bar: 1, steady: true }),
    'profile-all': async () => {
        const { s } = await shop();
        await benchProfile(s, await theCluster(), await signIn(s, TOKENS), `${TOKENS} users, every plugin on`);
    },
    garbage: async () => benchGarbage((await shop()).s),
    'validate-big': async () => {
        await shop.end(); // nobody asks it any more, but it goes on counting hours
        const big = await subscribers(Math.ceil(1_000_000 * SCALE), Math.ceil(10_000_000 * SCALE));
        await benchValidate(t, await theCluster(), { ...big, bar: 0.9 });
        await big.s.stop();
    },
    login: async () => {
        const { db, mail } = await accounts();
        await benchLogin(t, await serve(ACCOUNTS, {
            database: db, mail, config: { auth: { bcrypt_cost: 12 } },
        }), 12);
    },
};

async function main() {
    const pattern = process.argv[2] ?? '';
    const chosen = Object.keys(BENCHES).filter((name) => name.includes(pattern));
    if (!chosen.length) throw new Error(`no bench's name has "${pattern}"; there are ${Object.keys(BENCHES).join(', ')}`);
    console.log(`median of runs of ${SECONDS} s, shared_buffers 1 GB, ${USERS} users, build ${BUILD}`);
    for (const name of chosen) await BENCHES[name]();
}

try {
    await main();
} catch (error) {
    console.error(error.message);
    process.exitCode = 1;
} finally {
    for (const end of ends.reverse()) await end();
}
if (misses() > 0) process.exitCode = 1;
