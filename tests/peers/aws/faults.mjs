// What the stand-in does wrong on demand, call by call.

/**
 * A fault = {
 *   action             which calls: 'AssumeRole', 'AssumeRoleWithWebIdentity', 'GetCallerIdentity'; 'imds' or one of its
 *                      'imds:token', 'imds:role', 'imds:credentials'; 'container'; or a pattern; left out: all
 *   times: 1           how many of them
 *   answer             'throttle' (400 Throttling, as STS does it), 'refuse' (403 AccessDenied), 'expired' (403
 *                      ExpiredToken), 'garbage' (200 and XML or JSON that breaks off), 'empty' (200 and nothing), 'reset'
 *                      (the connection is cut), 'hang' (no answer until the client goes), or a status (500, 503, 429,
 *                      404 …); left out: the right answer
 *   after: false       true: the call takes its effect first
 *   delay: 0           milliseconds before anything happens
 *   headers, body      of that answer, when AWS's own will not do
 * }
 */
export class Faults {
    constructor() { this.list = []; }

    add(fault) {
        const added = { times: 1, after: false, delay: 0, hits: 0, ...fault };
        added.cancel = () => {
            this.list = this.list.filter((other) => other !== added);
        };
        this.list.push(added);
        return added;
    }

    /** The fault this call meets, if any; it counts as used. */
    take(action) {
        const fault = this.list.find(({ action: which }) => !which
            || (which instanceof RegExp ? which.test(action) : which === action || action.startsWith(`${which}:`)));
        if (!fault) return undefined;
        fault.hits++;
        if (fault.hits >= fault.times) fault.cancel();
        return fault;
    }

    clear() { this.list = []; }
}
