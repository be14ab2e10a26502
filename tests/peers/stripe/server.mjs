// The stand-in's HTTP side: who asks, in which version, under which key, and what goes wrong.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { invalid, StripeError, unauthorized, unknownUrl, unwell } from './errors.mjs';
import { Faults } from './faults.mjs';
import { parseForm } from './form.mjs';
import { Idempotency } from './idempotency.mjs';
import { showPage } from './pages.mjs';
import { render } from './render.mjs';
import { ROUTES } from './routes.mjs';
import { newId } from './store.mjs';
import { check, findEndpoint } from './validate.mjs';
import { Webhooks } from './webhooks.mjs';
import { World } from './world.mjs';

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const hex = (length) => randomBytes(length).toString('hex');

export class StripePeer extends World {
    constructor(options = {}) {
        super(options);
        this.options = options;
        this.port = options.port ?? 0;
        this.secretKey = options.secretKey ?? `sk_test_${hex(24)}`;
        this.webhookSecret = options.webhookSecret ?? `whsec_${hex(24)}`;
        // With flexible billing, the default since 2025-09-30, the portal's button sets cancel_at alone.
        this.portalCancelAt = options.portalCancelAt ?? true;
        this.requests = []; // what it was asked: {id, method, path, params, key, version, status, code, replayed, fault}
        this.faults = new Faults();
        this.webhooks = new Webhooks(this.store, options);
        this.keys = new Idempotency(this.store);
        this.sockets = new Set();
        this.store.onEvent = (event) => this.webhooks.add(event);
        if (options.stateFile && existsSync(options.stateFile)) this.#load();
    }

    /** What an earlier process left, the webhooks that nobody took included. */
    #load() {
        this.store.load(readFileSync(this.options.stateFile, 'utf8'));
        this.webhooks.running = false;
        for (const event of this.events.filter((e) => e.pending_webhooks > 0)) this.webhooks.add(event);
    }

    get apiBase() { return `http://127.0.0.1:${this.port}`; }
    urlOf(path) { return `${this.apiBase}${path}`; }

    /** The next requests that match go wrong; see faults.mjs. → the fault, with `hits` and cancel() */
    fail(fault) { return this.faults.add(fault); }

    /** The requests so far to a method and a path (its beginning, or a pattern). */
    asked(method, path = '') {
        return this.requests.filter((r) => (!method || r.method === method)
            && (path instanceof RegExp ? path.test(r.path) : r.path.startsWith(path)));
    }

    async start() {
        this.server = http.createServer((request, response) => this.#serve(request, response));
        this.server.keepAliveTimeout = 60_000;
        this.server.on('connection', (socket) => {
            this.sockets.add(socket);
            socket.once('close', () => this.sockets.delete(socket));
        });
        await new Promise((resolve, reject) =>
            this.server.once('error', reject).listen(this.port, '127.0.0.1', resolve));
        this.port = this.server.address().port;
        this.webhooks.start();
    }

    /** Away, connections cut, its state kept; start() brings it back on the same port. */
    async stop() {
        if (!this.server?.listening) return;
        const closed = new Promise((resolve) => this.server.close(resolve));
        for (const socket of this.sockets) socket.destroy();
        await closed;
        await this.webhooks.stop();
        this.#save();
    }

    #save() {
        if (this.options.stateFile) writeFileSync(this.options.stateFile, this.store.save(), { mode: 0o600 });
    }

    async #serve(request, response) {
        const parts = [];
        try {
            for await (const part of request) parts.push(part);
        } catch {
            return; // the client is gone
        }
        const url = new URL(request.url, this.apiBase);
        const body = Buffer.concat(parts).toString();
        if (url.pathname.startsWith('/v1/') || url.pathname.startsWith('/v2/')) {
            await this.#api(request, response, url, body);
        } else {
            this.#page(request, response, url, body);
        }
        if (request.method !== 'GET') this.#save();
    }

    #page(request, response, url, body) {
        let answer;
        try {
            answer = showPage(this, request.method, url.pathname, Object.fromEntries(new URLSearchParams(body)));
        } catch (error) {
            if (!(error instanceof StripeError)) throw error;
            answer = { status: error.status, body: error.message };
        }
        response.writeHead(answer?.status ?? 404, answer?.headers).end(answer?.body ?? 'There is no such page.');
    }

    async #api(request, response, url, body) {
        const { method, headers } = request;
        const entry = {
            id: newId('req', 14), method, path: url.pathname, raw: body || url.search.slice(1), params: {}, headers,
            key: headers['idempotency-key'] ?? null, version: headers['stripe-version'] ?? null, status: 0, at: Date.now(),
        };
        this.requests.push(entry);
        const fault = this.faults.take(method, url.pathname);
        entry.fault = fault?.answer ?? null;
        if (this.options.latency) await wait(this.options.latency);
        if (fault?.answer && !fault.after) {
            if (fault.delay) await wait(fault.delay);
            this.#broken(response, entry, fault);
            return;
        }
        const answer = await this.#answer(entry, url, body, fault);
        if (fault?.answer) this.#broken(response, entry, fault);
        else this.#send(response, entry, answer);
    }

    #send(response, entry, { status, text, headers = {} }) {
        entry.status = status;
        response.writeHead(status, {
            'Content-Type': 'application/json', 'Request-Id': entry.id, ...(entry.version && { 'Stripe-Version': entry.version }),
            ...(entry.key && { 'Idempotency-Key': entry.key }), ...headers,
        });
        response.end(text);
    }

    #broken(response, entry, { answer, headers, body, stored }) {
        if (answer === 'reset') {
            response.socket.resetAndDestroy();
        } else if (answer !== 'hang') {
            this.#send(response, entry, {
                status: answer, text: body ?? JSON.stringify(unwell(answer), null, 2),
                headers: { ...(stored && { 'Stripe-Should-Retry': 'false' }), ...headers },
            });
        }
    }

    /** Does what is asked. → {status, text, headers} */
    async #answer(entry, url, body, fault) {
        try {
            const endpoint = this.#admit(entry, url, body);
            if (entry.method !== 'POST' || !entry.key) {
                if (fault?.delay) await wait(fault.delay);
                return this.#execute(entry, endpoint);
            }
            const before = this.keys.begin(entry.key, entry.path, entry.params);
            entry.replayed = Boolean(before);
            if (before) {
                const headers = { 'Idempotent-Replayed': 'true', 'Original-Request': before.requestId };
                return { status: before.status, text: before.text, headers };
            }
            let answer;
            try {
                if (fault?.delay) await wait(fault.delay);
                answer = this.#execute(entry, endpoint);
                return answer;
            } finally {
                const kept = answer && fault?.stored
                    ? { status: fault.answer, text: fault.body ?? JSON.stringify(unwell(fault.answer)) } : answer;
                this.keys.done(entry.key, entry.path, entry.params, entry.id, kept);
            }
        } catch (error) {
            return this.#refusal(entry, error);
        }
    }

    #refusal(entry, error) {
        if (!(error instanceof StripeError)) throw error;
        entry.code = error.error.code ?? error.error.type;
        const shown = { ...error.error, request_log_url: this.urlOf(`/logs/${entry.id}`) };
        const headers = error.status === 401 ? { 'WWW-Authenticate': 'Bearer realm="Stripe"' } : {};
        return { status: error.status, text: JSON.stringify({ error: shown }, null, 2), headers };
    }

    /** Who asks, in which version, for what, with which parameters (as text still). */
    #admit(entry, url, body) {
        const { method, headers, version } = entry;
        const secret = headers.authorization?.match(/^Bearer (\S+)$/)?.[1];
        if (secret !== this.secretKey) throw unauthorized(secret);
        // Stripe itself would take the account's version; a client that leaves it open breaks when that is raised.
        if (!version) throw invalid('The stand-in wants a Stripe-Version with every request.');
        if (!/^\d{4}-\d\d-\d\d(\.[a-z]+)?$/.test(version)) throw invalid(`Invalid Stripe API version: ${version}`);
        if (body && !/^application\/x-www-form-urlencoded\b/.test(headers['content-type'] ?? ''))
            throw invalid('Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you '
                + 'have questions, we can help at https://support.stripe.com/.');
        const endpoint = findEndpoint(method, url.pathname);
        if (!endpoint || !ROUTES[endpoint.key]) throw unknownUrl(method, url.pathname);
        entry.params = parseForm([url.search.slice(1), body].filter(Boolean).join('&'));
        return endpoint;
    }

    #execute(entry, { key, params: schema, id }) {
        const { store } = this;
        const { expand, ...params } = check(schema, entry.params);
        const version = this.options.speak ?? entry.version;
        store.request = { id: entry.id, idempotency_key: entry.key };
        try {
            const object = ROUTES[key](this.context, params, id);
            return { status: 200, text: JSON.stringify(render(store, object, { version, expand }), null, 2) };
        } catch (error) {
            const refused = this.#refusal(entry, error);
            return refused;
        } finally {
            store.request = { id: null, idempotency_key: null };
        }
    }
}
