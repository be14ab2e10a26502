// Passwords: guessing is slowed down, nobody learns who has an account, and old hashes are upgraded.
import { after, assert, login, newUser, PASSWORD, register, startServer, test, until, verify, vvctl }
    from '../lib/harness.mjs';

const s = await startServer({ after }, {
    plugins: ['auth', 'mail'], config: { server: { trusted_proxies: '127.0.0.1' }, auth: { bcrypt_cost: 5 } },
});
const from = (address) => ({ headers: { 'x-forwarded-for': address } });
const tryLogin = (email, password, options) => s.post('/auth/login', { email, password }, options);
const failures = async (user) => (await s.db.query('select coalesce(max(failures), 0)::int as n from auth_failures'
    + ' where last_failure >= $1', [user.since]))[0].n;

/** Somebody new, and the moment from which failures are theirs. */
async function person(fields) {
    const user = await newUser(s, fields);
    [{ now: user.since }] = await s.db.query('select clock_timestamp() as now');
    return user;
}

test('from the fifth wrong password on, the network has to wait, longer each time', async () => {
    const user = await person();
    for (let i = 0; i < 5; i++)
        assert.equal((await tryLogin(user.email, `wrong-password-${i}`, from('192.0.2.1'))).status, 401);
    const refused = await tryLogin(user.email, PASSWORD, from('192.0.2.1'));
    assert.equal(refused.status, 429, refused.text);
    assert.equal(refused.json.code, 'too_many_attempts');
    const wait = Number(refused.headers.get('retry-after'));
    assert.ok(wait >= 1 && wait <= 5, `${wait}`);

    // What is refused is not counted; the next wrong one doubles the wait.
    assert.equal(await failures(user), 5);
    await s.db.query('update auth_failures set blocked_until = now()');
    assert.equal((await tryLogin(user.email, 'wrong-password-6', from('192.0.2.1'))).status, 401);
    const later = await tryLogin(user.email, PASSWORD, from('192.0.2.1'));
    assert.ok(Number(later.headers.get('retry-after')) > 5, later.headers.get('retry-after'));

    // Nobody else is locked out, and the right password afterwards forgives.
    assert.equal((await tryLogin(user.email, PASSWORD, from('192.0.2.2'))).status, 200);
    await s.db.query('update auth_failures set blocked_until = now()');
    assert.equal((await tryLogin(user.email, PASSWORD, from('192.0.2.1'))).status, 200);
    assert.equal(await failures(user), 0);
});

test('a network of IPv6 is a /64', async () => {
    const user = await person();
    for (let i = 0; i < 5; i++) await tryLogin(user.email, 'wrong-password', from(`2001:db8:1:2::${i}`));
    assert.equal((await tryLogin(user.email, PASSWORD, from('2001:db8:1:2:ffff::1'))).status, 429);
    assert.equal((await tryLogin(user.email, PASSWORD, from('2001:db8:1:3::1'))).status, 200);
});

test('login_parallel: twenty right ones at once pass, twenty wrong ones count twenty', async () => {
    const user = await person();
    const right = await Promise.all(Array.from({ length: 20 }, () => tryLogin(user.email, PASSWORD)));
    assert.deepEqual([...new Set(right.map((r) => r.status))], [200]);
    const wrong = await Promise.all(Array.from({ length: 20 }, (_, i) => tryLogin(user.email, `wrong-password-${i}`)));
    const counted = wrong.filter((r) => r.status === 401).length;
    assert.equal(await failures(user), counted);
    assert.equal(counted, 20);
    assert.equal((await tryLogin(user.email, PASSWORD)).status, 429);
});

test('the password that deletes or changes an account is guarded the same way', async () => {
    const user = await person();
    for (let i = 0; i < 5; i++)
        assert.equal((await s.delete('/profile', { token: user.token, body: { password: 'wrong' } })).status, 403);
    const change = { current_password: PASSWORD, new_password: 'An0ther-one-entirely' };
    assert.equal((await s.post('/auth/change-password', change, { token: user.token })).status, 429);
});

test('enum_matrix: who has no account, an unverified, a disabled one: all alike', async (t) => {
    // Hashing has to stand out from everything else that takes time.
    const s = await startServer(t, { plugins: ['auth', 'mail'], config: { auth: { bcrypt_cost: 10 } } });
    const tryLogin = (email, password) => s.post('/auth/login', { email, password });
    const verified = await newUser(s);
    const disabled = await newUser(s);
    const { code, stderr } = await vvctl(s, ['user', 'disable', disabled.email]);
    assert.equal(code, 0, stderr);
    const unverified = await register(s);
    const people = { verified: verified.email, disabled: disabled.email, unverified: unverified.email,
        unknown: 'nobody.at.all@vv.test' };

    const seen = (reply) => JSON.stringify({
        status: reply.status, body: { ...reply.json, request_id: undefined },
        headers: [...reply.headers.keys()].filter((name) => name !== 'date').sort(),
    });
    const ask = {
        login: (email) => tryLogin(email, 'wrong-password'),
        resend: (email) => s.post('/auth/resend-verification', { email }),
        recover: (email) => s.post('/auth/forgot-password', { email }),
    };
    for (const [name, call] of Object.entries(ask)) {
        const answers = {};
        const times = {};
        for (const who of Object.keys(people)) [answers[who], times[who]] = [[], []];
        // In turn, so that a busy moment of the machine meets all of them.
        for (let i = 0; i < 7; i++) {
            for (const [who, email] of Object.entries(people)) {
                const started = performance.now();
                answers[who].push(seen(await call(email)));
                if (i < 5) times[who].push(performance.now() - started);
            }
        }
        for (const who of Object.keys(people)) {
            assert.deepEqual(answers[who].map((a) => a.replace(/in \d+ seconds/, '')),
                answers.unknown.map((a) => a.replace(/in \d+ seconds/, '')), `${name}: ${who} against unknown`);
            // The quickest of five is what the work takes; the rest is what else the machine did.
            const [a, b] = [Math.min(...times[who]), Math.min(...times.unknown)];
            assert.ok(Math.abs(a - b) < 20 + Math.max(a, b) / 2, `${name}: ${who} took ${a} ms, unknown ${b} ms`);
        }
    }
    // With the right password a disabled account is still nobody's.
    await s.db.query('delete from auth_failures');
    assert.equal(seen(await tryLogin(disabled.email, PASSWORD)),
        seen(await tryLogin('nobody.at.all@vv.test', PASSWORD)));
});

test('disabling an account ends its sessions within a second, enabling lets it in again', async () => {
    const user = await person();
    const started = Date.now();
    assert.equal((await vvctl(s, ['user', 'disable', String(user.id)])).code, 0);
    await until(async () => (await s.get('/profile', { token: user.token })).status === 401, { timeout: 3_000 });
    assert.ok(Date.now() - started < 3_000);
    assert.equal((await s.post('/auth/refresh', { refresh_token: user.refresh_token })).status, 401);
    assert.equal((await tryLogin(user.email, PASSWORD)).status, 401);
    assert.equal((await vvctl(s, ['user', 'enable', user.email.toUpperCase()])).code, 0);
    await login(s, user);
});

test('password_73: what comes after 72 bytes counts', async () => {
    const start = `x1${'ab'.repeat(35)}`;
    assert.equal(start.length, 72);
    const user = await person({ password: `${start}A` });
    assert.equal((await tryLogin(user.email, `${start}B`)).status, 401);
    assert.equal((await tryLogin(user.email, start)).status, 401);
    assert.equal((await tryLogin(user.email, `${start}A`)).status, 200);
});

test('a stored hash is of the published scheme, and upgraded where it is weaker', async () => {
    const user = await person();
    const stored = async () => (await s.db.query('select password_hash as h from users where id = $1', [user.id]))[0].h;
    assert.match(await stored(), /^\$bcrypt-sha256\$v=2,t=2b,r=5\$[./A-Za-z0-9]{22}\$[./A-Za-z0-9]{31}$/);

    // A plain hash of the first 72 bytes, as earlier servers made it: it verifies as it did, then the whole counts.
    const long = 'U*U' + 'x'.repeat(97);
    await s.db.query("update users set password_hash = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'"
        + ' where id = $1', [user.id]);
    assert.equal((await tryLogin(user.email, 'U*V')).status, 401);
    const twenty = await Promise.all(Array.from({ length: 20 }, () => tryLogin(user.email, 'U*U')));
    assert.deepEqual([...new Set(twenty.map((r) => r.status))], [200]);
    assert.match(await stored(), /^\$bcrypt-sha256\$v=2,t=2b,r=5\$/);
    assert.equal((await tryLogin(user.email, 'U*U')).status, 200);
    assert.equal((await tryLogin(user.email, long)).status, 401);
});

test('a lower cost is upgraded at login', async (t) => {
    const weak = await startServer(t, { plugins: ['auth', 'mail'], mail: s.mail });
    const user = await register(weak);
    await verify(weak, user);
    const stored = async () => (await weak.db.query('select password_hash as h from users'))[0].h;
    assert.match(await stored(), /r=4\$/);
    weak.writeConfig({ auth: { bcrypt_cost: 6 } });
    await weak.reload();
    await login(weak, user);
    assert.match(await stored(), /r=6\$/);
    await login(weak, user);
});

test('the limit per address holds for all of them together', async (t) => {
    const limited = await startServer(t, {
        plugins: ['auth', 'mail'], mail: s.mail, database: s.db, config: { limits: { auth: '6/m' } },
    });
    const calls = [['register', {}], ['login', {}], ['forgot-password', {}], ['reset-password', {}],
        ['resend-verification', {}], ['verify-email', {}]];
    for (const [name, body] of calls) assert.equal((await limited.post(`/auth/${name}`, body)).status, 422, name);
    for (const [name, body] of calls) {
        const reply = await limited.post(`/auth/${name}`, body);
        assert.equal(reply.status, 429, name);
        assert.ok(Number(reply.headers.get('retry-after')) >= 1);
    }
    assert.notEqual((await limited.post('/auth/refresh', { refresh_token: 'x' })).status, 429);
});
