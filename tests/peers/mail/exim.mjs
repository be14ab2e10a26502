// A real SMTP server for tests and for ./dev run: Exim, unprivileged, on free loopback ports, delivering to one maildir.
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync }
    from 'node:fs';
import path from 'node:path';
import PostalMime from 'postal-mime';
import { canConnect, freePort, idsOf, processTable, spawnBound, until } from '../../lib/process.mjs';
import { makeCertificates } from '../certs.mjs';

const HERE = import.meta.dirname;
const USER = 'vvmail';
const PASSWORD = 'correct-horse-battery-staple';

export class EximServer {
    constructor(dir, { detached = false } = {}) {
        this.dir = dir;
        this.detached = detached;
        this.user = USER;
        this.password = PASSWORD;
        // Exim refuses to deliver as root, so root becomes nobody; anybody else stays who they are.
        this.runAs = process.getuid() === 0 ? 'nobody' : undefined;
        [this.uid, this.gid] = this.runAs ? idsOf(this.runAs) : [process.getuid(), process.getgid()];
    }

    get caFile() { return path.join(this.dir, 'ca.pem'); }
    get smtpUrl() { return `smtp://127.0.0.1:${this.smtpPort}`; }
    get smtpsUrl() { return `smtps://127.0.0.1:${this.smtpsPort}`; }
    get logText() {
        const log = path.join(this.dir, 'log/mainlog');
        return existsSync(log) ? readFileSync(log, 'utf8') : '';
    }

    /** Makes the folder ready; what lies in it from an earlier run (mails, certificates, ports) is kept. */
    async prepare() {
        const make = (name) => {
            mkdirSync(path.join(this.dir, name), { recursive: true });
            chownSync(path.join(this.dir, name), this.uid, this.gid);
        };
        for (const name of ['.', 'spool', 'log', 'mail', 'mail/new', 'mail/cur', 'mail/tmp']) make(name);

        // A copy loses the setuid bit, which is what keeps Exim from wanting to be root.
        const binary = path.join(this.dir, 'exim');
        rmSync(binary, { force: true });
        copyFileSync('/usr/sbin/exim4', binary);
        chmodSync(binary, 0o755);

        if (!existsSync(this.caFile)) {
            await makeCertificates(this.dir);
            for (const name of ['cert.pem', 'key.pem']) chownSync(path.join(this.dir, name), this.uid, this.gid);
        }
        this.refuse({ bounce: ['bounce.test'], defer: ['defer.test'] });
        await this.#choosePorts();
    }

    async #choosePorts() {
        const file = path.join(this.dir, 'ports.json');
        const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
        const taken = await Promise.all(kept.map(canConnect));
        [this.smtpPort, this.smtpsPort] = kept.length && !taken.includes(true)
            ? kept : [await freePort(), await freePort()];
        writeFileSync(file, JSON.stringify([this.smtpPort, this.smtpsPort]));
        this.#writeConfig();
    }

    #writeConfig() {
        const macros = {
            DIR: this.dir, SMTP_PORT: this.smtpPort, SMTPS_PORT: this.smtpsPort, UID: this.uid, GID: this.gid,
            PASSWORD: this.password,
        };
        let text = readFileSync(path.join(HERE, 'exim.conf'), 'utf8');
        for (const [name, value] of Object.entries(macros)) text = text.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), value);
        writeFileSync(path.join(this.dir, 'exim.conf'), text);
        chmodSync(path.join(this.dir, 'exim.conf'), 0o644);
    }

    /** Chooses the domains that are answered 550 (bounce) or 451 (defer) from now on. */
    refuse({ bounce, defer }) {
        if (bounce) writeFileSync(path.join(this.dir, 'bounce'), bounce.map((d) => `${d}\n`).join(''));
        if (defer) writeFileSync(path.join(this.dir, 'defer'), defer.map((d) => `${d}\n`).join(''));
    }

    async start() {
        const args = ['-C', path.join(this.dir, 'exim.conf'), '-bdf'];
        const out = [];
        this.child = spawnBound(path.join(this.dir, 'exim'), args,
            { user: this.runAs, stdio: ['ignore', 'pipe', 'pipe'], detached: this.detached });
        this.child.stdout.on('data', (data) => out.push(data));
        this.child.stderr.on('data', (data) => out.push(data));
        await until(async () => {
            if (this.child.exitCode !== null || this.child.signalCode !== null) return true;
            return await canConnect(this.smtpPort) && await canConnect(this.smtpsPort);
        }, { what: 'Exim accepts connections' });
        if (this.child.exitCode !== null)
            throw new Error(`Exim ended with ${this.child.exitCode}: ${Buffer.concat(out)}\n${this.logText}`);
    }

    /** Ends the daemon and waits for sessions and deliveries under way; SIGKILL ends those too. start() brings it back. */
    async stop(signal = 'SIGTERM') {
        const child = this.child;
        if (!child) return;
        this.child = null;
        child.kill(signal);
        await child.ended;
        const mine = () => processTable().filter((p) => p.state !== 'Z' && isRunning(p.pid, path.join(this.dir, 'exim')));
        if (signal === 'SIGKILL') for (const { pid } of mine()) process.kill(pid, signal);
        await until(() => mine().length === 0, { what: 'Exim is gone' });
    }

    /** Every message delivered so far, oldest first, parsed; `to` is the envelope's recipient. */
    async messages() {
        const dir = path.join(this.dir, 'mail/new');
        const files = readdirSync(dir).sort((a, b) => order(a) - order(b) || a.localeCompare(b));
        return Promise.all(files.map(async (file) => parse(readFileSync(path.join(dir, file), 'utf8'), file)));
    }

    /** The newest message to an address (that is not among `except`, a list of messages already seen). */
    async waitFor(address, { except = [], timeout = 10_000, subject } = {}) {
        const seen = new Set(except.map((m) => m.file));
        return until(async () => (await this.messages()).findLast((m) =>
            m.to.toLowerCase() === address.toLowerCase() && !seen.has(m.file)
            && (!subject || m.subject.match(subject))),
        { timeout, what: `a mail to ${address}` });
    }
}

function isRunning(pid, binary) {
    try {
        return readlinkSync(`/proc/${pid}/exe`).startsWith(binary);
    } catch {
        return false;
    }
}

// Exim's maildir names begin with SECONDS.M<microseconds>P<pid>.
function order(name) {
    const [, seconds, micro] = name.match(/^(\d+)\.[HM](\d+)P/) ?? [0, 0, 0];
    return Number(seconds) * 1e6 + Number(micro);
}

async function parse(raw, file) {
    const mail = await PostalMime.parse(raw);
    const header = (name) => mail.headers.find((h) => h.key === name.toLowerCase())?.value;
    const links = [...(mail.text ?? '').matchAll(/https?:\/\/[^\s<>"]+/g)].map((m) => m[0]);
    const token = links.map((l) => new URL(l).searchParams.get('token')).find(Boolean);
    return {
        file, raw, header, links, token: token ?? null,
        to: header('envelope-to') ?? '', from: mail.from, subject: mail.subject ?? '',
        text: mail.text ?? '', html: mail.html ?? '', messageId: mail.messageId, headers: mail.headers,
    };
}
