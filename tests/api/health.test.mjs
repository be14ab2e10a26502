// Health, readiness and metrics: what monitors and load balancers are told.
import { assert, freePort, startServer, test, until } from '../lib/harness.mjs';

test('a healthy server says so, with its plugins and their checks', async (t) => {
    const server = await startServer(t, { plugins: ['echo'] });
    const { status, json } = await server.get('/health');
    assert.equal(status, 200);
    assert.equal(json.status, 'healthy');
    assert.match(json.version, /^\d+\.\d+\.\d+/);
    assert.ok(Number.isInteger(json.uptime_seconds));
    assert.deepEqual(json.plugins, { echo: '1.2.3' });
    assert.equal(json.checks.database.status, 'healthy');
    assert.ok(json.checks.database.latency_ms >= 0);
    assert.deepEqual(json.checks.voice, { status: 'healthy', detail: 'clear' });
    assert.deepEqual((await server.get('/health/live')).json, { status: 'alive' });
    assert.deepEqual((await server.get('/health/ready')).json, { status: 'ready' });
});

test('without the database it lives, but is neither healthy nor ready', async (t) => {
    const server = await startServer(t, {
        waitReady: 'live', config: { database: { url: `postgresql://127.0.0.1:${await freePort()}/none` } },
    });
    assert.equal((await server.get('/health/live')).status, 200);
    const health = await server.get('/health');
    assert.equal(health.status, 503);
    assert.equal(health.json.status, 'unhealthy');
    assert.equal(health.json.checks.database.status, 'unhealthy');
    const ready = await server.get('/health/ready');
    assert.equal(ready.status, 503);
    assert.deepEqual(ready.json, { status: 'not_ready' });
});

test('a check that fails makes the whole unhealthy, and says why', async (t) => {
    const server = await startServer(t, { plugins: ['echo'], config: { echo: { ill: 'true' } } });
    const health = await server.get('/health');
    assert.equal(health.status, 503);
    assert.deepEqual(health.json.checks.voice, { status: 'unhealthy', detail: 'The echo is hoarse' });
    assert.equal(health.json.checks.database.status, 'healthy');
});

test('metrics are nowhere unless they are configured', async (t) => {
    const server = await startServer(t, { database: false, waitReady: 'live' });
    assert.equal((await server.get('/metrics')).status, 404);
});

test('metrics behind a token', async (t) => {
    const server = await startServer(t, {
        database: false, waitReady: 'live', config: { metrics: { token: 'let-me-see-the-metrics' } },
    });
    assert.equal((await server.get('/metrics')).status, 401);
    assert.equal((await server.get('/metrics', { token: 'let-me-see-the-metricz' })).status, 401);
    const count = async () => {
        const { status, text } = await server.get('/metrics', { token: 'let-me-see-the-metrics' });
        assert.equal(status, 200);
        return Number(text.match(/^vv_http_requests_total\{status="2xx"\} (\d+)$/m)[1]);
    };
    const before = await count();
    for (let i = 0; i < 5; i++) await server.get('/health/live');
    await until(async () => await count() >= before + 6);
});

test('metrics on a listener of their own, which serves nothing else', async (t) => {
    const port = await freePort();
    const server = await startServer(t, {
        database: false, waitReady: 'live', config: { metrics: { listen: `127.0.0.1:${port}` } },
    });
    const from = (path) => fetch(`http://127.0.0.1:${port}${path}`);
    const reply = await from('/metrics');
    assert.equal(reply.status, 200);
    assert.match(reply.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    assert.match(await reply.text(), /^vv_http_requests_total/m);
    assert.equal((await from('/health/live')).status, 404);
    assert.equal((await server.get('/metrics')).status, 404);
});
