// ./dev run: PostgreSQL, the mail catcher, Stripe's stand-in and the server on loopback, until Ctrl-C; .dev/ keeps the state.
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EximServer } from '../peers/mail/exim.mjs';
import { StripePeer } from '../peers/stripe/server.mjs';
import { mailSection, planSections, stripeSection, toIni } from './config.mjs';
import { once, PG_USER, Postgres } from './postgres.mjs';
import { BUILD, canConnect, idsOf, ROOT, spawnBound, tempDir, until } from './process.mjs';
import { DEV, removeState, stateDir } from './state.mjs';

const PORT = Number(process.env.VV_DEV_PORT || 8000);
const URL_ = `http://127.0.0.1:${PORT}`;
const MAIL_USER = process.getuid() === 0 ? 'nobody' : undefined;
const LOG = path.join(DEV, 'server.log');
const started = [];

async function startDatabase() {
    const sockets = tempDir(null, 'vv-pg-');
    started.push(() => rmSync(sockets, { recursive: true }));
    if (PG_USER) chownSync(sockets, ...idsOf(PG_USER));
    const cluster = new Postgres({ dir: await stateDir('pg', PG_USER), sockets, detached: true });
    await cluster.start();
    started.push(() => cluster.stop());
    if (!(await once(cluster.url(), "select from pg_database where datname = 'vvserver'")).length) {
        await once(cluster.url(), 'create role vvserver login');
        await once(cluster.url(), 'create database vvserver owner vvserver');
    }
    return cluster.url('vvserver', 'vvserver');
}

async function startMailCatcher() {
    const mail = new EximServer(await stateDir('mail', MAIL_USER), { detached: true });
    await mail.prepare();
    await mail.start();
    started.push(() => mail.stop());
    return mail;
}

/** Secrets are drawn once, so that tokens stay good between runs. */
function secret(name) {
    const file = path.join(DEV, 'secrets', name);
    if (!existsSync(file)) {
        mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
        writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
    }
    return file;
}

/** Stripe's stand-in, where this build has the plugin that speaks to it. */
async function startStripeStandIn() {
    if (!existsSync(path.join(BUILD, 'lib/vvserver/plugins/stripe.so'))) return null;
    const dir = await stateDir('stripe');
    mkdirSync(dir, { recursive: true });
    // The same port again if it can be had: open checkouts have pages there.
    const portFile = path.join(dir, 'port');
    const kept = existsSync(portFile) ? Number(readFileSync(portFile, 'utf8')) : 0;
    const stripe = new StripePeer({
        port: kept && !await canConnect(kept) ? kept : 0,
        stateFile: path.join(dir, 'state.json'), retry: [500, 1000, 2000, 5000],
        secretKey: `sk_test_${readFileSync(secret('stripe_key'), 'utf8')}`,
        webhookSecret: `whsec_${readFileSync(secret('stripe_webhook'), 'utf8')}`,
    });
    await stripe.start();
    writeFileSync(portFile, String(stripe.port));
    started.push(() => stripe.stop());
    stripe.listen(`${URL_}/webhooks/stripe`);
    return stripe;
}

function writeConfig(databaseUrl, mail, stripe) {
    const file = path.join(DEV, 'vvserver.ini');
    writeFileSync(file, toIni({
        server: {
            listen: `127.0.0.1:${PORT}`, public_url: URL_, log_format: 'text',
            plugin_dir: path.join(BUILD, 'lib/vvserver/plugins'),
        },
        database: { url: databaseUrl, migrations_dir: path.join(ROOT, 'sql') },
        auth: { enabled: 'true', jwt_secret_file: secret('jwt') },
        mail: { enabled: 'true', ...mailSection(mail) },
        ...(stripe && { stripe: { enabled: 'true', ...stripeSection(stripe) }, ...planSections() }),
    }));
    chmodSync(file, 0o600);
    return file;
}

async function startVvserver(config) {
    const log = openSync(LOG, 'w');
    const child = spawnBound(path.join(BUILD, 'bin/vvserverd'), ['-c', config],
        { stdio: ['ignore', log, log], detached: true });
    started.push(async () => {
        child.kill('SIGTERM');
        await child.ended;
    });
    await until(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return true;
        return (await fetch(`${URL_}/health/ready`)).ok;
    }, { timeout: 30_000, what: `${URL_}/health/ready answers 200; the log is ${LOG}` });
    return child;
}

/** The tour is README's, so that what is printed is what the tests run. */
function tour() {
    const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
    return readme.split(/^## /m).find((section) => section.startsWith('A tour')).match(/```sh\n(.*?)```/s)[1]
        .replaceAll('http://127.0.0.1:8000', URL_);
}

async function stopAll() {
    for (const stop of started.splice(0).reverse())
        try {
            await stop();
        } catch (error) {
            console.error(error.message);
        }
}

async function main() {
    if (await canConnect(PORT))
        throw new Error(`something listens on 127.0.0.1:${PORT} already; is another ./dev run active?`);
    if (process.argv.includes('--reset')) {
        await removeState('pg', PG_USER);
        await removeState('mail', MAIL_USER);
        await removeState('stripe');
        await removeState('secrets');
    }
    const stopped = new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve('signal'));
    });
    const databaseUrl = await startDatabase();
    const mail = await startMailCatcher();
    const stripe = await startStripeStandIn();
    const server = await startVvserver(writeConfig(databaseUrl, mail, stripe));
    if (server.exitCode === null)
        console.log(`\nvvserver listens on ${URL_}. Database: ${databaseUrl}\n`
            + `Its configuration is ${path.relative(ROOT, DEV)}/vvserver.ini, its log server.log beside it. `
            + `Ctrl-C ends everything.\n\n`
            + (stripe ? `Stripe's stand-in is ${stripe.apiBase}; checkouts are paid on pages of its own.\n\n` : '')
            + `A tour, to copy and paste in another terminal, in this folder:\n\n${tour()}`);
    if (await Promise.race([stopped, server.ended]) !== 'signal')
        throw new Error(`the server ended by itself:\n${readFileSync(LOG, 'utf8').split('\n').slice(-30).join('\n')}`);
}

try {
    await main();
} catch (error) {
    console.error(`dev: ${error.message}`);
    process.exitCode = 1;
}
await stopAll();
process.exit();
