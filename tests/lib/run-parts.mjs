// What ./dev run starts beside the server: PostgreSQL, the mail catcher with its pages, and the stand-ins of what it calls.
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AwsPeer } from '../peers/aws/server.mjs';
import { EximServer } from '../peers/mail/exim.mjs';
import { MailPages } from '../peers/mail/pages.mjs';
import { StripePeer } from '../peers/stripe/server.mjs';
import { once, PG_USER, Postgres } from './postgres.mjs';
import { canConnect, idsOf, tempDir } from './process.mjs';
import { has, SOLD, URL_ } from './run-config.mjs';
import { removeState, secret, stateDir } from './state.mjs';

const MAIL_USER = process.getuid() === 0 ? 'nobody' : undefined;

/** How to end what was started, in the order of starting. */
const ends = [];

export const atEnd = (fn) => ends.push(fn);

export async function endAll() {
    for (const end of ends.splice(0).reverse())
        try {
            await end();
        } catch (error) {
            console.error(error.message);
        }
}

export async function forgetState() {
    await removeState('pg', PG_USER);
    await removeState('mail', MAIL_USER);
    for (const name of ['stripe', 'aws', 'ports', 'secrets']) await removeState(name);
}

/** Starts a server on the port it had the last time, if that can be had: pages that people have open go on working. */
async function startOnPort(name, make) {
    const file = path.join(await stateDir('ports'), name);
    const kept = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
    const server = make(kept && !await canConnect(kept) ? kept : 0);
    await server.start();
    atEnd(() => server.stop());
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, String(server.port));
    return server;
}

export async function startDatabase() {
    const sockets = tempDir(null, 'vv-pg-');
    atEnd(() => rmSync(sockets, { recursive: true }));
    if (PG_USER) chownSync(sockets, ...idsOf(PG_USER));
    const cluster = new Postgres({ dir: await stateDir('pg', PG_USER), sockets, detached: true });
    await cluster.start();
    atEnd(() => cluster.stop());
    if (!(await once(cluster.url(), "select from pg_database where datname = 'vvserver'")).length) {
        await once(cluster.url(), 'create role vvserver login');
        await once(cluster.url(), 'create database vvserver owner vvserver');
    }
    return cluster.url('vvserver', 'vvserver');
}

export async function startMailCatcher() {
    const mail = new EximServer(await stateDir('mail', MAIL_USER), { detached: true });
    await mail.prepare();
    await mail.start();
    atEnd(() => mail.stop());
    mail.pages = await startOnPort('mail-pages', (port) => new MailPages(mail, port));
    return mail;
}

/** Stripe's stand-in, where this build has the plugin that speaks to it. */
export async function startStripe() {
    if (!has('stripe')) return null;
    const dir = await stateDir('stripe');
    mkdirSync(dir, { recursive: true });
    const stripe = await startOnPort('stripe', (port) => new StripePeer({
        port, stateFile: path.join(dir, 'state.json'), retry: [500, 1000, 2000, 5000], catalog: SOLD,
        secretKey: `sk_test_${secret('stripe_key')}`, webhookSecret: `whsec_${secret('stripe_webhook')}`,
    }));
    // What is sold may have changed since the state was kept.
    for (const [name, id, ...terms] of SOLD) if (!stripe.store.get(id)) stripe.sell(name, id, ...terms);
    stripe.listen(`${URL_}/webhooks/stripe`);
    return stripe;
}

/** AWS's stand-in, where this build has the plugin that speaks to it; where its keys lie is in aws.environment. */
export async function startAws() {
    if (!has('aws')) return null;
    const dir = await stateDir('aws');
    mkdirSync(dir, { recursive: true });
    const aws = await startOnPort('aws', (port) => new AwsPeer({ port, dir }));
    aws.environment = aws.env('profile');
    return aws;
}
