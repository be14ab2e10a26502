// The OpenAPI document and its page: made from the routes that are loaded, and from nothing else.
import { assert, before, describe, startServer, test } from '../lib/harness.mjs';

let server, doc;
before(async (t) => {
    server = await startServer(t, { plugins: ['echo'], database: false, waitReady: 'live' });
    doc = (await server.get('/openapi.json')).json;
});

/** Every $ref and every object of the document, with its place. */
function* walk(value, place = '#') {
    if (value === null || typeof value !== 'object') return;
    yield [place, value];
    for (const [key, inner] of Object.entries(value)) yield* walk(inner, `${place}/${key}`);
}

describe('the document', () => {
    test('is OpenAPI 3.1 of this server', () => {
        assert.match(doc.openapi, /^3\.1\./);
        assert.match(doc.info.version, /^\d+\.\d+\.\d+/);
        assert.equal(doc.servers[0].url, server.url);
        assert.deepEqual(doc.tags.map((tag) => tag.name), ['core', 'echo']);
    });
    test('has what is loaded, and neither aliases nor pages', () => {
        assert.ok(doc.paths['/health'].get && doc.paths['/health/live'].get);
        assert.deepEqual(Object.keys(doc.paths['/echo']), ['post', 'patch']);
        for (const path of ['/echo/hidden', '/docs', '/openapi.json', '/metrics', '/auth/login'])
            assert.equal(doc.paths[path], undefined);
    });
    test('describes bodies, arguments, credentials and refusals', () => {
        const body = doc.paths['/echo'].post.requestBody;
        assert.equal(body.required, true);
        assert.equal(doc.paths['/echo'].patch.requestBody.required, false);
        const { schema } = body.content['application/json'];
        assert.deepEqual(schema.required, ['text']);
        assert.equal(schema.additionalProperties, false);
        assert.deepEqual(schema.properties.text, { type: 'string', minLength: 1, maxLength: 100, description: 'What to say' });
        assert.deepEqual(schema.properties.times, { type: 'integer', minimum: 1, maximum: 9, default: 1, description: 'How often' });
        assert.deepEqual(schema.properties.email.type, ['string', 'null']);
        assert.deepEqual(schema.properties.parts.items.required, ['name']);

        const { parameters } = doc.paths['/echo/args/{id}'].get;
        assert.deepEqual(parameters.map((p) => [p.name, p.in, p.required]), [['id', 'path', true], ['q', 'query', undefined]]);
        assert.deepEqual(doc.paths['/echo/path/{name}'].get.parameters.map((p) => [p.name, p.in]), [['name', 'path']]);

        assert.deepEqual(doc.paths['/echo'].post.security, []);
        assert.deepEqual(doc.paths['/echo/user'].get.security, [{ user: [] }]);
        assert.deepEqual(doc.paths['/echo/key'].get.security, [{ key: [] }]);
        assert.ok(doc.paths['/echo/user'].get.responses['401'].content['application/problem+json']);
        assert.ok(doc.paths['/echo'].post.responses['422']);
        assert.ok(doc.paths['/echo/limited'].get.responses['429']);
    });
    test('is whole: every reference leads somewhere, every operation has its own id', () => {
        const ids = [];
        for (const [place, value] of walk(doc)) {
            if (value.operationId) ids.push(value.operationId);
            if (!value.$ref) continue;
            const found = value.$ref.slice(2).split('/').reduce((at, key) => at?.[key], doc);
            assert.ok(found, `${place} refers to ${value.$ref}`);
        }
        assert.equal(new Set(ids).size, ids.length);
        for (const [path, operations] of Object.entries(doc.paths)) {
            const named = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
            for (const [method, operation] of Object.entries(operations)) {
                const given = operation.parameters.filter((p) => p.in === 'path').map((p) => p.name).sort();
                assert.deepEqual(given, named, `${method} ${path}`);
                for (const scheme of operation.security.flatMap(Object.keys)) assert.ok(doc.components.securitySchemes[scheme]);
            }
        }
    });
    test('is true: a refusal is what its Problem says', async () => {
        const reply = await server.post('/echo', { nothing: 1 });
        const { required, properties } = doc.components.schemas.Problem;
        for (const name of required) assert.ok(name in reply.json, name);
        for (const name of Object.keys(reply.json)) assert.ok(name in properties, name);
    });
});

test('the page stands alone, and may load nothing from elsewhere', async () => {
    const reply = await server.get('/docs');
    assert.equal(reply.status, 200);
    assert.match(reply.headers.get('content-type'), /^text\/html/);
    assert.match(reply.headers.get('content-security-policy'), /default-src 'none'/);
    assert.ok(!/(src|href)=["']?(https?:)?\/\//i.test(reply.text));
    const script = reply.text.match(/<script>([\s\S]*)<\/script>/)[1];
    assert.doesNotThrow(() => new Function(script));
});
