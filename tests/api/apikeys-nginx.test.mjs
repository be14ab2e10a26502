// The documents' configuration of nginx, run with Debian's nginx in front of an application.
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, assert, canConnect, cleanup, freePort, newUser, request, ROOT, spawnBound, tempDir, test, until }
    from '../lib/harness.mjs';
import { startKeys, strangeKey } from '../lib/keys.mjs';

const file = { after };
const s = await startKeys(file, {
    config: { server: { trusted_proxies: '127.0.0.1' }, usage: { default_quota: 5 }, apikeys: { misses: '3/h' } },
});

/** An application that answers what it was sent. */
async function startApplication(t) {
    const server = http.createServer((asked, reply) => {
        let body = '';
        asked.on('data', (data) => { body += data; });
        asked.on('end', () => {
            reply.setHeader('content-type', 'application/json');
            reply.end(JSON.stringify({ method: asked.method, url: asked.url, headers: asked.headers, body }));
        });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup(t, () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }));
    return server.address().port;
}

async function startNginx(t) {
    const [dir, port, application] = [tempDir(t, 'vv-nginx-'), await freePort(), await startApplication(t)];
    const documented = readFileSync(path.join(ROOT, 'plugins/apikeys/README.md'), 'utf8').match(/```nginx\n([^]*?)```/)[1]
        .replace('127.0.0.1:8000', `127.0.0.1:${s.port}`).replace('listen 8080', `listen 127.0.0.1:${port}`)
        .replace('127.0.0.1:9000', `127.0.0.1:${application}`);
    writeFileSync(`${dir}/nginx.conf`, `
daemon off; pid ${dir}/pid; error_log ${dir}/error.log; ${process.getuid() === 0 ? 'user root;' : ''}
events {}
http {
    access_log off; client_body_temp_path ${dir}/a; proxy_temp_path ${dir}/b; fastcgi_temp_path ${dir}/c;
    uwsgi_temp_path ${dir}/d; scgi_temp_path ${dir}/e;
    ${documented}
}`);
    const child = spawnBound('nginx', ['-c', `${dir}/nginx.conf`, '-p', dir], { stdio: 'ignore' });
    cleanup(t, () => child.kill());
    await until(() => canConnect(port), { what: 'nginx listens' });
    return `http://127.0.0.1:${port}`;
}

const nginx = await startNginx(file);

async function withKey() {
    const person = await newUser(s);
    const { json } = await s.post('/api-keys/regenerate', {}, { token: person.token });
    return { ...person, id: person.user_id, key: json.api_key };
}

test('a call with a key reaches the application, with whose it is', async () => {
    const person = await withKey();
    const reply = await request(nginx, 'POST', '/search?q=1', {
        key: person.key, body: { a: 'b' }, headers: { 'x-user-id': '1', 'x-plan': 'enterprise', 'x-key-id': '1' },
    });
    assert.equal(reply.status, 200, reply.text);
    const { method, url, headers, body } = reply.json;
    assert.deepEqual([method, url, body], ['POST', '/search?q=1', '{"a":"b"}']);
    assert.deepEqual([headers['x-user-id'], headers['x-plan'], headers['x-api-key']], [String(person.id), 'none', undefined]);
    assert.match(reply.headers.get('ratelimit'), /"quota";r=4/);
    const rows = await s.db.query('select api_endpoint, key_id::text as key from usage_logs where user_id = $1', [person.id]);
    assert.deepEqual(rows, [{ api_endpoint: '/search', key: headers['x-key-id'] }]);
});

test('without one that works nothing does', async () => {
    const person = await withKey();
    for (const [headers, status] of [[{}, 401], [{ 'x-api-key': 'garbage' }, 401], [{ 'x-user-id': '1' }, 401],
        [{ authorization: `Bearer ${person.token}` }, 401]]) {
        const reply = await request(nginx, 'GET', '/', { headers });
        assert.equal(reply.status, status);
        assert.equal(reply.headers.get('www-authenticate'), 'ApiKey');
    }
    assert.equal((await request(nginx, 'GET', '/_vvserver', { key: person.key })).status, 404);
});

test('over the quota it is 403, and when to come again', async () => {
    const { key } = await withKey();
    const replies = [];
    for (let i = 0; i < 7; i++) replies.push(await request(nginx, 'GET', `/${i}`, { key }));
    assert.deepEqual(replies.map((r) => r.status), [200, 200, 200, 200, 200, 403, 403]);
    assert.ok(Number(replies[6].headers.get('retry-after')) > 0);
});

test('guesses are counted for the client that nginx names, not for nginx, nor for what the client says', async () => {
    const { key } = await withKey();
    for (let i = 0; i < 3; i++)
        assert.equal((await request(nginx, 'GET', '/',
            { key: strangeKey(), headers: { 'x-forwarded-for': `192.0.2.${i}` } })).status, 401);
    assert.equal((await request(nginx, 'GET', '/', { key, headers: { 'x-forwarded-for': '192.0.2.9' } })).status, 403);
});

test('while the server is away nothing gets through', async () => {
    const { key } = await withKey();
    await s.stop();
    assert.equal((await request(nginx, 'GET', '/', { key })).status, 500);
});
