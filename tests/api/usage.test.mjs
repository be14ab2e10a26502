// What people are told of their usage: GET and PATCH /usage, and the profile's part of it.
import { after, assert, newUser, startServer, test } from '../lib/harness.mjs';

const s = await startServer({ after }, { plugins: ['auth', 'mail', 'usage', 'decider'],
    config: { usage: { default_quota: 100, rate_limit: 'off' } } });
const decide = async (person, body) => (await s.post('/decider/decide', { user: person.id, ...body })).json;

test('a call is decided about', async () => {
    const person = await newUser(s);
    const verdict = await decide(person, { cost: 3, endpoint: '/x' });
    assert.deepEqual([verdict.outcome, verdict.used, verdict.limit], ['allowed', 3, 100]);
});
