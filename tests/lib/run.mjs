// ./dev run: the server with every plugin and all that it speaks to, on loopback, until Ctrl-C; .dev/ keeps the state.
import { openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { BUILD, canConnect, ROOT, spawnBound, until } from './process.mjs';
import { has, PORT, URL_, writeConfig } from './run-config.mjs';
import { atEnd, endAll, forgetState, startAws, startDatabase, startMailCatcher, startStripe } from './run-parts.mjs';
import { shellOf } from './readme.mjs';
import { DEV } from './state.mjs';

const LOG = path.join(DEV, 'server.log');

async function startVvserver(config, env) {
    const log = openSync(LOG, 'w');
    const child = spawnBound(path.join(BUILD, 'bin/vvserverd'), ['-c', config],
        { stdio: ['ignore', log, log], detached: true, env });
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

const short = (file) => path.relative(ROOT, path.join(DEV, file));

/** The tour is README's, so that what is printed is what the tests run. */
function greeting({ databaseUrl, mail, stripe, aws }) {
    const tour = shellOf('README.md', 'A tour')[0].replaceAll('http://127.0.0.1:8000', URL_).replaceAll('.dev/', `${short('')}/`);
    const doctor = `${path.relative(ROOT, BUILD)}/bin/vvctl -c ${short('vvserver.ini')} doctor`;
    const keys = aws?.environment.AWS_SHARED_CREDENTIALS_FILE;
    return [
        '', `vvserver listens on ${URL_}; ${URL_}/docs shows what it answers.`, '',
        `  mails          ${mail.pages.url}`,
        stripe && `  Stripe         ${stripe.apiBase}, a stand-in; checkouts are paid on pages of its own`,
        aws && `  AWS            ${aws.endpoint}, a stand-in of STS; what it hands out opens nothing`,
        `  database       ${databaseUrl}`,
        `  configuration  ${short('vvserver.ini')}`,
        `  log            ${short('server.log')}`,
        has('apikeys') && `  service token  ${short('secrets/service_token')}, for back ends that validate API keys`,
        `  doctor         ${keys ? `AWS_SHARED_CREDENTIALS_FILE=${path.relative(ROOT, keys)} ` : ''}${doctor}`, '',
        'Ctrl-C ends everything. `./dev journey`, in another terminal, walks through all of it by itself.',
        'A tour, to copy and paste there, in this folder:', '', tour,
    ].filter((line) => line !== null && line !== false).join('\n');
}

async function main() {
    if (await canConnect(PORT))
        throw new Error(`something listens on 127.0.0.1:${PORT} already; is another ./dev run active?`);
    if (process.argv.includes('--reset')) await forgetState();
    const stopped = new Promise((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => resolve('signal'));
    });
    const parts = {
        databaseUrl: await startDatabase(), mail: await startMailCatcher(), stripe: await startStripe(), aws: await startAws(),
    };
    // The server's own keys of AWS come as they usually do.
    const server = await startVvserver(writeConfig(parts), { ...process.env, ...parts.aws?.environment });
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
