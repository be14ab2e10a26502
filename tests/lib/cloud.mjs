// A server with AWS's stand-in beside it, and people who ask it for credentials.
import assert from 'node:assert/strict';
import { login, register } from './accounts.mjs';
import { startServer } from './server.mjs';

/** server.aws is the stand-in; everybody who has registered has access, to 1,000 calls a month. */
export function startCloud(t, { config = {}, aws: section, metrics, ...more } = {}) {
    return startServer(t, {
        plugins: ['auth', 'usage', 'aws'], ...more, aws: more.cloud,
        config: {
            ...config, auth: { require_verification: 'false', ...config.auth },
            aws: { rate_limit: 'off', ...section }, ...(metrics && { metrics: { token: metrics } }),
        },
    });
}

/** Somebody signed in: {…, id, token, ask(), stream(fields)} */
export async function newMember(s) {
    const person = await register(s);
    const { token } = await login(s, person);
    return {
        ...person, token, ask: (options) => s.post('/aws/credentials', undefined, { token, ...options }),
        stream: (fields) => s.post('/aws/transcribe-url',
            { language_code: 'en-US', media_encoding: 'pcm', sample_rate: 16_000, ...fields }, { token }),
    };
}

/** Expects a refusal: its status and code, and a sentence without anything internal. */
export function refused(reply, status, code) {
    assert.deepEqual([reply.status, reply.json.code], [status, code], reply.text);
    assert.doesNotMatch(reply.text, /arn:|AKIA|ASIA|sts[:.]|127\.0\.0\.1|Exception|Signature/);
    if (status === 503 || status === 429) assert.match(reply.headers.get('retry-after'), /^[1-9]\d*$/);
    return reply.json;
}

/** What was counted: [{endpoint, cost}], and how much in all. */
export async function counted(s, person) {
    const rows = await s.db.query('select api_endpoint as endpoint, cost from usage_logs where user_id = $1 order by timestamp',
        [person.id]);
    const [{ used }] = await s.db.query('select used from entitlements where user_id = $1', [person.id]);
    assert.equal(Number(used), rows.reduce((sum, row) => sum + row.cost, 0), 'the counter and the log agree');
    return rows;
}

/** Changes a person's row of entitlements. */
export function entitle(s, person, change) {
    return s.db.query(`update entitlements set ${change} where user_id = $1`, [person.id]);
}
