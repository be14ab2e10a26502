// HTTP as the tests speak it: a small client over fetch, and raw bytes over a socket for what fetch would not send.
import net from 'node:net';

/** One request; body is sent as JSON unless it is a string. → {status, headers, json, text} */
export async function request(base, method, path, options = {}) {
    const { body, headers = {}, token, key, redirect = 'manual', timeout = 30_000, signal } = options;
    const sent = { ...headers };
    if (token) sent.authorization = `Bearer ${token}`;
    if (key) sent['x-api-key'] = key;
    const has = (name) => Object.keys(sent).some((h) => h.toLowerCase() === name);
    if (body !== undefined && !has('content-type')) sent['content-type'] = 'application/json';
    const reply = await fetch(base + path, {
        method, headers: sent, redirect,
        body: body === undefined || typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
        signal: signal ?? AbortSignal.timeout(timeout),
    });
    const text = await reply.text();
    const isJson = /\bjson\b/.test(reply.headers.get('content-type') ?? '');
    return { status: reply.status, headers: reply.headers, text, json: isJson && text ? JSON.parse(text) : undefined };
}

/** Closes the connections that fetch keeps for later; a server that ends would otherwise wait for them. */
export function dropIdle() {
    const slot = Symbol.for('undici.globalDispatcher.1'); // the one that the built-in fetch uses
    const old = globalThis[slot];
    if (!old) return;
    globalThis[slot] = new old.constructor();
    old.close(); // when what is under way has been answered
}

/**
 * Sends bytes as they are and reads until the server closes or `replies` whole answers have come.
 * bytes: a string (latin1), a Buffer, or a list of them with numbers between as pauses in milliseconds.
 * → {text, replies: [{status, headers, body}], status, headers, body (of the first), closed}
 */
export function raw(port, bytes, { replies = 1, timeout = 5_000, method = 'GET', end = false } = {}) {
    return new Promise((resolve, reject) => {
        const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        let text = '';
        let closed = false;
        const timer = setTimeout(() => finish(), timeout);
        function finish(error) {
            clearTimeout(timer);
            socket.destroy();
            const parsed = parseReplies(text, method);
            if (error && !text) return reject(error);
            return resolve({ text, replies: parsed, closed, ...parsed[0] });
        }
        socket.setEncoding('latin1');
        socket.on('data', (data) => {
            text += data;
            if (parseReplies(text, method).length >= replies) finish();
        });
        socket.on('end', () => { closed = true; finish(); });
        // A reset after the answer is how a server ends a connection whose rest it will not read.
        socket.on('error', (error) => { closed = true; finish(error); });
        socket.on('connect', async () => {
            for (const part of Array.isArray(bytes) ? bytes : [bytes]) {
                if (typeof part === 'number') await new Promise((go) => setTimeout(go, part));
                else if (!socket.destroyed) socket.write(part, 'latin1');
            }
            if (end) socket.end();
        });
    });
}

/** The whole answers at the beginning of text; an interim answer (100) is not one. */
export function parseReplies(text, method = 'GET') {
    const found = [];
    let at = 0;
    for (;;) {
        const end = text.indexOf('\r\n\r\n', at);
        if (end < 0) return found;
        const [first, ...lines] = text.slice(at, end).split('\r\n');
        const status = Number(first.split(' ')[1]);
        const headers = Object.fromEntries(lines.map((line) => {
            const colon = line.indexOf(':');
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
        }));
        const body = readBody(text.slice(end + 4), headers, status, method);
        if (!body) return found;
        at = end + 4 + body.length;
        if (status >= 200) found.push({ status, headers, body: body.text });
    }
}

function readBody(rest, headers, status, method) {
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return { length: 0, text: '' };
    if (/chunked/i.test(headers['transfer-encoding'] ?? '')) {
        let at = 0;
        let text = '';
        for (;;) {
            const line = rest.indexOf('\r\n', at);
            if (line < 0) return null;
            const size = parseInt(rest.slice(at, line), 16);
            if (rest.length < line + 2 + size + 2) return null;
            text += rest.slice(line + 2, line + 2 + size);
            at = line + 2 + size + 2;
            if (size === 0) return { length: at, text };
        }
    }
    const length = Number(headers['content-length'] ?? NaN);
    if (Number.isNaN(length) || rest.length < length) return null; // without a length only the close ends it
    return { length, text: rest.slice(0, length) };
}
