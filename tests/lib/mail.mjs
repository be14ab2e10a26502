// ./dev mail: prints the newest message the mail catcher of ./dev run holds, or only the token in its link.
import path from 'node:path';
import { EximServer } from '../peers/mail/exim.mjs';
import { until } from './process.mjs';
import { DEV } from './state.mjs';

const args = process.argv.slice(2);
const tokenOnly = args.includes('--token');
const address = args.find((arg) => !arg.startsWith('--'));
const mail = new EximServer(path.join(DEV, 'mail'));

async function newest() {
    const all = await mail.messages();
    return all.findLast((m) => !address || m.to.toLowerCase() === address.toLowerCase());
}

// Mail is a job: it is there a moment after the request that caused it.
const message = await until(newest, { timeout: 10_000 }).catch(() => null);
if (!message) {
    console.error(address ? `no mail to ${address} has arrived` : 'no mail has arrived');
    process.exit(1);
}
if (tokenOnly)
    console.log(message.token ?? '');
else
    console.log(`From: ${message.from.name} <${message.from.address}>\nTo: ${message.to}\n`
        + `Subject: ${message.subject}\n\n${message.text.trimEnd()}`);
