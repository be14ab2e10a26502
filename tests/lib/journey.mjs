// ./dev journey: walks from registering to deleting the account against the server of ./dev run, and shows every step.
import path from 'node:path';
import { EximServer } from '../peers/mail/exim.mjs';
import { hide, show } from './journey-print.mjs';
import { STEPS } from './journey-steps.mjs';
import { request } from './http.mjs';
import { BUILD, mustRun } from './process.mjs';
import { CONFIG, URL_ } from './run-config.mjs';
import { DEV } from './state.mjs';

/** What the steps share: whom they are about, how they ask, and that everything they see is printed. */
class Journey {
    constructor() {
        this.email = `ada.${Date.now().toString(36)}@example.com`;
        this.password = 'Tr0mbone-and-cello';
        this.mail = new EximServer(path.join(DEV, 'mail'));
    }

    say(text) { console.log(hide(text).replace(/^(?=.)/gm, '    ')); }

    /** A request to the server, printed with its answer; another status than `status` ends the journey. → the answer */
    async ask(method, where, { status = 200, quiet = false, as, ...options } = {}) {
        const answer = await request(URL_, method, where, options);
        const wrong = ![status].flat().includes(answer.status);
        if (!quiet || wrong) {
            this.say([`${method} ${where}`, as && `(${as})`, options.body && show(options.body)].filter(Boolean).join(' '));
            this.say(`${answer.status} ${answer.json === undefined ? answer.text : show(answer.json)}`);
        }
        if (wrong) throw new Error(`${method} ${where} was answered ${answer.status}; expected was ${status}`);
        return answer;
    }

    /** The same as the person who has logged in. */
    mine(method, where, options) { return this.ask(method, where, { token: this.token, as: 'signed in', ...options }); }

    /** A form of one of the stand-in's pages, sent as a browser would. → the response */
    async press(url, action) {
        const response = await fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams({ action }) });
        const next = response.headers.get('location');
        this.say(`POST ${url} action=${action}\n${response.status}${next ? ` → ${next}` : ''}`);
        if (response.status !== 303) throw new Error(`${url} was answered ${response.status}; expected was 303`);
    }

    /** The operator's tool, with the server's own configuration. → what it says */
    async vvctl(...args) {
        return (await mustRun(path.join(BUILD, 'bin/vvctl'), ['-c', CONFIG, ...args])).stdout;
    }
}

async function main() {
    const health = await request(URL_, 'GET', '/health').catch(() => null);
    if (!health?.json?.plugins) throw new Error(`no vvserver answers on ${URL_}; start ./dev run in another terminal first`);
    const { plugins } = health.json;
    const journey = new Journey();
    let number = 0;
    for (const { title, needs, walk } of STEPS) {
        const missing = needs.filter((plugin) => !plugins[plugin]);
        if (missing.length) {
            console.log(`\n -. ${title}: left out, this server runs without ${missing.join(' and ')}`);
            continue;
        }
        console.log(`\n${String(++number).padStart(2)}. ${title}`);
        await walk(journey).catch((error) => { throw new Error(`${title}: ${error.message}`, { cause: error }); });
    }
    console.log('\nThat was the whole journey.');
}

try {
    await main();
} catch (error) {
    console.error(`dev: ${error.message}`);
    process.exitCode = 1;
}
