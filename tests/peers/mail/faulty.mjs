// An SMTP server that does wrong what it is told to: drops connections, answers late, hides STARTTLS, hangs after DATA.
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { until } from '../../lib/process.mjs';
import { makeCertificates } from '../certs.mjs';

const USER = 'vvmail';
const PASSWORD = 'correct-horse-battery-staple';

/**
 * Stages: connect, ehlo, starttls, auth, mail, rcpt, data (the command), body (the message has arrived), quit.
 * faults = {
 *   drop: 'body',                   closes the connection at that stage instead of answering
 *   hang: 'body',                   answers at that stage only when release() is called
 *   delay: {mail: 500},             answers late, in milliseconds
 *   reply: {rcpt: '550 5.1.1 no'},  answers this instead
 *   when: (session) => bool,        whether the faults apply to this session: {number, from, to}
 *   starttls: false,                does not offer STARTTLS
 *   implicit: true,                 speaks TLS from the first byte (smtps)
 *   certificate: 'DNS:other.test',  the names in its certificate
 *   slow: 100,                      sends every answer byte by byte, so many milliseconds apart
 * }
 */
export class FaultyMail {
    constructor(dir, faults) {
        this.dir = dir;
        this.faults = faults;
        this.user = USER;
        this.password = PASSWORD;
        this.accepted = [];
        this.stages = [];
        this.sessions = 0;
        this.sockets = new Set();
        this.held = new Set();
    }

    get smtpUrl() { return `${this.faults.implicit ? 'smtps' : 'smtp'}://127.0.0.1:${this.port}`; }
    get smtpsUrl() { return this.smtpUrl; }
    get caFile() { return this.files.ca; }

    async start() {
        this.files ??= await makeCertificates(this.dir, this.faults.certificate ? { names: this.faults.certificate } : {});
        this.context ??= tls.createSecureContext({
            cert: readFileSync(this.files.cert), key: readFileSync(this.files.key),
        });
        this.server = net.createServer((socket) => this.#serve(socket));
        await new Promise((resolve, reject) =>
            this.server.once('error', reject).listen(this.port ?? 0, '127.0.0.1', resolve));
        this.port = this.server.address().port;
    }

    async stop() {
        const closed = new Promise((resolve) => this.server.close(resolve));
        for (const socket of this.sockets) socket.destroy();
        await closed;
    }

    /** Messages that were answered 250 after their data, as raw text: {from, to, raw}. */
    async messages() { return this.accepted; }

    /** Waits until some session has come to a stage (so often). */
    async waitStage(stage, count = 1, timeout = 10_000) {
        await until(() => this.stages.filter((s) => s === stage).length >= count,
            { timeout, what: `an SMTP session reaches ${stage}` });
    }

    /** Lets everything that hangs go on. */
    release() {
        for (const go of this.held) go();
        this.held.clear();
    }

    #serve(raw) {
        const session = new Session(this, ++this.sessions);
        this.sockets.add(raw);
        raw.once('close', () => this.sockets.delete(raw));
        raw.on('error', () => {});
        session.attach(this.faults.implicit ? this.secure(raw) : raw);
        session.at('connect', '220 faulty.vv.test ESMTP');
    }

    secure(socket) {
        const secured = new tls.TLSSocket(socket, { isServer: true, secureContext: this.context });
        secured.on('error', () => {});
        this.sockets.add(secured);
        secured.once('close', () => this.sockets.delete(secured));
        return secured;
    }
}

class Session {
    constructor(server, number) {
        Object.assign(this, { server, number, from: null, to: [], inData: false, buffer: '', authStep: null });
    }

    attach(socket) {
        this.socket = socket;
        this.buffer = '';
        socket.setEncoding('latin1');
        socket.on('data', (text) => this.#feed(text));
    }

    /** Answers a stage, or does what the script says about it. */
    async at(stage, answer, then) {
        const { faults } = this.server;
        this.server.stages.push(stage);
        const faulty = !faults.when || faults.when(this);
        if (faulty && faults.drop === stage) return this.socket.destroy();
        if (faulty && faults.hang === stage) await new Promise((go) => this.server.held.add(go));
        if (faulty && faults.delay?.[stage]) await new Promise((go) => setTimeout(go, faults.delay[stage]));
        const custom = faulty && faults.reply?.[stage];
        if (!custom) then?.(); // first, so that what is seen to be answered is seen to be there
        await this.#send(`${custom || answer}\r\n`, faulty ? faults.slow : 0);
        return undefined;
    }

    async #send(text, slow) {
        if (!slow) return this.socket.write(text);
        for (const byte of text) {
            if (this.socket.destroyed) return false;
            this.socket.write(byte);
            await new Promise((go) => setTimeout(go, slow));
        }
        return true;
    }

    #feed(text) {
        this.buffer += text;
        for (;;) {
            const mark = this.inData ? '\r\n.\r\n' : '\r\n';
            const end = this.buffer.indexOf(mark);
            if (end < 0) return;
            const unit = this.buffer.slice(0, end);
            this.buffer = this.buffer.slice(end + mark.length);
            if (this.inData) this.#body(unit);
            else this.#command(unit);
        }
    }

    #body(unit) {
        this.inData = false;
        const raw = Buffer.from(unit.replaceAll('\r\n..', '\r\n.'), 'latin1').toString('utf8');
        const message = { from: this.from, to: this.to, raw };
        this.at('body', '250 2.0.0 taken', () => this.server.accepted.push(message));
    }

    #command(line) {
        const verb = line.split(' ')[0].toUpperCase();
        if (this.authStep) return this.authStep(line);
        const encrypted = this.socket instanceof tls.TLSSocket;
        switch (verb) {
        case 'EHLO': return this.#ehlo(encrypted);
        case 'HELO': return this.at('ehlo', '250 faulty.vv.test');
        case 'STARTTLS': return this.#startTls();
        case 'AUTH': return this.#auth(line);
        case 'MAIL':
            this.from = line.match(/<(.*?)>/)?.[1];
            this.to = [];
            return this.at('mail', '250 2.1.0 ok');
        case 'RCPT':
            this.to.push(line.match(/<(.*?)>/)?.[1]);
            return this.at('rcpt', '250 2.1.5 ok');
        case 'DATA':
            return this.at('data', '354 go on', () => { this.inData = true; });
        case 'RSET': case 'NOOP': return this.#send('250 2.0.0 ok\r\n');
        case 'QUIT': return this.at('quit', '221 2.0.0 bye').then(() => this.socket.end());
        default: return this.#send('500 5.5.1 what?\r\n');
        }
    }

    #ehlo(encrypted) {
        const words = ['250-faulty.vv.test', '250-8BITMIME'];
        if (!encrypted && this.server.faults.starttls !== false) words.push('250-STARTTLS');
        if (encrypted) words.push('250-AUTH PLAIN LOGIN');
        return this.at('ehlo', [...words, '250 SIZE 10000000'].join('\r\n'));
    }

    async #startTls() {
        await this.at('starttls', '220 2.0.0 ready');
        const plain = this.socket;
        if (plain.destroyed || this.server.faults.reply?.starttls) return;
        plain.removeAllListeners('data');
        this.attach(this.server.secure(plain));
    }

    #auth(line) {
        const [, method, initial] = line.split(' ');
        const decode = (text) => Buffer.from(text, 'base64').toString();
        const finish = (user, password) => {
            this.authStep = null;
            const right = user === USER && password === PASSWORD;
            return this.at('auth', right ? '235 2.7.0 welcome' : '535 5.7.8 wrong user or password');
        };
        const plain = (text) => finish(...decode(text).split('\0').slice(1));
        if (method.toUpperCase() === 'PLAIN') {
            if (initial) return plain(initial);
            this.authStep = plain;
            return this.#send('334 \r\n');
        }
        const askPassword = (user) => {
            this.authStep = (password) => finish(decode(user), decode(password));
            return this.#send('334 UGFzc3dvcmQ6\r\n');
        };
        if (initial) return askPassword(initial);
        this.authStep = askPassword;
        return this.#send('334 VXNlcm5hbWU6\r\n');
    }
}
