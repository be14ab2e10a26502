// What the stand-in does wrong on demand, request by request.

/**
 * A fault = {
 *   method, path       which requests: 'POST', and a path's beginning or a pattern; left out: all
 *   times: 1           how many of them
 *   answer             a status (500, 429, 503, 402, 409 …), 'hang' (no answer until the client goes) or 'reset' (the
 *                      connection is cut); left out: the right answer
 *   after: false       true: the request takes its effect first
 *   delay: 0           milliseconds before anything happens, while its Idempotency-Key counts as in use
 *   stored: false      true: with `after` and a status, the same key gets that status again, as Stripe's own 500 would
 *   headers, body      of that answer, when Stripe's own will not do (a Retry-After, an HTML page)
 * }
 */
export class Faults {
    constructor() { this.list = []; }

    add(fault) {
        const added = { times: 1, after: false, delay: 0, stored: false, hits: 0, ...fault };
        added.cancel = () => {
            this.list = this.list.filter((other) => other !== added);
        };
        this.list.push(added);
        return added;
    }

    /** The fault this request meets, if any; it counts as used. */
    take(method, path) {
        const fault = this.list.find((f) => (!f.method || f.method === method)
            && (!f.path || (f.path instanceof RegExp ? f.path.test(path) : path.startsWith(f.path))));
        if (!fault) return undefined;
        fault.hits++;
        if (fault.hits >= fault.times) fault.cancel();
        return fault;
    }

    clear() { this.list = []; }
}
