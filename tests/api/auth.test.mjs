// The life of an account: register, verify, log in, profile, sessions.
import { after, assert, PASSWORD, register, startServer, test, verify } from '../lib/harness.mjs';

const s = await startServer({ after }, { plugins: ['auth', 'mail'] });

test('register, verify, log in, profile', async () => {
    const person = await register(s, { email: 'Ada.First@vv.test' });
    assert.deepEqual(Object.keys(person.reply.json).sort(), ['email_verification_sent', 'message', 'user_id']);
    assert.equal(person.reply.json.email_verification_sent, true);
    assert.equal(typeof person.id, 'number');

    const early = await s.post('/auth/login', { email: person.email, password: PASSWORD });
    assert.equal(early.status, 403);
    assert.equal(early.json.code, 'email_unverified');
    assert.match(early.json.detail, /^Please verify your email address before logging in\. /);

    await verify(s, person);
    const reply = await s.post('/auth/login', { email: 'ada.FIRST@vv.test', password: PASSWORD });
    assert.equal(reply.status, 200, reply.text);
    const { access_token: token, user } = reply.json;
    assert.equal(reply.json.token_type, 'bearer');
    assert.equal(reply.json.expires_in, 900);
    assert.equal(reply.json.email_verified, true);
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
