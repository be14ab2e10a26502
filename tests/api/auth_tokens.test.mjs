// Access tokens: what they say, which ones are refused, keys and their rotation. jose makes and checks them independently.
import { createHmac, createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as jose from 'jose';
import { after, assert, check, login, mustRun, newUser, startServer, tempDir, test, TEST_SECRET }
    from '../lib/harness.mjs';

// One for the whole file: what was made last ends first.
const file = { after };
const dir = tempDir(file);
const plugins = ['auth', 'mail'];

async function makeKey(name, ...args) {
    const place = path.join(dir, name);
    const { stdout } = await mustRun('openssl', ['genpkey', ...args]);
    writeFileSync(place, stdout);
    return place;
}
const keys = {
    ES256: await makeKey('ec.pem', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'),
    RS256: await makeKey('rsa.pem', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'),
    EdDSA: await makeKey('ed.pem', '-algorithm', 'ED25519'),
};
const readKey = async (alg) => jose.importPKCS8((await mustRun('cat', [keys[alg]])).stdout, alg);

const s = await startServer(file, { plugins });
const user = await newUser(s);
const others = {};
for (const alg of Object.keys(keys)) {
    const server = await startServer(file, {
        plugins, mail: s.mail, config: { auth: { jwt_algorithm: alg, jwt_key_file: keys[alg], jwt_secret: null } },
    });
    others[alg] = { server, someone: await newUser(server) };
}

const secret = new TextEncoder().encode(TEST_SECRET);
const good = { header: jose.decodeProtectedHeader(user.token), payload: jose.decodeJwt(user.token) };

/** The server's own token with changes, signed with its own secret (or another key). */
function token({ header = {}, payload = {}, key = secret } = {}) {
    const drop = (object) => Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined));
    return new jose.SignJWT(drop({ ...good.payload, ...payload }))
        .setProtectedHeader(drop({ ...good.header, ...header })).sign(key, { crit: { 'urn:x': true } });
}
const seconds = () => Math.floor(Date.now() / 1000);
const status = async (bearer, server = s) => (await server.get('/profile', { token: bearer })).status;

test('a token says who, until when, for whom', async () => {
    const { payload, protectedHeader } = await jose.jwtVerify(user.token, secret, {
        issuer: s.url, audience: s.url, typ: 'at+jwt', algorithms: ['HS256'],
        requiredClaims: ['iss', 'aud', 'sub', 'iat', 'exp', 'jti', 'sid', 'client_id'],
    });
    assert.equal(payload.sub, String(user.id));
    assert.equal(payload.client_id, s.url);
    assert.equal(payload.exp - payload.iat, 900);
    assert.ok(protectedHeader.kid);
    const other = await login(s, user);
    assert.notEqual(jose.decodeJwt(other.token).jti, payload.jti);
    assert.notEqual(jose.decodeJwt(other.token).sid, payload.sid);
});

test('an unchanged token made elsewhere is taken, so the refusals below mean something', async () => {
    assert.equal(await status(await token()), 200);
});

const refusals = {
    'expired': { payload: { iat: seconds() - 1000, exp: seconds() - 100 } },
    'another audience': { payload: { aud: 'https://other.test' } },
    'no audience': { payload: { aud: undefined } },
    'another issuer': { payload: { iss: 'https://other.test' } },
    'no issuer': { payload: { iss: undefined } },
    'typ JWT': { header: { typ: 'JWT' } },
    'no typ': { header: { typ: undefined } },
    'an unknown crit': { header: { crit: ['urn:x'], 'urn:x': 1 } },
    'not yet begun': { payload: { nbf: seconds() + 300 } },
    'issued in the future': { payload: { iat: seconds() + 300, exp: seconds() + 900 } },
    'no expiry': { payload: { exp: undefined } },
    'no subject': { payload: { sub: undefined } },
    'no session': { payload: { sid: undefined } },
    'another kid': { header: { kid: 'another' } },
    'no kid': { header: { kid: undefined } },
    'another secret': { key: new TextEncoder().encode('another-secret-that-is-long-enough-0123456789') },
    'HS512 with the secret': { header: { alg: 'HS512' } },
};
for (const [name, change] of Object.entries(refusals)) {
    test(`refused: ${name}`, async () => {
        const reply = await s.get('/profile', { token: await token(change) });
        assert.equal(reply.status, 401, reply.text);
        assert.equal(reply.json.code, 'invalid_token');
    });
}

test('refused: none, in every spelling', async () => {
    const encode = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
    for (const alg of ['none', 'None', 'NONE', ''])
        for (const signature of ['', 'x', user.token.split('.')[2]])
            assert.equal(await status(`${encode({ ...good.header, alg })}.${encode(good.payload)}.${signature}`), 401);
});

test('refused: tampered with, cut or lengthened', async () => {
    const [header, payload, signature] = user.token.split('.');
    const evil = Buffer.from(JSON.stringify({ ...good.payload, sub: '999' })).toString('base64url');
    for (const bad of [`${header}.${evil}.${signature}`, `${header}.${payload}.`, `${header}.${payload}`,
        `${header}..${signature}`, `${user.token}A`, `${user.token}=`, `${user.token}.x`, user.token.slice(0, -1),
        `${header}.${payload}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}`])
        assert.equal(await status(bad), 401, bad);
    assert.equal(await status(user.token), 200);
});

test('clock_step: two seconds either way pass, five minutes do not', async () => {
    for (const step of [-2, 2]) {
        const now = seconds() + step;
        assert.equal(await status(await token({ payload: { iat: now, nbf: now, exp: now + 900 } })), 200, `${step} s`);
    }
    assert.equal(await status(await token({ payload: { iat: seconds() - 900, exp: seconds() - 2 } })), 200);
    assert.equal(await status(await token({ payload: { iat: seconds() + 300, exp: seconds() + 1200 } })), 401);
    assert.equal(await status(await token({ payload: { iat: seconds() - 1200, exp: seconds() - 300 } })), 401);
});

test('with HS256 the key set is empty', async () => {
    assert.deepEqual((await s.get('/.well-known/jwks.json')).json, { keys: [] });
});

for (const [alg, { server, someone }] of Object.entries(others)) {
    test(`${alg}: signed with the key, checked with the published one`, async () => {
        assert.equal(await status(someone.token, server), 200);
        const set = (await server.get('/.well-known/jwks.json')).json;
        const { protectedHeader } = await jose.jwtVerify(someone.token, jose.createLocalJWKSet(set),
            { issuer: server.url, audience: server.url, typ: 'at+jwt', algorithms: [alg] });
        assert.equal(set.keys.length, 1);
        assert.equal(set.keys[0].kid, await jose.calculateJwkThumbprint(set.keys[0]));
        assert.equal(protectedHeader.kid, set.keys[0].kid);
        for (const secretPart of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!(secretPart in set.keys[0]));
        assert.equal((await server.post('/auth/refresh', { refresh_token: someone.refresh_token })).status, 200);
    });

    test(`${alg}: refused: an HS256 token signed with the public key`, async () => {
        const pem = (await mustRun('openssl', ['pkey', '-in', keys[alg], '-pubout'])).stdout;
        const der = createPublicKey(pem).export({ type: 'spki', format: 'der' });
        const jwk = JSON.stringify((await server.get('/.well-known/jwks.json')).json.keys[0]);
        const [header, payload] = someone.token.split('.');
        const { kid } = jose.decodeProtectedHeader(someone.token);
        const evil = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid })).toString('base64url');
        for (const material of [pem, pem.trimEnd(), der, jwk, '']) {
            for (const head of [evil, header]) {
                const mac = createHmac('sha256', material).update(`${head}.${payload}`).digest('base64url');
                assert.equal(await status(`${head}.${payload}.${mac}`, server), 401);
            }
        }
    });

    test(`${alg}: refused: another key of the same kind, tampered with`, async () => {
        const { privateKey } = await jose.generateKeyPair(alg);
        const header = jose.decodeProtectedHeader(someone.token);
        const claims = jose.decodeJwt(someone.token);
        const made = (key) => new jose.SignJWT(claims).setProtectedHeader(header).sign(key);
        assert.equal(await status(await made(await readKey(alg)), server), 200);
        assert.equal(await status(await made(privateKey), server), 401);
        const [h, p, signature] = someone.token.split('.');
        const bytes = Buffer.from(signature, 'base64url');
        bytes[bytes.length - 1] ^= 1;
        assert.equal(await status(`${h}.${p}.${bytes.toString('base64url')}`, server), 401);
    });
}

test('keys rotate with an overlap', async (t) => {
    const server = await startServer(t, { plugins, mail: s.mail });
    const someone = await newUser(server);
    // From one secret to another: old tokens count while it stands as the previous one.
    server.writeConfig({ auth: { jwt_secret: `${TEST_SECRET}-the-next`, jwt_secret_previous: TEST_SECRET } });
    await server.reload();
    assert.equal(await status(someone.token, server), 200);
    const second = await server.post('/auth/refresh', { refresh_token: someone.refresh_token });
    assert.equal(second.status, 200, second.text);
    assert.notEqual(jose.decodeProtectedHeader(second.json.access_token).kid, jose.decodeProtectedHeader(someone.token).kid);
    // The reply of that refresh got lost: the retry gets the same child, whichever key derived it.
    const twin = await server.post('/auth/refresh', { refresh_token: someone.refresh_token });
    assert.equal(twin.json.refresh_token, second.json.refresh_token);

    // On to a key pair; the first secret is not known any more.
    server.writeConfig({ auth: {
        jwt_algorithm: 'ES256', jwt_key_file: keys.ES256, jwt_secret: null, jwt_secret_previous: `${TEST_SECRET}-the-next`,
    } });
    await server.reload();
    assert.equal(await status(someone.token, server), 401);
    assert.equal(await status(second.json.access_token, server), 200);
    const third = await login(server, someone);
    assert.equal(jose.decodeProtectedHeader(third.token).alg, 'ES256');

    // And to another pair: both are published.
    server.writeConfig({ auth: {
        jwt_algorithm: 'EdDSA', jwt_key_file: keys.EdDSA, jwt_key_file_previous: keys.ES256, jwt_secret_previous: null,
    } });
    await server.reload();
    assert.equal(await status(third.token, server), 200);
    const set = (await server.get('/.well-known/jwks.json')).json.keys;
    assert.deepEqual(set.map((k) => k.alg), ['EdDSA', 'ES256']);
});

test('a shorter lifetime counts for tokens that are out', async (t) => {
    const server = await startServer(t, { plugins, mail: s.mail });
    const someone = await newUser(server);
    const claims = jose.decodeJwt(someone.token);
    const old = await new jose.SignJWT({ ...claims, iat: claims.iat - 200, exp: claims.exp - 200 })
        .setProtectedHeader(jose.decodeProtectedHeader(someone.token)).sign(secret);
    assert.equal(await status(old, server), 200);
    server.writeConfig({ auth: { access_token_ttl: '1m' } });
    await server.reload();
    assert.equal(await status(old, server), 401);
});

const starts = {
    'jwt_secret is missing: make one with `openssl rand -base64 48`': { jwt_secret: null },
    'jwt_secret is too short': { jwt_secret: 'only-31-bytes-of-secret-are-not' },
    'jwt_secret_previous is too short': { jwt_secret_previous: 'short' },
    'jwt_key_file is missing, which ES256 needs: make one with `openssl genpkey': { jwt_algorithm: 'ES256' },
    'this key is for RS256, and jwt_algorithm is ES256': { jwt_algorithm: 'ES256', jwt_key_file: keys.RS256 },
    'it holds no private key': { jwt_algorithm: 'ES256', jwt_key_file: import.meta.filename },
    'bcrypt_cost': { bcrypt_cost: 3 },
    'needs mail to verify addresses: enable [mail], or set require_verification = false': {},
};
for (const [sentence, auth] of Object.entries(starts)) {
    test(`the start is refused: ${sentence}`, async (t) => {
        const config = {
            server: { public_url: 'http://vv.test', plugin_dir: s.pluginDir },
            database: { url: 'postgresql:///none', migrations_dir: s.config.database.migrations_dir },
            auth: { enabled: 'true', jwt_secret: TEST_SECRET, ...auth },
            mail: Object.keys(auth).length ? { ...s.config.mail } : undefined,
        };
        const { code, stdout, stderr } = await check(t, config);
        assert.notEqual(code, 0);
        assert.ok((stdout + stderr).includes(sentence), stdout + stderr);
        assert.ok(!(stdout + stderr).includes('only-31-bytes'));
    });
}

test('a cost under 10 is accepted with a warning', () => {
    assert.ok(s.log.some((line) => /bcrypt_cost 4 is for tests/.test(JSON.stringify(line))));
});
