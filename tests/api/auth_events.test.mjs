// What other plugins get of accounts: events in the transaction, fields of the profile, derived keys.
import { hkdfSync } from 'node:crypto';
import { after, assert, login, newUser, PASSWORD, readMail, register, startServer, test, TEST_SECRET, verify, vvctl }
    from '../lib/harness.mjs';

const s = await startServer({ after }, { plugins: ['auth', 'mail', 'members'], start: false });
await s.db.query('create table members_events (id serial, what jsonb)');
await s.start();
const events = async (user) => (await s.db.query("select what from members_events where what->>'user' = $1 order by id",
    [String(user.id)])).map((row) => row.what);
const names = async (user) => (await events(user)).map((e) => e.event);

test('every event of an account comes, in its transaction, with what changed', async () => {
    const person = await register(s);
    assert.equal(person.reply.json.welcome, 'from members');
    const [registered] = await events(person);
    const [{ uid }] = await s.db.query('select uid from users where id = $1', [person.id]);
    assert.deepEqual(registered, { event: 'user.registered', user: person.id, email: person.email, old_email: null,
        first_name: 'Ada', verified: false, uid });

    await verify(s, person);
    const user = await login(s, person);
    await s.patch('/profile', { first_name: 'Grace' }, { token: user.token });
    await s.patch('/profile', { email: `new.${user.email}`, current_password: PASSWORD }, { token: user.token });
    await s.post('/auth/verify-email', { token: (await readMail(s, `new.${user.email}`)).token });
    for (const what of ['disable', 'enable']) assert.equal((await vvctl(s, ['user', what, String(user.id)])).code, 0);
    const again = await login(s, { ...user, email: `new.${user.email}` });
    await s.delete('/profile', { token: again.token, body: { password: PASSWORD } });
    assert.deepEqual(await names(user), ['user.registered', 'user.verified', 'user.changed', 'user.changed',
        'user.disabled', 'user.enabled', 'user.deleted']);
    const [, verified, named, moved] = await events(user);
    assert.equal(verified.verified, true);
    assert.deepEqual([named.first_name, named.old_email], ['Grace', null]);
    assert.deepEqual([moved.email, moved.old_email], [`new.${user.email}`, user.email]);
});

test('a hook that refuses undoes the change, mail included', async () => {
    const reply = await s.post('/auth/register', { email: 'unwanted@vv.test', password: PASSWORD, first_name: 'A',
        last_name: 'Unwanted' });
    assert.equal(reply.status, 403, reply.text);
    assert.equal(reply.json.code, 'unwanted');
    assert.deepEqual(await s.db.query("select 1 from users where email = 'unwanted@vv.test'"), []);
    assert.deepEqual(await s.db.query("select 1 from mail_messages where recipient = 'unwanted@vv.test'"), []);

    const user = await newUser(s);
    assert.equal((await s.patch('/profile', { last_name: 'Unwanted' }, { token: user.token })).status, 403);
    assert.equal((await s.get('/profile', { token: user.token })).json.last_name, 'Lovelace');
});

test('a request that was refused changes nothing and tells nobody', async () => {
    const user = await newUser(s);
    await s.post('/auth/verify-email', { token: 'nonsense' });
    await s.delete('/profile', { token: user.token, body: { password: 'wrong' } });
    assert.deepEqual(await names(user), ['user.registered', 'user.verified']);
});

test('a reset by an unverified person is a verification', async () => {
    const person = await register(s);
    const first = await readMail(s, person);
    await s.post('/auth/forgot-password', { email: person.email });
    const { token } = await readMail(s, person, { except: [first] });
    await s.post('/auth/reset-password', { token, password: 'An0ther-one-entirely' });
    assert.deepEqual(await names(person), ['user.registered', 'user.verified']);
});

test('fields of the profile come in one statement, and may replace ours', async () => {
    const user = await newUser(s);
    const { json } = await s.get('/profile', { token: user.token });
    assert.equal(json.initials, 'AL');
    assert.equal(json.subscription_plan, 'gold');
    assert.equal(json.api_calls_used, 5);
    assert.equal(json.subscription_status, 'none');
});

test('a derived key is HKDF of the signing secret', async () => {
    const user = await newUser(s);
    const { json } = await s.get('/members/key?label=invoices%20v1', { token: user.token });
    const expected = Buffer.from(hkdfSync('sha256', TEST_SECRET, '', 'invoices v1', 40)).toString('base64url');
    assert.equal(json.key, expected);
    assert.equal(json.caller, user.id);
});
