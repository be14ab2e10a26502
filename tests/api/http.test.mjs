// HTTP as clients meet it: routes, refusals, bodies, schemas, credentials, headers, limits, addresses.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { assert, before, describe, startServer, tempDir, test } from '../lib/harness.mjs';
import { makeCertificates } from '../peers/certs.mjs';

let server;
before(async (t) => {
    server = await startServer(t, { plugins: ['echo'], database: false, waitReady: 'live' });
});

/** Expects a problem of RFC 9457. */
function problem(reply, status, code) {
    assert.equal(reply.status, status, reply.text);
    assert.equal(reply.headers.get('content-type'), 'application/problem+json');
    const { type, title, detail } = reply.json;
    assert.deepEqual([reply.json.status, reply.json.code], [status, code]);
    assert.equal(reply.json.request_id, reply.headers.get('x-request-id'));
    assert.equal(type, 'about:blank');
    assert.ok(title.length > 2 && detail.length > 5);
    return reply.json;
}

describe('routes', () => {
    test('an unknown path is 404', async () => {
        for (const path of ['/nothing', '/', '/health/', '/Health', '/echo/args/7/', '/echo/args/'])
            problem(await server.get(path), 404, 'not_found');
    });
    test('a wrong method is 405 with Allow', async () => {
        const reply = await server.delete('/echo');
        problem(reply, 405, 'method_not_allowed');
        assert.equal(reply.headers.get('allow'), 'POST, PATCH, OPTIONS');
        assert.equal((await server.post('/health', {})).headers.get('allow'), 'GET, HEAD, OPTIONS');
    });
    test('a method that nobody knows is 405, or 404 where nothing is', async () => {
        const send = (method, path) => server.raw(`${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
        for (const method of ['PROPFIND', 'TRACE', 'get', 'FOO']) {
            const reply = await send(method, '/echo');
            assert.equal(reply.status, 405, reply.text);
            assert.equal(reply.headers.allow, 'POST, PATCH, OPTIONS');
            assert.equal((await send(method, '/nothing')).status, 404);
        }
    });
    test('HEAD is GET without the body', async () => {
        const head = await server.request('HEAD', '/echo/info');
        assert.equal(head.status, 200);
        assert.equal(head.text, '');
        assert.ok(Number(head.headers.get('content-length')) > 50);
        assert.equal(head.headers.get('content-type'), 'application/json');
        assert.equal((await server.request('HEAD', '/nothing')).status, 404);
        assert.equal((await server.request('HEAD', '/echo')).status, 405);
    });
    test('OPTIONS without Origin is 204 with Allow', async () => {
        const reply = await server.request('OPTIONS', '/echo');
        assert.equal(reply.status, 204);
        assert.equal(reply.headers.get('allow'), 'POST, PATCH, OPTIONS');
        assert.equal((await server.request('OPTIONS', '/nothing')).status, 404);
        assert.equal((await server.raw('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')).status, 204);
    });
});

describe('arguments', () => {
    test('of path and query are typed and checked together', async () => {
        const good = await server.get('/echo/args/7?q=a%20b%2Bc+d');
        assert.deepEqual(good.json.args, { id: 7, q: 'a b+c d' });
        const { errors } = problem(await server.get(`/echo/args/0?q=${'x'.repeat(21)}`), 422, 'validation_failed');
        assert.deepEqual(errors.map((e) => e.field), ['id', 'q']);
    });
    test('that are broken are 400', async () => {
        problem(await server.get('/echo/args/7?q=%zz'), 400, 'bad_request');
        problem(await server.get('/echo/args/7?q=%00'), 400, 'bad_request');
    });
    test('of a path without a table are text', async () => {
        assert.deepEqual((await server.get('/echo/path/caf%C3%A9?x=1')).json.args, { name: 'café' });
    });
});

describe('bodies', () => {
    test('are checked, trimmed, and completed with defaults', async () => {
        const reply = await server.post('/echo', { text: '  hi ', email: null, parts: [{ name: 'a' }] });
        assert.deepEqual(reply.json.body, { text: 'hi', times: 1, parts: [{ name: 'a' }] });
    });
    test('name every bad field at once', async () => {
        const reply = await server.post('/echo', { text: '', times: 'x', email: 'y', more: 1, parts: [{ name: 'a' }, { name: 5 }] });
        const { errors, detail } = problem(reply, 422, 'validation_failed');
        assert.deepEqual(errors.map((e) => e.field).sort(), ['email', 'more', 'parts[1].name', 'text', 'times']);
        assert.ok(errors.every((e) => /^[A-Z].+/.test(e.detail)));
        assert.ok(detail);
    });
    test('that are malformed JSON are 400', async () => {
        for (const body of ['{', '{"text":"a",}', '{"text":"a"} x', '{"text":"a","text":"b"}', '"text"', '[]', 'null',
            '{"text":NaN}', "{'text':'a'}", '{"text":"\\ud800"}', Buffer.from('{"text":"\xff"}', 'latin1'), `${'['.repeat(40)}${']'.repeat(40)}`])
            problem(await server.post('/echo', body), 400, 'malformed_json');
    });
    test('with a NUL are refused by field', async () => {
        assert.equal(problem(await server.post('/echo', { text: 'a\0b' }), 422, 'validation_failed').errors[0].field, 'text');
    });
    test('of another content type are 415', async () => {
        const send = (type) => server.request('POST', '/echo', { body: '{"text":"a"}', headers: { 'content-type': type } });
        for (const type of ['text/plain', 'application/jsonx', 'application/x-www-form-urlencoded', 'application/json; charset=latin1'])
            problem(await send(type), 415, 'unsupported_media_type');
        for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset=UTF-8'])
            assert.equal((await send(type)).status, 200);
        const none = await server.raw('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
        assert.equal(none.status, 415);
    });
    test('may be left out where they are optional, and not elsewhere', async () => {
        problem(await server.request('POST', '/echo'), 400, 'body_required');
        problem(await server.request('PATCH', '/echo'), 422, 'validation_failed');
        assert.equal((await server.request('POST', '/echo/free')).status, 200);
    });
    test('are anything where the route takes bytes', async () => {
        const bytes = Buffer.from([0, 255, 10, 13, 0]);
        const reply = await server.raw(Buffer.concat([Buffer.from('POST /echo/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'), bytes]));
        assert.equal(reply.body, bytes.toString('latin1'));
        assert.equal(reply.headers['content-type'], 'application/octet-stream');
    });
});

describe('credentials', () => {
    test('a stranger is 401, and learns nothing of the schema', async () => {
        const reply = await server.post('/echo/user', { nonsense: true });
        problem(reply, 401, 'unauthorized');
        assert.equal(reply.headers.get('www-authenticate'), 'Bearer');
        const malformed = await server.post('/echo/user', '{');
        problem(malformed, 401, 'unauthorized');
    });
    test('a bad token is 401 and says so', async () => {
        const reply = await server.get('/echo/user', { token: 'bad' });
        problem(reply, 401, 'unauthorized');
        assert.equal(reply.headers.get('www-authenticate'), 'Bearer error="invalid_token"');
        problem(await server.get('/echo/user', { token: 'revoked' }), 401, 'revoked');
    });
    test('where a key is asked for, ApiKey is the challenge', async () => {
        assert.equal((await server.get('/echo/key')).headers.get('www-authenticate'), 'ApiKey');
    });
    test('the right ones pass, and those of another kind do not', async () => {
        assert.equal((await server.get('/echo/user', { token: 'good' })).json.caller, 7);
        assert.equal((await server.get('/echo/key', { key: 'good' })).json.caller, 7);
        problem(await server.get('/echo/user', { key: 'good' }), 401, 'unauthorized');
        problem(await server.get('/echo/key', { token: 'good' }), 401, 'unauthorized');
        assert.equal((await server.get('/echo/info')).json.caller, 0);
    });
    test('two Authorization headers are 400', async () => {
        const reply = await server.raw('GET /echo/user HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAuthorization: Bearer bad\r\n\r\n');
        assert.equal(reply.status, 400);
    });
});

describe('answers', () => {
    test('carry a request id: the caller\'s if it is a sane one', async () => {
        const id = async (sent) => (await server.get('/echo/info', { headers: { 'x-request-id': sent } })).headers.get('x-request-id');
        assert.equal(await id('aB3._-'), 'aB3._-');
        assert.equal(await id('x'.repeat(64)), 'x'.repeat(64));
        for (const odd of ['x'.repeat(65), 'a b', 'a"b', '<script>', ''])
            assert.match(await id(odd), /^[0-9a-f]{16}$/);
        assert.equal((await server.get('/nothing', { headers: { 'x-request-id': 'mine' } })).json.request_id, 'mine');
    });
    test('are not sniffed nor stored, unless the handler says so', async () => {
        const reply = await server.get('/echo/info');
        assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
        assert.equal(reply.headers.get('cache-control'), 'no-store');
        assert.ok(Math.abs(Date.parse(reply.headers.get('date')) - Date.now()) < 5000);
    });
    test('have the handler\'s headers, none of which can split the answer', async () => {
        const reply = await server.get('/echo/headers');
        assert.equal(reply.json.message, 'refused');
        assert.equal(reply.headers.get('x-mine'), 'yes');
        assert.equal(reply.headers.get('cache-control'), 'max-age=60');
        assert.equal(reply.headers.get('x-evil'), null);
    });
    test('of a handler that prepared none are 500, and the log names the plugin', async () => {
        problem(await server.get('/echo/forgotten'), 500, 'internal_error');
        const line = await server.waitLog(/prepared no answer/);
        assert.equal(line.plugin, 'echo');
    });
    test('5xx says nothing of the inside', async () => {
        const { detail } = problem(await server.get('/echo/broken'), 500, 'internal_error');
        assert.ok(!/sql|echo|plugin/i.test(detail), detail);
    });
    test('fields that a handler refuses are named', async () => {
        const { errors } = problem(await server.get('/echo/fields'), 422, 'validation_failed');
        assert.deepEqual(errors, [{ field: 'one', detail: 'This is wrong' }, { field: 'two', detail: 'This "too"' }]);
    });
});

describe('limits', () => {
    test('of a class hold per client address', async () => {
        for (let left = 2; left >= 0; left--) {
            const reply = await server.get('/echo/limited');
            assert.equal(reply.status, 200);
            assert.match(reply.headers.get('ratelimit'), new RegExp(`^"echo";r=${left};t=\\d+$`));
            assert.equal(reply.headers.get('ratelimit-policy'), '"echo";q=3;w=3600');
        }
        const reply = await server.get('/echo/limited');
        problem(reply, 429, 'rate_limited');
        const wait = Number(reply.headers.get('retry-after'));
        assert.ok(wait > 1100 && wait <= 1200, `${wait}`);
        assert.equal((await server.get('/echo/info')).status, 200);
    });
    test('hold exactly over several workers', async (t) => {
        const many = await startServer(t, {
            plugins: ['echo'], database: false, waitReady: 'live', config: { server: { workers: 2 }, limits: { echo: '20/h' } },
        });
        const replies = await Promise.all(Array.from({ length: 100 }, () => many.get('/echo/limited')));
        assert.equal(replies.filter((r) => r.status === 200).length, 20);
        assert.equal(replies.filter((r) => r.status === 429).length, 80);
        await many.reload();
        assert.equal((await many.get('/echo/limited')).status, 429, 'a reload forgives nothing');
    });
});

describe('too many at once', () => {
    test('past max_fibers requests are refused at once, and the probes still answered', async (t) => {
        const small = await startServer(t, {
            plugins: ['echo'], database: false, waitReady: 'live', config: { server: { max_fibers: 16 } },
        });
        const sleepers = Array.from({ length: 40 }, () => small.get('/echo/sleep?ms=1000'));
        assert.equal((await small.get('/health/live')).status, 200);
        const replies = await Promise.all(sleepers);
        const refused = replies.filter((r) => r.status !== 200);
        assert.ok(refused.length >= 24 && refused.length < 40, `${refused.length}`);
        for (const reply of refused) problem(reply, 503, 'overloaded');
        assert.ok(refused[0].headers.get('retry-after') >= 1);
    });
});

describe('while a request is in hand', () => {
    const sleep = 'GET /echo/sleep?ms=800 HTTP/1.1\r\nHost: a\r\n\r\n';
    const info = 'GET /echo/info HTTP/1.1\r\nHost: a\r\n\r\n';
    /** Milliseconds of processor time that the worker has used. */
    const used = () => {
        const [{ pid }] = server.processes('worker');
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
        return (Number(fields[11]) + Number(fields[12])) * 10;
    };

    test('the next one waits for its turn, in one piece or in two, and costs nothing meanwhile', async () => {
        const before = used();
        for (const [first, ...rest] of [[sleep, 100, info], [sleep, 100, info.slice(0, 20), 100, info.slice(20)], [sleep + info]]) {
            const { replies } = await server.raw([first, ...rest], { replies: 2 });
            assert.deepEqual(replies.map((reply) => reply.status), [200, 200]);
            assert.match(replies[0].body, /slept/);
            assert.match(replies[1].body, /user_agent/);
        }
        assert.ok(used() - before < 800, `${used() - before} ms of processor time`);
    });
    test('a client that says no more is answered, and one that goes is no matter', async () => {
        const before = used();
        const reply = await server.raw(sleep, { end: true });
        assert.equal(reply.status, 200);
        assert.match(reply.body, /slept/);
        await server.raw(sleep, { timeout: 100 });
        await server.raw([sleep, 50, info], { timeout: 200 });
        assert.equal((await server.get('/echo/sleep?ms=800')).status, 200);
        assert.ok(used() - before < 800, `${used() - before} ms of processor time`);
    });
});

describe('addresses', () => {
    const forwarded = { 'x-forwarded-for': '203.0.113.9, 198.51.100.7, 10.1.2.3' };

    test('X-Forwarded-For is not believed from strangers', async () => {
        assert.equal((await server.get('/echo/info', { headers: forwarded })).json.address, '127.0.0.1');
    });
    test('it is believed as far as proxies are trusted', async (t) => {
        const proxied = await startServer(t, {
            plugins: ['echo'], database: false, waitReady: 'live',
            config: { server: { trusted_proxies: '127.0.0.0/8, 10.0.0.0/8, 2001:db8::/32' }, limits: { echo: '1/h' } },
        });
        const info = async (list) => (await proxied.get('/echo/info', { headers: { 'x-forwarded-for': list } })).json;
        assert.equal((await info('203.0.113.9, 198.51.100.7, 10.1.2.3')).address, '198.51.100.7');
        assert.equal((await info('nonsense')).address, '127.0.0.1');
        assert.equal((await info('nonsense, 10.1.2.3')).address, '10.1.2.3');
        assert.equal((await info('198.51.100.7:4711')).address, '198.51.100.7');
        assert.equal((await info('::ffff:198.51.100.7')).address, '198.51.100.7');
        const six = await info('[2001:DB9:0:1::7]:80, 2001:db8::1');
        assert.deepEqual([six.address, six.network], ['2001:db9:0:1::7', '2001:db9:0:1::/64']);
        const status = async (list) => (await proxied.get('/echo/limited', { headers: { 'x-forwarded-for': list } })).status;
        assert.equal(await status('2001:db9::1'), 200);
        assert.equal(await status('2001:db9::2'), 429, 'a /64 is one client');
        assert.equal(await status('2001:db9:0:1::1'), 200);
        assert.equal(await status('192.0.2.1'), 200);
        assert.equal(await status('192.0.2.2'), 200);
    });
});

describe('TLS', () => {
    test('serves with a certificate, keeps connections, and speaks 1.2 at least', async (t) => {
        const certs = await makeCertificates(tempDir(t, 'vv-tls-'));
        const secure = await startServer(t, {
            plugins: ['echo'], database: false, waitReady: false, config: { server: { tls_cert: certs.cert, tls_key: certs.key } },
        });
        const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
        t.after(() => agent.destroy());
        const get = (path, more = {}) => new Promise((resolve, reject) => {
            https.get({ port: secure.port, host: '127.0.0.1', path, agent, ...more }, (reply) => {
                const { socket } = reply;
                reply.on('data', () => {}).on('end', () => resolve({ status: reply.statusCode, socket, protocol: socket.getProtocol() }));
            }).on('error', reject);
        });
        let first;
        for (let i = 0; !first; i++) {
            first = await get('/health/live').catch((error) => { if (i > 100) throw error; return null; });
            if (!first) await new Promise((go) => setTimeout(go, 50));
        }
        assert.equal(first.status, 200);
        assert.equal(first.protocol, 'TLSv1.3');
        const second = await get('/echo/info');
        assert.equal(second.socket, first.socket);
        await assert.rejects(get('/health/live', { agent: false, rejectUnauthorized: false, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }));
    });
});
