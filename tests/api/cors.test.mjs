// CORS: what a browser on another origin may do.
import { assert, describe, startServer, test } from '../lib/harness.mjs';

const start = (t, origins) => startServer(t, {
    plugins: ['echo'], database: false, waitReady: 'live', config: { server: { cors_origins: origins } },
});
const preflight = (server, origin, path = '/echo') => server.request('OPTIONS', path, {
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
});

describe('listed origins', () => {
    test('are allowed with credentials, by name', async (t) => {
        const server = await start(t, 'https://app.example, https://b.example');
        const flight = await preflight(server, 'https://app.example');
        assert.equal(flight.status, 204);
        assert.equal(flight.headers.get('access-control-allow-origin'), 'https://app.example');
        assert.equal(flight.headers.get('access-control-allow-credentials'), 'true');
        assert.match(flight.headers.get('access-control-allow-methods'), /POST/);
        assert.match(flight.headers.get('access-control-allow-headers'), /Authorization/i);
        assert.match(flight.headers.get('access-control-allow-headers'), /Idempotency-Key/i);
        assert.match(flight.headers.get('vary'), /Origin/);

        const reply = await server.get('/nothing', { headers: { origin: 'https://b.example' } });
        assert.equal(reply.status, 404);
        assert.equal(reply.headers.get('access-control-allow-origin'), 'https://b.example');
        assert.match(reply.headers.get('access-control-expose-headers'), /X-Request-Id.*Retry-After.*RateLimit/);

        for (const origin of ['https://evil.example', 'https://app.example.evil', 'null', 'http://app.example']) {
            assert.equal((await preflight(server, origin)).headers.get('access-control-allow-origin'), null);
            assert.equal((await server.get('/echo/info', { headers: { origin } })).headers.get('access-control-allow-origin'), null);
        }
        assert.match((await server.get('/echo/info')).headers.get('vary'), /Origin/, 'caches keep them apart');
        assert.equal((await preflight(server, 'https://app.example', '/nothing')).status, 404);
    });
});

describe('any origin', () => {
    test('is allowed, and never with credentials', async (t) => {
        const server = await start(t, '*');
        for (const reply of [await preflight(server, 'https://x.example'), await server.get('/echo/info', { headers: { origin: 'https://x.example' } })]) {
            assert.equal(reply.headers.get('access-control-allow-origin'), '*');
            assert.equal(reply.headers.get('access-control-allow-credentials'), null);
        }
    });
});

test('without cors_origins nothing is said', async (t) => {
    const server = await start(t, null);
    const reply = await server.get('/echo/info', { headers: { origin: 'https://x.example' } });
    assert.equal(reply.headers.get('access-control-allow-origin'), null);
    assert.equal(reply.headers.get('vary'), null);
    assert.equal((await preflight(server, 'https://x.example')).headers.get('access-control-allow-origin'), null);
});
