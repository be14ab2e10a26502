// The life of an account: register, verify, log in, profile, sessions, deletion.
import { after, assert, login, newUser, PASSWORD, readMail, register, startServer, test, until, verify }
    from '../lib/harness.mjs';

const s = await startServer({ after }, { plugins: ['auth', 'mail'], config: { server: { workers: 2 } } });

const refused = (reply, status, code) => {
    assert.equal(reply.status, status, reply.text);
    assert.equal(reply.json.code, code, reply.text);
    assert.match(reply.headers.get('content-type'), /^application\/problem\+json/);
};
const fields = (reply) => {
    assert.equal(reply.status, 422, reply.text);
    return reply.json.errors.map((e) => e.field).sort();
};

/** Both workers, with a connection of its own each time: all have to refuse within a second. */
async function dies(token) {
    const started = Date.now();
    await until(async () => {
        const replies = await Promise.all(Array.from({ length: 8 }, () =>
            s.get('/profile', { token, headers: { connection: 'close' } })));
        return replies.every((r) => r.status === 401);
    }, { timeout: 3_000, what: 'the token is refused everywhere' });
    assert.ok(Date.now() - started < 1_500, `it took ${Date.now() - started} ms`);
}

test('register, verify, log in, profile', async () => {
    const person = await register(s, { email: 'Ada.First@vv.test' });
    assert.deepEqual(Object.keys(person.reply.json).sort(), ['email_verification_sent', 'message', 'user_id']);
    assert.equal(person.reply.json.email_verification_sent, true);
    assert.equal(typeof person.id, 'number');

    const early = await s.post('/auth/login', { email: person.email, password: PASSWORD });
    refused(early, 403, 'email_unverified');
    assert.match(early.json.detail, /^Please verify your email address before logging in\. /);

    await verify(s, person);
    const reply = await s.post('/auth/login', { email: ' ada.FIRST@vv.test ', password: PASSWORD });
    assert.equal(reply.status, 200, reply.text);
    const { access_token: token, user } = reply.json;
    assert.equal(reply.json.token_type, 'bearer');
    assert.equal(reply.json.expires_in, 900);
    assert.equal(reply.json.email_verified, true);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.deepEqual(Object.keys(user),
        ['id', 'email', 'first_name', 'last_name', 'email_verified', 'created_at', 'updated_at']);

    for (const path of ['/profile', '/auth/profile']) {
        const profile = await s.get(path, { token });
        assert.equal(profile.status, 200, profile.text);
        assert.deepEqual(profile.json, {
            id: person.id, email: 'Ada.First@vv.test', first_name: 'Ada', last_name: 'Lovelace',
            email_verified: true, subscription_status: 'none', subscription_plan: null,
            subscription_end_date: null, api_calls_used: 0, api_calls_limit: null,
            created_at: profile.json.created_at, updated_at: profile.json.updated_at,
        });
        assert.match(profile.json.created_at, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    }
});

test('registration names every bad field at once', async () => {
    assert.deepEqual(fields(await s.post('/auth/register', {})), ['email', 'first_name', 'last_name', 'password']);
    assert.deepEqual(fields(await s.post('/auth/register', {
        email: 'nobody', password: 'short', first_name: '   ', last_name: 'x'.repeat(101), admin: true,
    })), ['admin', 'email', 'first_name', 'last_name', 'password']);
    const person = { email: 'fine@vv.test', password: PASSWORD, first_name: 'A', last_name: 'B' };
    assert.deepEqual(fields(await s.post('/auth/register', { ...person, first_name: 'A\nBcc: x' })), ['first_name']);
    assert.deepEqual(fields(await s.post('/auth/register', { ...person, password: 'Password123' })), ['password']);
    assert.deepEqual(fields(await s.post('/auth/register', { ...person, password: 'é'.repeat(513) })), ['password']);
    assert.deepEqual(fields(await s.post('/auth/register', { ...person, password: 'a b\u0000c defgh' })), ['password']);
    assert.deepEqual(await s.db.query("select 1 from users where email = 'fine@vv.test'"), []);
});

test('any Unicode is a password, up to 1,024 bytes', async () => {
    for (const password of ['пароль-мой', 'é'.repeat(512), '        a', '💜💚💙💛🧡❤️🤎🖤']) {
        const person = await register(s, { password });
        await verify(s, person);
        await login(s, person);
        const wrong = await s.post('/auth/login', { email: person.email, password: `${[...password].slice(0, -1).join('')}z` });
        refused(wrong, 401, 'invalid_credentials');
    }
});

test('an address has one account, whatever its letters’ case', async () => {
    const person = await register(s, { email: 'Once@vv.test' });
    const again = { email: 'ONCE@vv.test', password: PASSWORD, first_name: 'A', last_name: 'B' };
    const reply = await s.post('/auth/register', again);
    refused(reply, 409, 'email_taken');
    assert.equal(reply.json.detail, 'User already exists');
    assert.ok(person.id > 0);
});

test('of ten registrations at the same time exactly one wins', async () => {
    const person = { password: PASSWORD, first_name: 'A', last_name: 'B' };
    const replies = await Promise.all(Array.from({ length: 10 }, (_, i) =>
        s.post('/auth/register', { ...person, email: i % 2 ? 'race@vv.test' : 'RACE@vv.test' })));
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, ...Array(9).fill(409)]);
    assert.equal((await s.db.query("select 1 from users where lower(email) = 'race@vv.test'")).length, 1);
    await readMail(s, 'race@vv.test');
    assert.equal((await s.db.query("select 1 from email_verification_tokens t join users u on u.id = t.user_id"
        + " where lower(u.email) = 'race@vv.test'")).length, 1);
});

test('a verification token works once', async () => {
    const person = await register(s);
    const { token } = await readMail(s, person);
    const replies = await Promise.all(Array.from({ length: 5 }, () => s.post('/auth/verify-email', { token })));
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, 400, 400, 400, 400]);
    const again = await s.post('/auth/verify-email', { token });
    refused(again, 400, 'invalid_token');
    assert.equal(again.json.detail, 'Invalid or expired verification token');
    refused(await s.post('/auth/verify-email', { token: 'nonsense' }), 400, 'invalid_token');
});

test('a verification token works for 24 hours', async () => {
    const person = await register(s);
    const { token, text } = await readMail(s, person);
    assert.match(text, /24 hours/);
    const [row] = await s.db.query('select extract(epoch from expires_at - created_at)::int as life'
        + ' from email_verification_tokens where user_id = $1', [person.id]);
    assert.equal(row.life, 86_400);
    await s.db.query('update email_verification_tokens set expires_at = now() where user_id = $1', [person.id]);
    refused(await s.post('/auth/verify-email', { token }), 400, 'invalid_token');
});

test('who is not signed in is told how', async () => {
    for (const headers of [{}, { authorization: 'Basic YTpi' }, { authorization: 'Bearer nonsense' }, { authorization: 'Bearer' }]) {
        const reply = await s.get('/profile', { headers });
        assert.equal(reply.status, 401);
        assert.match(reply.headers.get('www-authenticate'), /^Bearer/);
    }
    const user = await newUser(s);
    const two = await s.raw(`GET /profile HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${user.token}\r\n`
        + `Authorization: Bearer ${user.token}\r\n\r\n`);
    assert.equal(two.status, 400);
});

test('a refresh token rotates', async () => {
    const user = await newUser(s);
    let token = user.refresh_token;
    for (let i = 0; i < 3; i++) {
        const reply = await s.post('/auth/refresh', { refresh_token: token });
        assert.equal(reply.status, 200, reply.text);
        assert.notEqual(reply.json.refresh_token, token);
        assert.deepEqual(Object.keys(reply.json).sort(), ['access_token', 'email_verified', 'expires_in', 'refresh_token',
            'token_type', 'user', 'user_id']);
        assert.equal((await s.get('/profile', { token: reply.json.access_token })).status, 200);
        token = reply.json.refresh_token;
    }
    const stored = JSON.stringify(await s.db.query('select s::text from auth_sessions s'));
    assert.ok(!stored.includes(token));
    for (const bad of ['x', token.slice(0, -1), `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`, 'A'.repeat(70)])
        refused(await s.post('/auth/refresh', { refresh_token: bad }), 401, 'invalid_refresh_token');
    assert.equal((await s.post('/auth/refresh', { refresh_token: token })).status, 200);
});

test('refresh_twin: two at once get the same child, a third after 10 s ends the family', async () => {
    const user = await newUser(s);
    const twins = await Promise.all([1, 2].map(() => s.post('/auth/refresh', { refresh_token: user.refresh_token })));
    assert.deepEqual(twins.map((r) => r.status), [200, 200]);
    assert.equal(twins[0].json.refresh_token, twins[1].json.refresh_token);
    for (const twin of twins) assert.equal((await s.get('/profile', { token: twin.json.access_token })).status, 200);

    await s.db.query("update auth_sessions set rotated_at = rotated_at - interval '10 s' where user_id = $1", [user.id]);
    refused(await s.post('/auth/refresh', { refresh_token: user.refresh_token }), 401, 'invalid_refresh_token');
    refused(await s.post('/auth/refresh', { refresh_token: twins[0].json.refresh_token }), 401, 'invalid_refresh_token');
    await dies(twins[0].json.access_token);
});

test('refresh_lost_reply: a retry within the grace succeeds', async () => {
    const user = await newUser(s);
    const first = await s.post('/auth/refresh', { refresh_token: user.refresh_token });
    const retry = await s.post('/auth/refresh', { refresh_token: user.refresh_token });
    assert.equal(retry.status, 200, retry.text);
    assert.equal(retry.json.refresh_token, first.json.refresh_token);
    assert.equal((await s.post('/auth/refresh', { refresh_token: retry.json.refresh_token })).status, 200);
});

test('a grandparent is theft, even at once', async () => {
    const user = await newUser(s);
    const child = await s.post('/auth/refresh', { refresh_token: user.refresh_token });
    const grandchild = await s.post('/auth/refresh', { refresh_token: child.json.refresh_token });
    assert.equal(grandchild.status, 200);
    refused(await s.post('/auth/refresh', { refresh_token: user.refresh_token }), 401, 'invalid_refresh_token');
    refused(await s.post('/auth/refresh', { refresh_token: grandchild.json.refresh_token }), 401, 'invalid_refresh_token');
    await dies(grandchild.json.access_token);
});

test('fifty refreshes of one token at once end in one child', async () => {
    const user = await newUser(s);
    const replies = await Promise.all(Array.from({ length: 50 }, () =>
        s.post('/auth/refresh', { refresh_token: user.refresh_token })));
    assert.deepEqual([...new Set(replies.map((r) => r.status))], [200]);
    assert.equal(new Set(replies.map((r) => r.json.refresh_token)).size, 1);
});

test('logout ends the session on every worker, and no other', async () => {
    const user = await newUser(s);
    const other = await login(s, user);
    const reply = await s.post('/auth/logout', undefined, { token: user.token });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(typeof reply.json.message, 'string');
    await dies(user.token);
    refused(await s.post('/auth/refresh', { refresh_token: user.refresh_token }), 401, 'invalid_refresh_token');
    assert.equal((await s.get('/profile', { token: other.token })).status, 200);
});

test('logout of all sessions', async () => {
    const user = await newUser(s);
    const other = await login(s, user);
    assert.equal((await s.post('/auth/logout', { all: true }, { token: user.token })).status, 200);
    await dies(user.token);
    await dies(other.token);
    await login(s, user);
});

test('sessions are listed and ended one by one', async () => {
    const user = await newUser(s);
    await s.post('/auth/login', { email: user.email, password: PASSWORD }, { headers: { 'user-agent': 'a phone' } });
    const stranger = await newUser(s);
    const list = (await s.get('/auth/sessions', { token: user.token })).json;
    assert.equal(list.length, 2);
    for (const session of list)
        assert.deepEqual(Object.keys(session), ['id', 'created_at', 'last_seen_at', 'ip', 'user_agent', 'current']);
    const phone = list.find((x) => x.user_agent === 'a phone');
    assert.equal(phone.current, false);
    assert.equal(phone.ip, '127.0.0.1');
    assert.equal(list.filter((x) => x.current).length, 1);

    refused(await s.delete(`/auth/sessions/${phone.id}`, { token: stranger.token }), 404, 'unknown_session');
    assert.equal((await s.delete(`/auth/sessions/${phone.id}`, { token: user.token })).status, 200);
    refused(await s.delete(`/auth/sessions/${phone.id}`, { token: user.token }), 404, 'unknown_session');
    assert.equal((await s.get('/auth/sessions', { token: user.token })).json.length, 1);
});

test('a new password ends the other sessions, not the caller’s', async () => {
    const user = await newUser(s);
    const other = await login(s, user);
    const change = (body) => s.post('/auth/change-password', body, { token: user.token });
    refused(await change({ current_password: 'not-the-password', new_password: 'An0ther-one-entirely' }), 403, 'wrong_password');
    assert.deepEqual(fields(await change({ current_password: PASSWORD, new_password: 'password1' })), ['new_password']);
    assert.deepEqual(fields(await change({ current_password: PASSWORD, new_password: 'short' })), ['new_password']);
    const reply = await change({ current_password: PASSWORD, new_password: 'An0ther-one-entirely' });
    assert.equal(reply.status, 200, reply.text);
    await dies(other.token);
    assert.equal((await s.get('/profile', { token: user.token })).status, 200);
    assert.equal((await s.post('/auth/refresh', { refresh_token: user.refresh_token })).status, 200);
    refused(await s.post('/auth/login', { email: user.email, password: PASSWORD }), 401, 'invalid_credentials');
    await login(s, { ...user, password: 'An0ther-one-entirely' });
    await readMail(s, user, { subject: /password was changed/i });
});

test('names change at once', async () => {
    const user = await newUser(s);
    const reply = await s.patch('/profile', { first_name: '  Grace ', last_name: 'Hopper' }, { token: user.token });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.first_name, 'Grace');
    assert.equal((await s.patch('/auth/profile', { last_name: 'H.' }, { token: user.token })).json.last_name, 'H.');
    assert.equal((await s.patch('/profile', {}, { token: user.token })).json.first_name, 'Grace');
    assert.deepEqual(fields(await s.patch('/profile', { id: 1, email_verified: true, nonsense: 1 }, { token: user.token })),
        ['email_verified', 'id', 'nonsense']);
    assert.deepEqual(fields(await s.patch('/profile', { first_name: '' }, { token: user.token })), ['first_name']);
});

test('a new address counts once it is verified', async () => {
    const user = await newUser(s);
    const taken = await newUser(s);
    const patch = (body) => s.patch('/profile', body, { token: user.token });
    const address = `new.${user.email}`;
    assert.deepEqual(fields(await patch({ email: address })), ['current_password']);
    refused(await patch({ email: address, current_password: 'not-the-password' }), 403, 'wrong_password');
    refused(await patch({ email: taken.email.toUpperCase(), current_password: PASSWORD }), 409, 'email_taken');

    const reply = await patch({ email: address, current_password: PASSWORD });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.email, user.email);
    const notice = await readMail(s, user.email, { subject: /changing/ });
    assert.ok(notice.text.includes(address));
    assert.equal(notice.token, null);
    await login(s, user);

    const { token } = await readMail(s, address);
    assert.equal((await s.post('/auth/verify-email', { token })).status, 200);
    assert.equal((await s.get('/profile', { token: user.token })).json.email, address);
    refused(await s.post('/auth/login', { email: user.email, password: PASSWORD }), 401, 'invalid_credentials');
    await login(s, { ...user, email: address });
});

test('an address that was taken meanwhile stays with who has it', async () => {
    const user = await newUser(s);
    const address = `contested.${user.email}`;
    await s.patch('/profile', { email: address, current_password: PASSWORD }, { token: user.token });
    const { token } = await readMail(s, address);
    await register(s, { email: address });
    refused(await s.post('/auth/verify-email', { token }), 409, 'email_taken');
    assert.equal((await s.get('/profile', { token: user.token })).json.email, user.email);
});

test('deleting the account leaves nothing that holds the address', async () => {
    const user = await newUser(s);
    await s.post('/auth/login', { email: user.email, password: 'not-the-password' });
    await s.post('/auth/forgot-password', { email: user.email });
    await readMail(s, user, { subject: /reset/i });
    await s.patch('/profile', { email: `b.${user.email}`, current_password: PASSWORD }, { token: user.token });

    refused(await s.delete('/profile', { token: user.token, body: { password: 'not-the-password' } }), 403, 'wrong_password');
    const reply = await s.delete('/profile', { token: user.token, body: { password: PASSWORD } });
    assert.equal(reply.status, 200, reply.text);
    await dies(user.token);
    refused(await s.post('/auth/refresh', { refresh_token: user.refresh_token }), 401, 'invalid_refresh_token');
    refused(await s.post('/auth/login', { email: user.email, password: PASSWORD }), 401, 'invalid_credentials');

    const tables = await s.db.query("select quote_ident(table_name) as name from information_schema.tables"
        + " where table_schema = 'public' and table_type = 'BASE TABLE'");
    assert.ok(tables.length > 5);
    const left = [];
    for (const { name } of tables)
        for (const { row } of await s.db.query(`select t::text as row from ${name} t`))
            if (row.toLowerCase().includes(user.email)) left.push(`${name}: ${row}`);
    assert.deepEqual(left, []);
    assert.ok(!s.logText.includes(user.email));
    const same = await register(s, { email: user.email });
    assert.notEqual(same.id, user.id);
});

test('a table that is locked is 503, and nothing breaks', async () => {
    const user = await newUser(s);
    // A lock held elsewhere for longer than lock_timeout.
    const client = await s.db.connect();
    try {
        await client.query('begin');
        await client.query('lock table users in access exclusive mode');
        const reply = await s.get('/profile', { token: user.token });
        assert.equal(reply.status, 503, reply.text);
        await client.query('rollback');
    } finally {
        client.release();
    }
    assert.equal((await s.get('/profile', { token: user.token })).status, 200);
});
