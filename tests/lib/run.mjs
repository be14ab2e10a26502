// ./dev run: the server with every plugin and all that it speaks to, on loopback, until Ctrl-C; .dev/ keeps the state.
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { BUILD, canConnect, ROOT, spawnBound, until } from './process.mjs';
import { PORT, URL_, writeConfig } from './run-config.mjs';
import { atEnd, endAll, forgetState, startDatabase, startMailCatcher, startStripe } from './run-parts.mjs';
import { shellOf } from './readme.mjs';
import { DEV } from './state.mjs';

const LOG = path.join(DEV, 'server.log');

async function startVvserver(config) {
    const log = openSync(LOG, 'w');
    const child = spawnBound(path.join(BUILD, 'bin/vvserverd'), ['-c', config],
        { stdio: ['ignore', log, log], detached: true });
    atEnd(async () => {
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
function greeting({ databaseUrl, mail, stripe }) {
    const tour = shellOf('README.md', 'A tour')[0].replaceAll('http://127.0.0.1:8000', URL_);
    return [
        '', `vvserver listens on ${URL_}; ${URL_}/docs shows what it answers.`, '',
        `  mails        ${mail.pages.url}`,
        stripe && `  Stripe       ${stripe.apiBase}, a stand-in; checkouts are paid on pages of its own`,
        `  database     ${databaseUrl}`,
        `  in ${path.relative(ROOT, DEV)}/     vvserver.ini, its configuration; server.log, its log`, '',
        'Ctrl-C ends everything. `./dev journey`, in another terminal, walks through all of it by itself.',
        'A tour, to copy and paste there, in this folder:', '', tour,
    ].filter((line) => line !== null).join('\n');
}

async function main() {
    if (await canConnect(PORT))
        throw new Error(`something listens on 127.0.0.1:${PORT} already; is another ./dev run active?`);
    if (process.argv.includes('--reset')) await forgetState();
    const stopped = new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve('signal'));
    });
    const parts = { databaseUrl: await startDatabase(), mail: await startMailCatcher(), stripe: await startStripe() };
    const server = await startVvserver(writeConfig(parts));
    if (server.exitCode === null) console.log(greeting(parts));
    if (await Promise.race([stopped, server.ended]) !== 'signal')
        throw new Error(`the server ended by itself:\n${readFileSync(LOG, 'utf8').split('\n').slice(-30).join('\n')}`);
}

try {
    await main();
} catch (error) {
    console.error(`dev: ${error.message}`);
    process.exitCode = 1;
}
await endAll();
process.exit();
