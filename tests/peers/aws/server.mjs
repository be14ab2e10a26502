// The stand-in's HTTP side: which part of AWS a request is for, what goes wrong, and what was asked.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { Account } from './account.mjs';
import { AwsError, errorXml, unwell } from './errors.mjs';
import { Faults } from './faults.mjs';
import { answerMetadata, metadataAction, metadataError } from './metadata.mjs';
import { answerSts, readRequest } from './sts.mjs';
import { verifyTranscribe } from './transcribe.mjs';

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class AwsPeer extends Account {
    constructor(options = {}) {
        super(options);
        this.port = options.port ?? 0;
        this.caFile = options.tls?.ca;
        this.calls = []; // {id, action, params, caller, issued, method, path, headers, status, code, fault, at}
        this.faults = new Faults();
        this.metadataTokens = new Map();
        this.gone = new Set();
        this.flying = new Map();
        this.sockets = new Set();
    }

    get endpoint() { return `${this.options.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`; }
    get containerUrl() { return `${this.endpoint}${this.container.path}`; }

    /** The next calls that match go wrong; see faults.mjs. → the fault, with `hits` and cancel() */
    fail(fault) { return this.faults.add(fault); }

    /** The calls so far of an action, 'imds' and 'container' among them. */
    asked(action) { return this.calls.filter((call) => call.action === action || call.action.startsWith(`${action}:`)); }

    /** A part of it ('sts', 'imds', 'container') is not there: connections to it are cut. */
    off(part) { this.gone.add(part); }
    on(part) { this.gone.delete(part); }

    /** How many calls of an action were under way at once, at most. */
    peak(action) { return this.flying.get(action)?.peak ?? 0; }

    /** What Transcribe would say to a presigned URL; see transcribe.mjs. */
    verifyTranscribe(url) { return verifyTranscribe(this, url); }

    async start() {
        const serve = (request, response) => this.#serve(request, response);
        const { tls } = this.options;
        this.server = tls ? https.createServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) }, serve)
            : http.createServer(serve);
        this.server.keepAliveTimeout = 20_000;
        this.server.on('connection', (socket) => {
            this.sockets.add(socket);
            socket.once('close', () => this.sockets.delete(socket));
        });
        await new Promise((resolve, reject) =>
            this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
        this.port = this.server.address().port;
    }

    /** Away, connections cut, its state kept; start() brings it back on the same port. */
    async stop() {
        if (!this.server?.listening) return;
        const closed = new Promise((resolve) => this.server.close(resolve));
        for (const socket of this.sockets) socket.destroy();
        await closed;
    }

    async #serve(request, response) {
        const parts = [];
        try {
            for await (const part of request) parts.push(part);
        } catch {
            return; // the client is gone
        }
        const { method, url, headers } = request;
        const asked = { method, path: url, headers, body: Buffer.concat(parts) };
        const entry = {
            id: crypto.randomUUID(), action: metadataAction(this, asked), params: {}, method, path: url, headers, at: Date.now(),
        };
        const metadata = entry.action !== undefined;
        let early = null;
        try {
            if (!metadata) this.#open(entry, asked);
        } catch (error) {
            early = this.#refusal(entry, error);
        }
        this.calls.push(entry);
        const part = metadata ? entry.action.split(':')[0] : 'sts';
        if (this.gone.has(part)) {
            entry.fault = 'gone';
            request.socket.resetAndDestroy();
            return;
        }
        this.#count(entry.action, response);
        await this.#answer(entry, response, () => early ?? (metadata ? this.#metadata(entry, asked) : this.#sts(entry, asked)));
    }

    #open(entry, asked) {
        entry.action = '';
        if (asked.path !== '/') throw new AwsError(404, 'UnknownOperationException', `There is nothing at ${asked.path}.`);
        readRequest(entry, asked);
    }

    #count(action, response) {
        const count = this.flying.get(action) ?? { now: 0, peak: 0 };
        this.flying.set(action, count);
        count.now++;
        count.peak = Math.max(count.peak, count.now);
        response.once('close', () => count.now--);
    }

    async #answer(entry, response, effect) {
        const fault = this.faults.take(entry.action);
        entry.fault = fault ? fault.answer ?? 'slow' : null;
        if (this.options.latency) await wait(this.options.latency);
        if (fault?.delay) await wait(fault.delay);
        const answer = !fault?.answer || fault.after || ['garbage', 'empty'].includes(fault.answer) ? await effect() : null;
        if (fault?.answer) this.#broken(entry, response, fault, answer);
        else this.#send(entry, response, answer);
    }

    #broken(entry, response, { answer: how, headers, body }, answer) {
        if (how === 'reset') {
            response.socket?.resetAndDestroy();
        } else if (how === 'garbage' || how === 'empty') {
            const text = how === 'empty' ? '' : answer.text.slice(0, Math.floor(answer.text.length * 0.6));
            this.#send(entry, response, { ...answer, text: body ?? text, headers });
        } else if (how !== 'hang') {
            const refused = this.#refusal(entry, unwell(how));
            this.#send(entry, response, { ...refused, text: body ?? refused.text, headers });
        }
    }

    #send(entry, response, { status = 200, text, type, headers }) {
        entry.status = status;
        response.sendDate = false;
        response.writeHead(status, {
            'Content-Type': type, 'Content-Length': Buffer.byteLength(text), Date: new Date(this.now()).toUTCString(),
            'x-amzn-RequestId': entry.id, ...headers,
        });
        response.end(text);
    }

    #refusal(entry, error) {
        if (!(error instanceof AwsError)) throw error;
        entry.code = error.code;
        if (/^(imds|container)/.test(entry.action)) return metadataError(entry.action, error);
        return { status: error.status, text: errorXml(error, entry.id), type: 'text/xml' };
    }

    async #sts(entry, asked) {
        try {
            return { text: await answerSts(this, entry, asked), type: 'text/xml' };
        } catch (error) {
            return this.#refusal(entry, error);
        }
    }

    #metadata(entry, asked) {
        try {
            return answerMetadata(this, entry.action, asked);
        } catch (error) {
            return this.#refusal(entry, error);
        }
    }
}
