// Idempotency keys: the same request is answered again, another one under the same key is refused, one at a time.
import { idempotency } from './errors.mjs';

/** What is compared: the parameters, whatever their order. */
function fingerprint(params) {
    return JSON.stringify(params, (_name, value) => (value && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value));
}

export class Idempotency {
    constructor(store) {
        this.store = store;
        this.running = new Set();
    }

    /** The answer given before under this key, or undefined when the request is to be done (and then done() told). */
    begin(key, path, params) {
        if (key.length > 255) throw idempotency(400, 'Idempotency keys can be at most 255 characters.');
        const before = this.store.answers.get(key);
        if (before && before.path !== path)
            throw idempotency(400, 'Keys for idempotent requests can only be used for the same endpoint they were first used '
                + `for ('${path}' vs '${before.path}'). Try using a key other than '${key}' if you meant to execute a `
                + 'different request.');
        if (before && before.params !== fingerprint(params))
            throw idempotency(400, 'Keys for idempotent requests can only be used with the same parameters they were first '
                + `used with. Try using a key other than '${key}' if you meant to execute a different request.`);
        if (before) return before;
        if (this.running.has(key))
            throw idempotency(409, 'There is currently another in-progress request using this Idempotent Key (that probably '
                + 'means you submitted twice, and the other request is still going through): '
                + `${key}. Please try again later.`, 'idempotency_key_in_use');
        this.running.add(key);
        return undefined;
    }

    /** Validation's 4xx are not kept; what happened is, a refused card and a broken server included. */
    done(key, path, params, requestId, answer) {
        this.running.delete(key);
        if (answer && (answer.status < 400 || answer.status === 402 || answer.status >= 500))
            this.store.answers.set(key, { path, params: fingerprint(params), requestId, ...answer });
    }
}
