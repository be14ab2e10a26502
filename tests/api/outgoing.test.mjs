// Outgoing HTTP against counterparts that answer, fail, dawdle and vanish: what is repeated, what is given up, and when.
import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { assert, freePort, startServer, tempDir, test } from '../lib/harness.mjs';
import { makeCertificates } from '../peers/certs.mjs';

const [ONCE, SAFE, AGAIN] = [0, 1, 2];
const [EINVAL, EUNAVAILABLE, ETIMEOUT, ECANCELED, EREFUSED] = [-2, -4, -5, -6, -10];

/** A counterpart on loopback; answer(req, res, number of the request, body) → {url, seen, connections()}. */
async function peer(t, answer, tls) {
    const seen = [];
    let connections = 0;
    const handler = async (req, res) => {
        const parts = [];
        for await (const part of req) parts.push(part);
        const body = Buffer.concat(parts).toString();
        seen.push({ method: req.method, url: req.url, headers: req.headers, body, at: Date.now() });
        await answer(req, res, seen.length, body);
    };
    const server = tls ? https.createServer(tls, handler) : http.createServer(handler);
    server.on(tls ? 'secureConnection' : 'connection', () => { connections += 1; });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    t.after(() => { server.closeAllConnections(); server.close(); });
    return { url: `http${tls ? 's' : ''}://127.0.0.1:${server.address().port}`, seen, connections: () => connections };
}

/** Answers these statuses one after the other, the last one for ever. */
function statuses(...list) {
    return (req, res, n) => {
        const [status, headers = {}] = [list[Math.min(n, list.length) - 1]].flat();
        res.writeHead(status, headers).end(`number ${n}`);
    };
}

async function start(t, options) {
    const server = await startServer(t, { plugins: ['caller'], database: false, waitReady: 'live', ...options });
    const call = async (url, more = {}) => {
        const reply = await server.post('/caller', { url, ...more });
        assert.equal(reply.status, 200, reply.text);
        return reply.json;
    };
    return { server, call };
}

/** A port where nobody listens. */
async function deadUrl() {
    return `http://127.0.0.1:${await freePort()}/x`;
}

test('headers and bodies arrive in both directions, and only the path is logged', async (t) => {
    const { server, call } = await start(t, { config: { server: { log_level: 'debug' } } });
    const other = await peer(t, (req, res, n, body) => {
        res.writeHead(201, { 'X-Other': ' it is here ', 'Content-Type': 'text/plain' }).end(`got ${body}`);
    });
    const answer = await call(`${other.url.replace('//', '//ann:hush@')}/a/b?token=secret1`, {
        method: 'PATCH', body: 'ä=secret2', content_type: 'text/x-mine',
        headers: [{ name: 'X-Mine', value: 'secret3' }, { name: 'X-Empty', value: '' }], answer_header: 'x-OTHER',
    });
    assert.deepEqual(answer, { code: 0, status: 201, body: 'got ä=secret2', length: 14, header: 'it is here' });
    const [{ method, url, headers, body }] = other.seen;
    assert.deepEqual([method, url, body], ['PATCH', '/a/b?token=secret1', 'ä=secret2']);
    assert.partialDeepStrictEqual(headers, { 'x-mine': 'secret3', 'x-empty': '', 'content-type': 'text/x-mine',
        authorization: `Basic ${Buffer.from('ann:hush').toString('base64')}` });
    assert.match(headers['user-agent'], /^vvserver\//);
    await server.waitLog(new RegExp(`PATCH ${other.url}/a/b answered 201 after 1 attempt`));
    assert.doesNotMatch(server.logText, /secret\d|hush/);

    await call(other.url, { method: 'POST' });
    await call(other.url, { method: 'DELETE' });
    const head = await call(other.url, { method: 'HEAD' });
    assert.deepEqual([head.status, head.length], [201, 0]);
    assert.deepEqual(other.seen.slice(1).map((s) => [s.method, s.headers['content-type'], s.headers['content-length'], s.body]),
        [['POST', undefined, '0', ''], ['DELETE', undefined, undefined, ''], ['HEAD', undefined, undefined, '']]);
});

test('what cannot be meant is refused before it is sent', async (t) => {
    const { server, call } = await start(t);
    const other = await peer(t, statuses(200));
    for (const more of [{ url: 'ftp://127.0.0.1/' }, { url: 'file:///etc/passwd' }, { url: `${other.url}/a b` }, { method: 'G T' },
        { retry: 7 }, { headers: [{ name: 'X', value: 'a\r\nY: b' }] }, { headers: [{ name: 'X:', value: 'a' }] },
        { content_type: 'a\nb' }, { aws_sigv4: 'aws:amz:eu-west-1:sts' }])
        assert.equal((await call(other.url, more)).code, EINVAL, JSON.stringify(more));
    assert.equal(other.seen.length, 0);
    await server.waitLog(/vv_http_call\(\): the URL must begin with http/);
});

test('a redirect is an answer', async (t) => {
    const { call } = await start(t);
    const other = await peer(t, statuses([302, { Location: '/elsewhere' }]));
    assert.partialDeepStrictEqual(await call(other.url, { answer_header: 'location' }), { status: 302, header: '/elsewhere' });
    assert.equal(other.seen.length, 1);
});

test('each way to retry repeats what it may, and no more', async (t) => {
    const { server, call } = await start(t);
    for (const [retry, first, asked] of [[ONCE, 500, 1], [ONCE, 503, 1], [SAFE, 500, 1], [SAFE, 409, 1], [SAFE, 503, 2],
        [SAFE, 429, 2], [AGAIN, 500, 2], [AGAIN, 502, 2], [AGAIN, 409, 2], [AGAIN, 404, 1], [AGAIN, 402, 1]]) {
        const other = await peer(t, statuses(first, 200));
        const answer = await call(other.url, { retry, method: 'POST', body: 'same' });
        assert.deepEqual([other.seen.length, answer.status], [asked, asked === 2 ? 200 : first], `${retry} ${first}`);
        assert.ok(other.seen.every(({ body }) => body === 'same'));
    }
    const other = await peer(t, statuses(500));
    assert.partialDeepStrictEqual(await call(other.url, { retry: AGAIN, attempts: 4 }), { code: 0, status: 500, body: 'number 4' });
    assert.equal(other.seen.length, 4);
    await server.waitLog(new RegExp(`GET ${other.url} failed: 500 after 4 attempts`));
});

test('Retry-After is waited for, unless that takes longer than the call may', async (t) => {
    const { call } = await start(t);
    const patient = await peer(t, statuses([429, { 'Retry-After': '1' }], 200));
    assert.equal((await call(patient.url, { retry: SAFE })).status, 200);
    assert.ok(patient.seen[1].at - patient.seen[0].at >= 950, 'it came back too soon');
    const long = await peer(t, statuses([429, { 'Retry-After': '100' }], 200));
    const began = Date.now();
    assert.partialDeepStrictEqual(await call(long.url, { retry: AGAIN, timeout: 5000 }), { status: 429 });
    assert.ok(Date.now() - began < 1500 && long.seen.length === 1);
});

test('nobody there: 503, after as many attempts as there may be', async (t) => {
    const { server, call } = await start(t);
    const url = await deadUrl();
    assert.equal((await call(`${url}?secret`, { retry: SAFE, attempts: 2 })).code, EUNAVAILABLE);
    await server.waitLog(new RegExp(`GET ${url} failed: .*after 2 attempts`));
    const bare = await server.post('/caller', { url, bare: true });
    assert.deepEqual([bare.status, bare.json.code, Number(bare.headers.get('retry-after')) > 0], [503, 'unavailable', true]);
});

test('a connection that breaks in the middle is repeated only when that is safe', async (t) => {
    const { call } = await start(t);
    const breaks = (req, res, n) => {
        if (n > 1) return res.end('whole');
        res.writeHead(200, { 'Content-Length': 100 }).write('half');
        return setTimeout(() => req.socket.resetAndDestroy(), 20);
    };
    for (const [retry, code] of [[ONCE, EUNAVAILABLE], [SAFE, EUNAVAILABLE], [AGAIN, 0]]) {
        const other = await peer(t, breaks);
        const answer = await call(other.url, { retry });
        assert.deepEqual([answer.code, answer.body], code === 0 ? [0, 'whole'] : [code, undefined]);
        assert.equal(other.seen.length, code === 0 ? 2 : 1);
    }
});

test('a kept connection that the other side has closed never sends a write twice', async (t) => {
    const { call } = await start(t);
    const other = await peer(t, (req, res, n) => {
        if (n === 1) res.end('fine');
        else req.socket.destroy(); // as if it had died of it
    });
    assert.equal((await call(other.url)).status, 200);
    assert.equal((await call(other.url, { method: 'POST', body: 'pay' })).code, EUNAVAILABLE);
    assert.equal(other.seen.length, 2);
});

test('an attempt and a call have their times', async (t) => {
    const { call } = await start(t);
    const slow = await peer(t, (req, res, n) => { if (n > 1) res.end('at last'); });
    assert.partialDeepStrictEqual(await call(slow.url, { retry: AGAIN, attempt_timeout: 300 }), { code: 0, body: 'at last' });
    const never = await peer(t, () => {});
    const began = Date.now();
    assert.equal((await call(never.url, { retry: AGAIN, attempts: 50, attempt_timeout: 200, timeout: 900 })).code, ETIMEOUT);
    const took = Date.now() - began;
    assert.ok(took >= 300 && took < 1800, `${took} ms`);
    assert.ok(never.seen.length > 1 && never.seen.length < 6);
});

test('the deadline of a request ends its call, and harms nobody else', async (t) => {
    const { server, call } = await start(t);
    const slow = await peer(t, async (req, res) => {
        await new Promise((done) => { setTimeout(done, 1000); });
        res.end('x'.repeat(100_000));
    });
    const began = Date.now();
    const others = [1, 2, 3].map(() => call(slow.url));
    for (const more of [{}, { retry: AGAIN, url: await deadUrl(), attempts: 99 }]) {
        const reply = await server.post('/caller/brief', { url: slow.url, bare: true, ...more });
        assert.deepEqual([reply.status, reply.json.code], [503, 'timeout']);
    }
    assert.ok(Date.now() - began < 2500);
    for (const answer of await Promise.all(others)) assert.equal(answer.length, 100_000);
    await server.waitLog(/failed: the time of its request was over/);
    assert.equal((await server.post('/caller/brief', { url: slow.url })).json?.code ?? ECANCELED, ECANCELED);
});

test('an answer that is too long is not kept', async (t) => {
    const { server, call } = await start(t);
    const other = await peer(t, (req, res) => {
        if (req.url === '/length') return res.end('x'.repeat(200_000));
        for (let i = 0; i < 20; i++) res.write('x'.repeat(10_000));
        return res.end();
    });
    for (const where of ['/length', '/chunks'])
        assert.equal((await call(other.url + where, { max_body: 100_000, retry: AGAIN })).code, EUNAVAILABLE, where);
    assert.equal((await call(`${other.url}/chunks`, { max_body: 200_000 })).length, 200_000);
    await server.waitLog(/chunks failed: the answer is longer than is allowed after 1 attempt/);
});

test('a connection is kept and used again', async (t) => {
    const { call } = await start(t);
    const other = await peer(t, statuses(200));
    for (let i = 0; i < 10; i++) assert.equal((await call(other.url)).status, 200);
    for (let i = 0; i < 5; i++) await call(other.url, { method: 'POST', body: 'x', retry: AGAIN });
    assert.deepEqual([other.seen.length, other.connections()], [15, 1]);
});

test('TLS: an authority of ours is believed, another is not', async (t) => {
    const dir = tempDir(t);
    const { ca, cert, key } = await makeCertificates(dir);
    const other = await peer(t, statuses(200), { cert: readFileSync(cert), key: readFileSync(key) });
    const { call } = await start(t, { config: { http: { ca_file: ca } } });
    for (let i = 0; i < 5; i++) assert.equal((await call(other.url)).status, 200);
    assert.equal(other.connections(), 1);
    const stranger = await start(t);
    assert.equal((await stranger.call(other.url, { retry: AGAIN })).code, EUNAVAILABLE);
    await stranger.server.waitLog(/failed: SSL certificate problem.* after 1 attempt/);
    assert.equal(other.seen.length, 5);

    const old = await peer(t, statuses(200), { cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.1',
        maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    assert.equal((await call(old.url)).code, EUNAVAILABLE);
});

test('a certificate of another name is refused', async (t) => {
    const { ca, cert, key } = await makeCertificates(tempDir(t), { names: 'DNS:elsewhere.test' });
    const other = await peer(t, statuses(200), { cert: readFileSync(cert), key: readFileSync(key) });
    const { call } = await start(t, { config: { http: { ca_file: ca } } });
    assert.equal((await call(other.url)).code, EUNAVAILABLE);
    assert.equal(other.seen.length, 0);
});

test('a transaction holds nobody up: calling out inside one is refused, by the plugin\'s name', async (t) => {
    const { server, call } = await start(t, { database: undefined, waitReady: true });
    const other = await peer(t, statuses(200));
    assert.equal((await call(other.url, { in_transaction: true })).code, EREFUSED);
    assert.equal(other.seen.length, 0);
    await server.waitLog(/plugin 'caller' tried to call out while holding a transaction/);
});

/** Signature Version 4 by the book, from what was received. */
function signature({ method, url, headers, body }, secret) {
    const [, date, scope, names] = headers.authorization.match(
        /Credential=[^/]+\/(\d{8})\/(\S+?), SignedHeaders=(\S+?), Signature=/);
    const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
    const hash = (text) => createHash('sha256').update(text).digest('hex');
    const [region, service] = scope.split('/');
    const lines = names.split(';').map((name) => `${name}:${headers[name].trim()}\n`).join('');
    const canonical = [method, url, '', lines, names, hash(body)].join('\n');
    const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), region), service), 'aws4_request');
    return hmac(key, ['AWS4-HMAC-SHA256', headers['x-amz-date'], `${date}/${scope}`, hash(canonical)].join('\n')).toString('hex');
}

test('a signature of AWS verifies', async (t) => {
    const { call } = await start(t);
    const other = await peer(t, statuses(200));
    for (const more of [{}, { headers: [{ name: 'X-Amz-Security-Token', value: 'tok/en==' }] }]) {
        await call(other.url + '/', { method: 'POST', body: 'Action=AssumeRole&Version=2011-06-15&x=%C3%A4', ...more,
            content_type: 'application/x-www-form-urlencoded', aws_sigv4: 'aws:amz:eu-central-1:sts', user: 'AKID', password: 'shh' });
        const seen = other.seen.at(-1);
        assert.match(seen.headers.authorization, /Credential=AKID\/\d{8}\/eu-central-1\/sts\/aws4_request/);
        assert.equal(seen.headers.authorization.split('Signature=')[1], signature(seen, 'shh'));
    }
});

test('many calls at once do not hold the loop', async (t) => {
    const { server, call } = await start(t);
    const PAUSE = 300;
    const slow = await peer(t, (req, res) => { setTimeout(() => res.end('x'.repeat(20_000)), PAUSE); });
    let ended = false;
    const all = Promise.all(Array.from({ length: 150 }, () => call(slow.url))).finally(() => { ended = true; });
    const times = [];
    while (!ended) {
        const began = process.hrtime.bigint();
        assert.equal((await server.get('/health/live')).status, 200);
        times.push(Number(process.hrtime.bigint() - began) / 1e6);
    }
    for (const answer of await all) assert.equal(answer.length, 20_000);
    // A loop that waited for its counterparts would be held for a pause or more; a busy machine takes less.
    times.sort((a, b) => a - b);
    assert.ok(times[Math.floor(times.length / 2)] < PAUSE / 2, `${times.length}: ${times}`);
    const held = [...server.logText.matchAll(/held the loop for (\d+) ms/g)].map(([, ms]) => Number(ms));
    assert.ok(held.every((ms) => ms < PAUSE), `${held}`);
});

test('a server that ends waits for no counterpart', async (t) => {
    const { server } = await start(t, { config: { server: { drain_timeout: '1s' } } });
    const never = net.createServer(() => {});
    await new Promise((done) => { never.listen(0, '127.0.0.1', done); });
    t.after(() => never.close());
    const hangs = server.post('/caller', { url: `http://127.0.0.1:${never.address().port}/` }).catch((error) => error);
    await new Promise((done) => { never.once('connection', done); });
    const began = Date.now();
    await server.stop();
    assert.ok(Date.now() - began < 5000);
    await hangs;
});
