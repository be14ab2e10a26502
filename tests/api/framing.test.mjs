// Bytes on the wire that two servers could read in two ways, that never end, or that are too many.
import net from 'node:net';
import { assert, before, describe, startServer, test, until } from '../lib/harness.mjs';

const HOST = 'Host: vv.test\r\n';
const get = (more = '', target = '/health/live', version = '1.1') =>
    `GET ${target} HTTP/${version}\r\n${HOST}${more}\r\n`;
const post = (headers, body = '', target = '/echo/raw') =>
    `POST ${target} HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;
const SMUGGLED = `GET /health/live HTTP/1.1\r\n${HOST}X-Request-Id: smuggled\r\n\r\n`;

let server;
before(async (t) => {
    server = await startServer(t, {
        plugins: ['echo'], database: false, waitReady: 'live',
        config: { server: { max_body: '64K', header_timeout: '1s', body_timeout: '1s' } },
    });
});

/** Expects one problem with that status and nothing after it. */
async function refused(bytes, status, options) {
    const reply = await server.raw(bytes, { replies: 2, ...options });
    assert.equal(reply.replies.length, 1, reply.text);
    assert.equal(reply.status, status, reply.text);
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    assert.equal(JSON.parse(reply.body).status, status);
    assert.match(reply.headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/);
    assert.equal(JSON.parse(reply.body).request_id, reply.headers['x-request-id']);
    assert.equal(reply.headers.connection, 'close');
    assert.ok(reply.closed, 'the connection ends');
    assert.ok(!reply.text.includes('smuggled'), 'what follows is not a request');
    return reply;
}

describe('framing that could be read in two ways is refused', () => {
    const bad = {
        'a space before the colon': post('Content-Length : 3\r\n', SMUGGLED),
        'two Content-Length': post('Content-Length: 3\r\nContent-Length: 5\r\n', `abc${SMUGGLED}`),
        'the same Content-Length twice': post('Content-Length: 3\r\nContent-Length: 3\r\n', `abc${SMUGGLED}`),
        'a Content-Length list': post('Content-Length: 3, 3\r\n', `abc${SMUGGLED}`),
        'a signed Content-Length': post('Content-Length: +3\r\n', `abc${SMUGGLED}`),
        'a negative Content-Length': post('Content-Length: -3\r\n', SMUGGLED),
        'a hexadecimal Content-Length': post('Content-Length: 0x3\r\n', `abc${SMUGGLED}`),
        'an empty Content-Length': post('Content-Length: \r\n', SMUGGLED),
        'a Content-Length with a vertical tab': post('Content-Length: \x0b3\r\n', `abc${SMUGGLED}`),
        'Content-Length and Transfer-Encoding': post('Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
        'Transfer-Encoding twice': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
        'another Transfer-Encoding': post('Transfer-Encoding: gzip, chunked\r\n', `0\r\n\r\n${SMUGGLED}`),
        'an unknown Transfer-Encoding': post('Transfer-Encoding: xchunked\r\n', SMUGGLED),
        'Transfer-Encoding in HTTP/1.0': `POST /echo/raw HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        'a chunk size with 0x': post('Transfer-Encoding: chunked\r\n', `0x3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`),
        'a signed chunk size': post('Transfer-Encoding: chunked\r\n', `+3\r\nabc\r\n0\r\n\r\n${SMUGGLED}`),
        'a chunk extension': post('Transfer-Encoding: chunked\r\n', `3;a=b\r\nabc\r\n0\r\n\r\n${SMUGGLED}`),
        'a chunk that is longer than it says': post('Transfer-Encoding: chunked\r\n', `3\r\nabcd\r\n0\r\n\r\n${SMUGGLED}`),
        'a chunk line that ends in LF': post('Transfer-Encoding: chunked\r\n', `3\nabc\r\n0\r\n\r\n${SMUGGLED}`),
        'a trailer': post('Transfer-Encoding: chunked\r\n', `0\r\nAuthorization: Bearer x\r\n\r\n${SMUGGLED}`),
        'no Host': 'GET /health/live HTTP/1.1\r\n\r\n',
        'two Hosts': get('Host: other\r\n'),
        'a Host with a path': 'GET /health/live HTTP/1.1\r\nHost: a/b\r\n\r\n',
        'lines that end in LF': `GET /health/live HTTP/1.1\n${HOST.trim()}\n\n`,
        'one header line that ends in LF': get('X-A: b\n'),
        'a carriage return in a value': get('X-A: b\rX-B: c\r\n'),
        'a folded header': get('X-A: b\r\n c\r\n'),
        'a NUL in a value': get('X-A: b\0c\r\n'),
        'a NUL in a name': get('X\0A: b\r\n'),
        'a header without a colon': get('X-A\r\n'),
        'a header without a name': get(': b\r\n'),
        'an empty line first': `\r\n${get()}`,
        'two Authorization headers': get('Authorization: Bearer a\r\nAuthorization: Bearer b\r\n'),
        'a control character in the path': get('', '/health\x01'),
        'a byte over 127 in the path': get('', '/h\xe9'),
        'no version': `GET /health/live\r\n${HOST}\r\n`,
        'TLS on a plain port': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    };
    for (const [name, bytes] of Object.entries(bad)) {
        test(name, async () => {
            await refused(bytes, 400);
            await refused([...bytes.slice(0, 120)].concat(bytes.slice(120)), 400); // byte by byte
        });
    }
    test('another version of HTTP', () => refused('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505));
    test('an expectation that nobody knows', () => refused(post('Content-Length: 3\r\nExpect: more\r\n'), 417));
});

describe('targets that could be read in two ways are refused', () => {
    const bad = ['//evil/health', '/health//live', '/health/../health', '/health/./live', '/health/%2e%2e/health',
        '/health%00', '/health%2Flive', '/health%zz', '/health%2', '/..', '/.', '/%ff', 'http://evil/health/live', 'health', '*'];
    for (const target of bad) {
        test(target, async () => {
            const reply = await server.raw(get('', target));
            assert.equal(reply.status, 400, reply.text);
            assert.equal(JSON.parse(reply.body).code, 'bad_request');
        });
    }
    test('CONNECT', async () => {
        assert.equal((await server.raw(`CONNECT evil:80 HTTP/1.1\r\n${HOST}\r\n`)).status, 400);
    });
    test('dots inside names are names', async () => {
        for (const target of ['/health.live', '/..health', '/.well-known', '/a..b'])
            assert.equal((await server.raw(get('', target))).status, 404);
    });
    test('an escape is decoded once', async () => {
        assert.equal((await server.raw(get('', '/%68ealth/l%69ve'))).status, 200);
        assert.equal((await server.raw(get('', '/%2568ealth/live'))).status, 404);
    });
});

describe('bodies where none belongs', () => {
    for (const method of ['HEAD', 'GET']) {
        test(`${method} with a body ends the connection`, async () => {
            const reply = await server.raw(`${method} /health/live HTTP/1.1\r\n${HOST}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`,
                { method, replies: 2 });
            assert.equal(reply.replies.length, 1, reply.text);
            assert.equal(reply.status, 200);
            assert.equal(reply.headers.connection, 'close');
            assert.ok(reply.closed);
            assert.ok(!reply.text.includes('smuggled'));
        });
    }
});

describe('what is right passes', () => {
    test('chunks, in pieces and in one piece', async () => {
        const bytes = post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n');
        for (const form of [bytes, [...bytes]]) {
            const reply = await server.raw(form);
            assert.equal(reply.status, 200, reply.text);
            assert.equal(reply.body, 'abc0123456789');
        }
    });
    test('several requests on one connection, in one packet', async () => {
        const reply = await server.raw(get() + post('Content-Length: 3\r\n', 'abc') + get('', '/none') + get(), { replies: 4 });
        assert.deepEqual(reply.replies.map((r) => r.status), [200, 200, 404, 200]);
        assert.equal(reply.replies[1].body, 'abc');
        assert.equal(new Set(reply.replies.map((r) => r.headers['x-request-id'])).size, 4);
    });
    test('a good request before a bad one is answered, and is the last', async () => {
        const reply = await server.raw(get() + get('X-A : b\r\n') + SMUGGLED, { replies: 3 });
        assert.equal(reply.replies[0].status, 200);
        assert.ok(reply.closed);
        assert.ok(!reply.text.includes('smuggled'));
        assert.ok(reply.replies.length < 3);
    });
    test('100-continue', async () => {
        const reply = await server.raw([post('Content-Length: 3\r\nExpect: 100-continue\r\n'), 200, 'abc']);
        assert.match(reply.text, /^HTTP\/1.1 100 /);
        assert.equal(reply.body, 'abc');
    });
    test('HTTP/1.0 ends after its answer, or stays when it asks to', async () => {
        assert.ok((await server.raw(get('', '/health/live', '1.0'), { replies: 2 })).closed);
        const kept = await server.raw(get('Connection: keep-alive\r\n', '/health/live', '1.0')
            + get('Connection: close\r\n', '/health/live', '1.0'), { replies: 2 });
        assert.equal(kept.replies.length, 2, kept.text);
    });
    test('a client that has closed its side still gets its answer', async () => {
        const reply = await server.raw(get('', '/echo/sleep?ms=200'), { end: true });
        assert.equal(reply.status, 200);
    });
});

describe('too much', () => {
    test('a body over max_body, announced', async () => {
        const reply = await refused(post('Content-Length: 65537\r\n'), 413);
        assert.equal(JSON.parse(reply.body).code, 'body_too_large');
    });
    test('a body over max_body that is being sent gets its answer all the same', async () => {
        await refused(post('Content-Length: 1000000\r\n', 'x'.repeat(300_000)), 413);
    });
    test('a body of max_body', async () => {
        const reply = await server.raw(post('Content-Length: 65536\r\n', 'x'.repeat(65536)));
        assert.equal(reply.status, 200);
        assert.equal(reply.body.length, 65536);
    });
    test('chunks over max_body, without reading them all', async () => {
        await refused(post('Transfer-Encoding: chunked\r\n', '10001\r\n'), 413);
        await refused(post('Transfer-Encoding: chunked\r\n', `8000\r\n${'x'.repeat(0x8000)}\r\n`.repeat(3)), 413);
    });
    test('headers over 16 KiB', () => refused(get(`X-A: ${'x'.repeat(17_000)}\r\n`), 431));
    test('headers that never end', () => refused([`GET / HTTP/1.1\r\nX-A: ${'x'.repeat(10_000)}`, 50, 'x'.repeat(10_000)], 431));
    test('over 100 header lines', () => refused(get('X-A: b\r\n'.repeat(100)), 431));
    test('100 header lines', async () => {
        assert.equal((await server.raw(get('X-A: b\r\n'.repeat(99)))).status, 200);
    });
    test('a URL over 8 KiB', () => refused(get('', `/${'x'.repeat(8192)}`), 414));
    test('a URL of 8 KiB', async () => {
        assert.equal((await server.raw(get('', `/${'x'.repeat(8191)}`))).status, 404);
    });
});

describe('too slow', () => {
    /** Sends bytes, then one more every 100 ms; → {text, took} when the server has closed. */
    function drip(start, more) {
        return new Promise((resolve, reject) => {
            const began = Date.now();
            const socket = net.connect(server.port, '127.0.0.1', () => socket.write(start));
            let text = '';
            const timer = setInterval(() => more && socket.write(more), 100);
            const finish = () => {
                clearInterval(timer);
                resolve({ text, took: Date.now() - began });
            };
            socket.on('data', (data) => { text += data; });
            socket.on('error', finish);
            socket.on('close', finish);
            setTimeout(() => reject(new Error('it lives on')), 8_000).unref();
        });
    }
    test('headers that drip', async () => {
        const { text, took } = await drip(`GET / HTTP/1.1\r\n${HOST}X-A: `, 'x');
        assert.match(text, /^HTTP\/1.1 408 /);
        assert.ok(took >= 900 && took < 4000, `${took} ms`);
    });
    test('a body that drips', async () => {
        const { text, took } = await drip(post('Content-Length: 1000\r\n'), 'x');
        assert.match(text, /^HTTP\/1.1 408 /);
        assert.ok(took >= 900 && took < 4000, `${took} ms`);
    });
    test('a connection that says nothing is closed without a word', async () => {
        const { text, took } = await drip('', null);
        assert.equal(text, '');
        assert.ok(took >= 900 && took < 4000, `${took} ms`);
    });
    test('a handler past its deadline is 503', async () => {
        const began = Date.now();
        const reply = await server.get('/echo/nap?ms=5000');
        assert.equal(reply.status, 503);
        assert.equal(reply.json.code, 'timeout');
        assert.ok(reply.headers.get('retry-after') >= 1);
        assert.ok(Date.now() - began < 2000);
    });
    test('a client that leaves while its request is handled harms nobody', async () => {
        for (let i = 0; i < 20; i++) {
            const socket = net.connect(server.port, '127.0.0.1');
            socket.on('error', () => {});
            socket.write(get('', '/echo/sleep?ms=100'), () => setTimeout(() => socket.resetAndDestroy(), 20));
        }
        await new Promise((go) => setTimeout(go, 300));
        await until(async () => (await server.get('/health/live')).status === 200);
        assert.equal(server.processes('worker').length, 1);
        assert.ok(!server.logText.includes('ended by signal'), server.logText);
    });
});

test('past max_connections others wait until one ends', async (t) => {
    const small = await startServer(t, {
        database: false, waitReady: 'live', config: { server: { max_connections: 4, header_timeout: '20s' } },
    });
    await until(async () => (await small.get('/health/live')).status === 200);
    const sockets = [];
    for (let i = 0; i < 8; i++) {
        const socket = net.connect(small.port, '127.0.0.1');
        socket.on('error', () => {});
        sockets.push(socket);
    }
    t.after(() => sockets.forEach((socket) => socket.destroy()));
    const waiting = small.raw(get('Connection: close\r\n'), { timeout: 10_000 });
    const early = await Promise.race([waiting.then(() => true), new Promise((go) => setTimeout(() => go(false), 500))]);
    assert.equal(early, false, 'the ninth is not served yet');
    sockets.forEach((socket) => socket.destroy());
    assert.equal((await waiting).status, 200);
});
