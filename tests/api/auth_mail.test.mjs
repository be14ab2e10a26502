// The mails of accounts: links, the pages behind them, resending, resets, and what a scanner cannot do.
import { createHash } from 'node:crypto';
import { after, assert, login, newUser, PASSWORD, readMail, register, startServer, test, until, verify }
    from '../lib/harness.mjs';

const plugins = ['auth', 'mail'];
const s = await startServer({ after }, { plugins });
const mailsTo = async (address) => (await s.mail.messages()).filter((m) => m.to === address);
const forgetLimits = () => s.db.query('delete from auth_mailings');
const queued = async (address) => (await s.db.query('select count(*)::int as n from mail_messages where lower(recipient) = $1',
    [address.toLowerCase()]))[0].n;

test('scanner: looking at the link changes nothing, the button verifies', async () => {
    const person = await register(s);
    const mail = await readMail(s, person);
    const link = new URL(mail.links.find((l) => l.includes('token=')));
    assert.equal(`${link.origin}${link.pathname}`, `${s.url}/verify-email`);
    assert.equal(mail.links.filter((l) => l.includes('token=')).length, 1);

    const page = await s.get(link.pathname + link.search);
    assert.equal(page.status, 200, page.text);
    assert.match(page.headers.get('content-type'), /^text\/html/);
    assert.equal((await s.request('HEAD', link.pathname + link.search)).status, 200);
    await s.get(link.pathname + link.search, { headers: { purpose: 'prefetch', 'sec-purpose': 'prefetch' } });
    assert.deepEqual(await s.db.query('select email_verified from users where id = $1', [person.id]),
        [{ email_verified: false }]);

    // The page holds all it needs, and its policy lets nothing else run.
    const policy = page.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.doesNotMatch(page.text, /(src|href)=|https?:\/\//);
    assert.ok(!page.text.includes(mail.token));
    for (const [tag, directive] of [['style', 'style-src'], ['script', 'script-src']]) {
        const content = page.text.match(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`))[1];
        const hash = createHash('sha256').update(content).digest('base64');
        assert.ok(policy.includes(`${directive} 'sha256-${hash}'`), tag);
    }
    assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
    assert.equal(page.headers.get('cache-control'), 'no-store');

    // A scanner that runs scripts sees a page whose script waits for the button.
    const script = page.text.match(/<script>([\s\S]*?)<\/script>/)[1];
    const posts = [];
    const element = { dataset: { path: 'auth/verify-email' }, addEventListener: (name, fn) => { element[name] = fn; } };
    const button = {};
    const status = {};
    const document = { querySelector: (what) => ({ form: element, '[role=status]': status, button })[what] ?? null };
    const fetch_ = async (where, options) => {
        posts.push(where);
        const reply = await s.post(`/${where}`, JSON.parse(options.body));
        return { ok: reply.status === 200, status: reply.status, json: async () => reply.json };
    };
    new Function('document', 'location', 'history', 'fetch', script)(document, { search: link.search, pathname: link.pathname },
        { replaceState() {} }, fetch_);
    assert.deepEqual(posts, []);
    await element.submit({ preventDefault() {} });
    assert.deepEqual(posts, ['auth/verify-email']);
    assert.match(status.textContent, /verified/);
    await login(s, person);
});

test('with a front end of its own the links go there, and the pages are gone', async (t) => {
    const app = await startServer(t, {
        plugins, mail: s.mail, config: { server: { frontend_url: 'https://app.vv.test/' } },
    });
    const person = await register(app);
    const { links, token } = await readMail(app, person);
    assert.ok(links.includes(`https://app.vv.test/verify-email?token=${token}`), links.join(' '));
    assert.equal((await app.get('/verify-email')).status, 404);
    assert.equal((await app.get('/reset-password')).status, 404);
});

test('resending: the same answer for all, and the older token stops working', async () => {
    const person = await register(s);
    const first = await readMail(s, person);
    const unknown = await s.post('/auth/resend-verification', { email: 'unknown.one@vv.test' });
    const known = await s.post('/auth/resend-verification', { email: person.email.toUpperCase() });
    assert.deepEqual([known.status, known.json], [unknown.status, unknown.json]);
    assert.equal(known.status, 200);
    const second = await readMail(s, person, { except: [first] });
    assert.notEqual(second.token, first.token);
    assert.equal((await s.post('/auth/verify-email', { token: first.token })).status, 400);
    assert.equal((await s.post('/auth/verify-email', { token: second.token })).status, 200);

    // Who is verified gets no more of them.
    await forgetLimits();
    await s.post('/auth/resend-verification', { email: person.email });
    assert.equal(await queued(person.email), 2);
    assert.equal(await queued('unknown.one@vv.test'), 0);
});

test('one mail a minute and five an hour, silently', async () => {
    await forgetLimits();
    const person = await register(s);
    const ask = () => s.post('/auth/resend-verification', { email: person.email });
    for (let i = 0; i < 3; i++) assert.equal((await ask()).status, 200);
    assert.equal(await queued(person.email), 2);
    // The one that came last still works, though it was asked for again.
    const back = "update auth_mailings set times = (select array_agg(x - interval '1 minute') from unnest(times) x)";
    for (let i = 0; i < 6; i++) {
        await s.db.query(back);
        await ask();
    }
    assert.equal(await queued(person.email), 1 + 5);
    const { token } = await until(async () => (await mailsTo(person.email)).length === 6 && readMail(s, person));
    assert.equal((await s.post('/auth/verify-email', { token })).status, 200);
});

test('a forgotten password is reset by mail, once, and every session ends', async () => {
    const user = await newUser(s);
    const seen = await mailsTo(user.email);
    const reply = await s.post('/auth/forgot-password', { email: user.email });
    assert.equal(reply.status, 200);
    assert.deepEqual((await s.post('/auth/forgot-password', { email: 'unknown.two@vv.test' })).json, reply.json);
    const mail = await readMail(s, user, { except: seen });
    assert.ok(mail.links.some((l) => l.startsWith(`${s.url}/reset-password?token=`)));
    assert.match(mail.text, /1 hour/);

    const reset = (body) => s.post('/auth/reset-password', body);
    assert.equal((await reset({ token: mail.token, password: 'short' })).status, 422);
    assert.equal((await reset({ token: mail.token, password: 'password1' })).status, 422);
    assert.equal((await reset({ token: 'nonsense', password: 'An0ther-one-entirely' })).status, 400);
    const both = await Promise.all([1, 2].map((i) => reset({ token: mail.token, password: `An0ther-one-${i}` })));
    assert.deepEqual(both.map((r) => r.status).sort(), [200, 400]);
    const password = `An0ther-one-${both[0].status === 200 ? 1 : 2}`;
    await until(async () => (await s.get('/profile', { token: user.token })).status === 401, { timeout: 1_500 });
    assert.equal((await s.post('/auth/refresh', { refresh_token: user.refresh_token })).status, 401);
    assert.equal((await s.post('/auth/login', { email: user.email, password: PASSWORD })).status, 401);
    await login(s, { ...user, password });
});

test('a reset verifies the address', async () => {
    const person = await register(s);
    const first = await readMail(s, person);
    await s.post('/auth/forgot-password', { email: person.email });
    const { token } = await readMail(s, person, { except: [first] });
    assert.equal((await s.post('/auth/reset-password', { token, password: 'An0ther-one-entirely' })).status, 200);
    await login(s, { ...person, password: 'An0ther-one-entirely' });
});

test('one kind of mailed token never works as another', async () => {
    const user = await newUser(s);
    const other = await register(s);
    const verification = (await readMail(s, other)).token;
    await s.post('/auth/forgot-password', { email: user.email });
    const reset = (await readMail(s, user, { subject: /reset/i })).token;
    await s.patch('/profile', { email: `x.${user.email}`, current_password: PASSWORD }, { token: user.token });
    const change = (await readMail(s, `x.${user.email}`)).token;

    for (const token of [verification, change])
        assert.equal((await s.post('/auth/reset-password', { token, password: 'An0ther-one-entirely' })).status, 400);
    assert.equal((await s.post('/auth/verify-email', { token: reset })).status, 400);
    for (const token of [verification, reset, change])
        assert.equal((await s.get('/profile', { token })).status, 401);
    for (const token of [verification, change])
        assert.equal((await s.post('/auth/verify-email', { token })).status, 200);
    // The address has changed: what was mailed to the old one is worth nothing.
    assert.equal((await s.post('/auth/reset-password', { token: reset, password: 'An0ther-one-entirely' })).status, 400);
});

test('tokens are stored as digests, and none of it is in the log', async () => {
    const secrets = ['a-Passw0rd-nobody-logs', 'an0ther-Passw0rd-nobody-logs', 'wr0ng-Passw0rd-nobody-logs'];
    const person = await register(s, { password: secrets[0] });
    const { token } = await readMail(s, person);
    await verify(s, person);
    const user = await login(s, person);
    await s.post('/auth/login', { email: person.email, password: secrets[2] });
    await s.post(`/auth/login?password=${secrets[2]}`, { email: person.email, password: secrets[2], extra: secrets[2] });
    await s.get(`/verify-email?token=${token}`);
    await s.get(`/profile?access_token=${user.token}`, { token: user.token });
    await s.post('/auth/change-password', { current_password: secrets[0], new_password: secrets[1] }, { token: user.token });
    const fresh = (await s.post('/auth/refresh', { refresh_token: user.refresh_token })).json;
    await s.post('/auth/refresh', { refresh_token: user.refresh_token });
    await forgetLimits();
    await s.post('/auth/forgot-password', { email: person.email });
    const reset = (await readMail(s, person, { subject: /reset/i })).token;
    await s.post('/auth/reset-password', { token: reset, password: secrets[2] });
    const planted = { token, reset, access: user.token, access2: fresh.access_token, refresh: user.refresh_token,
        refresh2: fresh.refresh_token, ...secrets, jwt: s.config.auth.jwt_secret };
    const [{ digests }] = await s.db.query("select count(*)::int as digests from email_verification_tokens"
        + ' where length(token) = 32');
    assert.ok(digests > 0);
    for (const table of ['users', 'auth_sessions', 'email_verification_tokens']) {
        const rows = JSON.stringify(await s.db.query(`select t::text from ${table} t`));
        for (const [name, secret] of Object.entries(planted)) assert.ok(!rows.includes(secret), `${name} in ${table}`);
    }
    for (const [name, secret] of Object.entries(planted)) assert.ok(!s.logText.includes(secret), `${name} in the log`);
});

test('without mail everyone counts as verified', async (t) => {
    const bare = await startServer(t, { plugins: ['auth'], config: { auth: { require_verification: 'false' } } });
    const person = await register(bare);
    assert.equal(person.reply.json.email_verification_sent, false);
    const user = await login(bare, person);
    assert.equal(user.email_verified, true);
    assert.equal((await bare.get('/profile', { token: user.token })).json.email_verified, true);
    for (const what of ['resend-verification', 'forgot-password'])
        assert.equal((await bare.post(`/auth/${what}`, { email: person.email })).status, 200);
    const patched = await bare.patch('/profile', { email: 'moved@vv.test', current_password: PASSWORD }, { token: user.token });
    assert.equal(patched.json.email, 'moved@vv.test', patched.text);
    await login(bare, { ...person, email: 'moved@vv.test' });
});
