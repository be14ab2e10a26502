// Webhooks: events signed by the official SDK and delivered in order by themselves, or held until a test lets them go.
import http from 'node:http';
import Stripe from 'stripe';
import { until } from '../../lib/process.mjs';

const { webhooks: signer } = new Stripe('sk_test_signs_only');

/** Sends one webhook → {status, body}; what goes wrong on the way is {status: 0, error}. */
function send(url, body, headers, timeout) {
    return new Promise((resolve) => {
        const bytes = Buffer.from(body);
        const request = http.request(url, {
            method: 'POST', agent: false, timeout,
            headers: {
                'Content-Type': 'application/json; charset=utf-8', 'Content-Length': bytes.length,
                Accept: '*/*; q=0.5, application/xml',
                'User-Agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)', ...headers,
            },
        }, (answer) => {
            const parts = [];
            answer.on('data', (part) => parts.push(part));
            answer.on('error', (error) => resolve({ status: 0, error: error.message }));
            answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() }));
        });
        request.on('timeout', () => request.destroy(new Error('no answer in time')));
        request.on('error', (error) => resolve({ status: 0, error: error.message }));
        request.end(bytes);
    });
}

export class Webhooks {
    constructor(store, { retry = [50, 100, 200, 400, 800, 1600, 3200], timeout = 10_000 } = {}) {
        Object.assign(this, { store, retry, timeout });
        this.deliveries = []; // what was sent: {event, type, url, status, body, error}
        this.queue = [];
        this.pauses = new Map(); // deliveries that are to be tried again, and their timers
        this.holding = false;
        this.running = true;
        this.busy = false;
    }

    /** Takes an event in for every endpoint that wants it. */
    add(event) {
        const wanting = this.store.all('webhook_endpoint').filter(({ enabled_events: wanted, status }) =>
            status === 'enabled' && (wanted.includes('*') || wanted.includes(event.type)));
        event.pending_webhooks = wanting.length;
        for (const endpoint of wanting) this.queue.push({ event, endpoint, attempt: 0 });
        this.#pump();
    }

    /** From now on events wait; see held, release, lose, flow. */
    hold() { this.holding = true; }

    /** The events that wait, oldest first. */
    get held() { return this.queue.map(({ event }) => event); }

    /**
     * Delivers what `pick` makes of the waiting events, one after another: all of them, some (the rest goes on waiting),
     * in another order, some of them twice. → [{event, status, body}]
     */
    async release(pick = (events) => events, how) {
        const waiting = this.queue;
        const chosen = pick(waiting.map(({ event }) => event));
        this.queue = waiting.filter(({ event }) => !chosen.includes(event));
        const answers = [];
        for (const event of chosen) answers.push(...await this.#everywhere(event, how));
        return answers;
    }

    /** Events that never arrive: those of the waiting ones that `which` is true for. → the lost events */
    lose(which = () => true) {
        const lost = this.held.filter(which);
        this.queue = this.queue.filter(({ event }) => !lost.includes(event));
        return lost;
    }

    /** Ends holding: what waits goes out in order, then everything by itself. */
    flow() {
        this.holding = false;
        this.#pump();
    }

    /** Waits until nothing is on its way, nor to be retried. */
    idle(timeout = 15_000) {
        return until(() => !this.busy && !this.pauses.size && (this.holding || !this.queue.length),
            { timeout, what: 'all webhooks are delivered' });
    }

    /**
     * The text and headers of a webhook. how = {
     *   secret: one or several (each gives a v1), timestamp: seconds,
     *   signature: 'bad' (of another secret), 'several' (a wrong v1 before the right one), 'v0' (only a scheme of old),
     *              'missing', or the header's own text,
     *   body: the text to be signed instead of the event's own, tamper: (text) => another text, sent under that signature
     * }
     */
    signed(event, how = {}) {
        const endpoint = how.endpoint ?? this.store.all('webhook_endpoint')[0];
        const payload = how.body ?? JSON.stringify(event, null, 2);
        const secrets = [how.secret ?? this.store.hidden(endpoint.id).secret].flat();
        const timestamp = how.timestamp ?? Math.floor(Date.now() / 1000);
        const sign = (secret, scheme = 'v1') => signer.generateTestHeaderString({ payload, secret, timestamp, scheme });
        const value = (header) => header.slice(header.indexOf(',') + 1);
        let header = [`t=${timestamp}`, ...secrets.map((secret) => value(sign(secret)))].join(',');
        if (how.signature === 'bad') header = sign('whsec_of_somebody_else');
        else if (how.signature === 'several') header = `${sign('whsec_of_somebody_else')},${value(header)}`;
        else if (how.signature === 'v0') header = sign(secrets[0], 'v0');
        else if (how.signature && how.signature !== 'missing') header = how.signature;
        const headers = how.signature === 'missing' ? {} : { 'Stripe-Signature': header };
        return { body: how.tamper ? how.tamper(payload) : payload, headers: { ...headers, ...how.headers } };
    }

    /** Sends an event once, now, whatever the queue does; how is that of signed(), and {url}. → {event, status, body} */
    async deliver(event, how = {}) {
        const endpoint = how.endpoint ?? this.store.all('webhook_endpoint')[0];
        const url = how.url ?? endpoint.url;
        const { body, headers } = this.signed(event, { endpoint, ...how });
        const answer = { event, type: event.type, url, ...await send(url, body, headers, how.timeout ?? this.timeout) };
        this.deliveries.push(answer);
        if (answer.status >= 200 && answer.status < 300 && event.pending_webhooks) event.pending_webhooks--;
        return answer;
    }

    async #everywhere(event, how) {
        const answers = [];
        for (const endpoint of this.store.all('webhook_endpoint'))
            answers.push(await this.deliver(event, { endpoint, ...how }));
        return answers;
    }

    async #pump() {
        if (this.busy) return;
        this.busy = true;
        while (this.running && !this.holding && this.queue.length) {
            const delivery = this.queue.shift();
            const { status } = await this.deliver(delivery.event, { endpoint: delivery.endpoint });
            if (status < 200 || status > 299) this.#again(delivery);
        }
        this.busy = false;
    }

    // Stripe comes again for days; here the last pause repeats until the test ends.
    #again(delivery) {
        const pause = this.retry[Math.min(delivery.attempt, this.retry.length - 1)];
        if (pause === undefined) return;
        const next = { ...delivery, attempt: delivery.attempt + 1 };
        if (!this.running) {
            this.queue.push(next);
            return;
        }
        this.pauses.set(next, setTimeout(() => {
            this.pauses.delete(next);
            this.queue.push(next);
            this.#pump();
        }, pause));
    }

    /** Nothing more goes out until start(); what was to be tried again waits with the rest. */
    async stop() {
        this.running = false;
        for (const [delivery, timer] of this.pauses) {
            clearTimeout(timer);
            this.queue.push(delivery);
        }
        this.pauses.clear();
        await until(() => !this.busy, { timeout: this.timeout + 1000, what: 'the webhook on its way has ended' });
    }

    start() {
        this.running = true;
        this.#pump();
    }
}
