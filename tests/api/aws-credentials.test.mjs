// POST /aws/credentials: who gets what, for how long, and what it counts.
import path from 'node:path';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { assert, BUILD, check, request, ROOT, startStripe, test, until, vvctl } from '../lib/harness.mjs';
import { startAws } from '../peers/aws/index.mjs';
import { counted, entitle, newMember, refused, startCloud } from '../lib/cloud.mjs';
import { newCustomer, settled } from '../lib/subscribers.mjs';
import { sdkOf } from '../lib/aws-sdk.mjs';

const ACTIONS = ['transcribe:StartStreamTranscription', 'transcribe:StartStreamTranscriptionWebSocket'];

/** Waits until everything of Stripe has arrived and been taken in. */
async function toldAll(s) {
    await s.stripe.webhooks.idle();
    await settled(s);
}

test('credentials that AWS knows, for Transcribe alone, in the name of the user', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    const reply = await person.ask();
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.match(reply.headers.get('ratelimit'), /^"quota";r=999;t=\d+$/);
    const { access_key_id: id, secret_access_key: secret, session_token: token, expiration, expires_in: left, region, ...rest }
        = reply.json;
    assert.deepEqual(rest, {});
    assert.equal(region, s.aws.region);
    const [issued] = s.aws.issued;
    assert.deepEqual([id, secret, token], [issued.accessKeyId, issued.secretAccessKey, issued.sessionToken]);
    assert.equal(new Date(expiration).getTime(), issued.expiration.getTime());
    assert.match(expiration, /Z$/);
    assert.ok(left > 3590 && left <= 3600, `expires in ${left} s`);
    assert.equal(issued.sessionName, `vv-${person.id}`);
    assert.deepEqual(issued.tags, { user: String(person.id), plan: 'none' });
    assert.deepEqual(issued.policy.Statement, [{ Effect: 'Allow', Action: ACTIONS, Resource: '*' }]);
    const who = await sdkOf(t, s.aws, { credentials: { accessKeyId: id, secretAccessKey: secret, sessionToken: token } })
        .send(new GetCallerIdentityCommand());
    assert.match(who.Arn, new RegExp(`assumed-role/vvserver-transcribe/vv-${person.id}$`));
    assert.deepEqual(await counted(s, person), [{ endpoint: '/aws/credentials', cost: 1 }]);
});

test('every call is a session of its own, and counts once', async (t) => {
    const s = await startCloud(t, { aws: { usage_cost: 7 } });
    const person = await newMember(s);
    const replies = await Promise.all(Array.from({ length: 20 }, () => person.ask()));
    assert.deepEqual(new Set(replies.map((r) => r.status)), new Set([200]));
    assert.equal(new Set(replies.map((r) => r.json.access_key_id)).size, 20);
    assert.deepEqual((await counted(s, person)).map((row) => row.cost), Array.from({ length: 20 }, () => 7));
});

test('what is left of the quota is handed out exactly, and AWS is not asked past it', async (t) => {
    const s = await startCloud(t, { config: { usage: { default_quota: '10' } }, aws: { usage_cost: 3 } });
    const person = await newMember(s);
    const replies = await Promise.all(Array.from({ length: 12 }, () => person.ask()));
    assert.equal(replies.filter((r) => r.status === 200).length, 3);
    for (const reply of replies.filter((r) => r.status !== 200)) refused(reply, 429, 'quota_exceeded');
    const asked = s.aws.asked('AssumeRole').length;
    refused(await person.ask(), 429, 'quota_exceeded');
    assert.equal(s.aws.asked('AssumeRole').length, asked);
    assert.equal((await counted(s, person)).length, 3);
});

test('a cost of nothing asks for access alone, and leaves no trace', async (t) => {
    const s = await startCloud(t, { config: { usage: { default_quota: '0' } }, aws: { usage_cost: 0 } });
    const person = await newMember(s);
    assert.equal((await person.ask()).status, 200);
    assert.deepEqual(await counted(s, person), []);
    await entitle(s, person, 'verified = false');
    refused(await person.ask(), 403, 'email_unverified');
});

test('who has no token or is not verified gets nothing', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    for (const token of [undefined, 'wrong', 'a.b.c']) {
        const reply = await s.post('/aws/credentials', undefined, { token });
        assert.equal(reply.status, 401, reply.text);
        assert.match(reply.headers.get('www-authenticate'), /^Bearer/);
    }
    await entitle(s, person, 'verified = false');
    refused(await person.ask(), 403, 'email_unverified');
    refused(await person.stream(), 403, 'email_unverified');
    assert.equal(s.aws.calls.length, 0);
    assert.equal((await s.get('/aws/credentials', { token: person.token })).status, 405);
});

test('a body is not asked for, and nothing in one has a meaning', async (t) => {
    const s = await startCloud(t);
    const { id, token } = await newMember(s);
    const post = (body, headers) => s.request('POST', '/aws/credentials', { body, token, headers });
    for (const body of [{}, { role_arn: s.aws.webRoleArn, session_duration: 43_200, user: 1, policy: null, 'ä': 'ä' },
        { a: 'x'.repeat(500_000) }]) {
        const reply = await post(body);
        assert.equal(reply.status, 200, reply.text);
        const { sessionName, role, policy, tags } = s.aws.issued.at(-1);
        assert.deepEqual([sessionName, role.arn, tags.user], [`vv-${id}`, s.aws.roleArn, String(id)]);
        assert.deepEqual(policy.Statement[0].Action, ACTIONS);
        assert.ok(reply.json.expires_in <= 3600);
    }
    const { length } = s.aws.issued;
    for (const body of ['[]', '{', '{"a":1,"a":2}', '{"a\\u0000":1}']) assert.equal((await post(body)).status, 400, body);
    assert.equal((await post(JSON.stringify({ a: 'x'.repeat(2_000_000) }))).status, 413);
    assert.equal(s.aws.issued.length, length);
});

test('each user has a rate of their own, over all workers', async (t) => {
    const s = await startCloud(t, { config: { server: { workers: 2 } }, aws: { rate_limit: '4/m' } });
    const [one, other] = [await newMember(s), await newMember(s)];
    const replies = await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 3 ? one.ask() : one.stream())));
    assert.equal(replies.filter((r) => r.status === 200).length, 4);
    for (const reply of replies.filter((r) => r.status !== 200)) refused(reply, 429, 'rate_limited');
    assert.equal(s.aws.asked('AssumeRole').length, 4);
    assert.equal((await counted(s, one)).length, 4);
    assert.equal((await other.ask()).status, 200);
});

test('the plan of a subscription is in the tags, and without one there is nothing', async (t) => {
    const stripe = await startStripe(t);
    const s = await startCloud(t, { plugins: ['auth', 'mail', 'stripe', 'usage', 'aws'], stripe, config: { auth: {
        require_verification: 'true' } } });
    const person = await newCustomer(s);
    const ask = () => s.post('/aws/credentials', undefined, { token: person.token });
    const { detail } = refused(await ask(), 403, 'subscription_required');
    assert.equal(detail, 'Active subscription required');
    assert.equal(s.aws.calls.length, 0);
    const sub = stripe.subscribe(person.customer, 'price_pro_monthly');
    await until(async () => (await ask()).status === 200);
    assert.deepEqual(s.aws.issued.at(-1).tags, { user: String(person.id), plan: 'pro' });
    stripe.cancel(sub);
    await toldAll(s);
    refused(await ask(), 403, 'subscription_required');
});

test('credentials never outlive what is paid for', async (t) => {
    const stripe = await startStripe(t);
    const s = await startCloud(t, { plugins: ['auth', 'mail', 'stripe', 'usage', 'aws'], stripe, aws: { reuse_seconds: 600 } });
    const person = await newCustomer(s);
    stripe.subscribe(person.customer, 'price_pro_monthly');
    await toldAll(s);
    const ask = () => s.post('/aws/credentials', undefined, { token: person.token });
    const ends = async (seconds) => {
        const [row] = await s.db.query(`update entitlements set ends_at = now() + make_interval(secs => $2),
            access_until = now() + make_interval(secs => $2) where user_id = $1 returning ends_at`, [person.id, seconds]);
        return row.ends_at;
    };
    const longest = (await ask()).json;
    assert.ok(longest.expires_in > 3590);
    const end = await ends(1800);
    const { expiration, expires_in: left } = (await ask()).json;
    assert.ok(new Date(expiration) <= end, `${expiration} is not past ${end.toISOString()}`);
    assert.ok(left > 1780, `nearly all of it: ${left} s`);
    await ends(920);
    assert.ok((await ask()).json.expires_in >= 899);
    const asked = s.aws.calls.length;
    await ends(890);
    refused(await ask(), 403, 'subscription_ending');
    refused(await s.post('/aws/transcribe-url', { language_code: 'en-US', media_encoding: 'pcm', sample_rate: 16_000 },
        { token: person.token }), 403, 'subscription_ending');
    assert.equal(s.aws.calls.length, asked);
    assert.equal((await counted(s, person)).length, 3);
});

test('access that ends while AWS is asked: the credentials are thrown away, and nothing is counted', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    const slow = s.aws.fail({ action: 'AssumeRole', delay: 500 });
    const reply = person.ask();
    await until(() => slow.hits === 1);
    await entitle(s, person, 'verified = false');
    refused(await reply, 403, 'email_unverified');
    assert.equal(s.aws.issued.length, 1);
    assert.deepEqual(await counted(s, person), []);
});

test('with reuse_seconds a user gets the same again, each time counted', async (t) => {
    const s = await startCloud(t, { aws: { reuse_seconds: 60 } });
    const [one, other] = [await newMember(s), await newMember(s)];
    const first = (await one.ask()).json;
    assert.equal((await one.ask()).json.access_key_id, first.access_key_id);
    assert.notEqual((await other.ask()).json.access_key_id, first.access_key_id);
    assert.equal((await s.aws.verifyTranscribe((await one.stream()).json.url)).holder.accessKeyId, first.access_key_id);
    assert.equal((await counted(s, one)).length, 3);
    assert.equal(s.aws.issued.length, 2);
});

test('external id and tags go with the request as they are configured', async (t) => {
    const cloud = await startAws(t);
    cloud.role.externalId = 'vv:shared/secret=1';
    cloud.role.tagSession = false;
    const s = await startCloud(t, { cloud, aws: {
        external_id: 'vv:shared/secret=1', session_tags: 'off', session_duration: '15m',
        policy_actions: 'transcribe:StartStreamTranscription, translate:TranslateText',
    } });
    const person = await newMember(s);
    const { status, json } = await person.ask();
    assert.equal(status, 200);
    assert.ok(json.expires_in > 890 && json.expires_in <= 900);
    assert.deepEqual(s.aws.issued[0].tags, {});
    assert.deepEqual(s.aws.issued[0].policy.Statement[0].Action,
        ['transcribe:StartStreamTranscription', 'translate:TranslateText']);
});

test('what cannot work is refused at the start, with the reason', async (t) => {
    const good = { enabled: 'true', region: 'us-east-1', role_arn: 'arn:aws:iam::123456789012:role/a' };
    const auth = { enabled: 'true', jwt_secret: 'x'.repeat(40), require_verification: 'false' };
    const run = (over) => check(t, {
        server: { plugin_dir: path.join(BUILD, 'lib/vvserver/plugins') },
        database: { migrations_dir: path.join(ROOT, 'sql') },
        auth, usage: { enabled: 'true' }, aws: { ...good, ...over },
    });
    const fine = await run({});
    assert.equal(fine.code, 0, fine.stderr);
    const plain = await run({ sts_endpoint: 'http://127.0.0.1:1' });
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(plain.stderr + plain.stdout, /sts_endpoint: credentials travel unencrypted/);
    for (const [over, sentence] of [
        [{ session_duration: '3601s' }, /session_duration is 3601 s; .* \(role chaining\) gets 3600 s at most/],
        [{ session_duration: '12h' }, /role chaining/], [{ session_duration: '899s' }, /from 900s to 3600s/],
        [{ session_duration: '1000500ms' }, /whole seconds/], [{ session_duration: 'long' }, /session_duration/],
        [{ region: null }, /region/], [{ region: 'US East' }, /region must be one such as/],
        [{ role_arn: null }, /role_arn/], [{ role_arn: 'vvserver' }, /role_arn must be one such as/],
        [{ role_arn: 'arn:aws:iam::123456789012:user/a' }, /role_arn must be/],
        [{ role_arn: 'arn:aws:iam::12345:role/a' }, /role_arn must be/],
        [{ external_id: 'a b' }, /external_id/], [{ sts_endpoint: 'ftp://sts' }, /sts_endpoint/],
        [{ sts_endpoint: 'https://u:p@sts.test' }, /sts_endpoint must be/], [{ usage_cost: '1000001' }, /usage_cost/],
        [{ usage_cost: '-1' }, /usage_cost/], [{ rate_limit: 'fast' }, /rate_limit/],
        [{ presign_expires: '301s' }, /presign_expires/],
        [{ policy_actions: '*' }, /'\*' is no action/], [{ policy_actions: 'transcribe:*' }, /no action/],
        [{ policy_actions: Array(29).fill(`s:${'x'.repeat(70)}`).join(',\n  ') }, /has 2\d\d\d characters; STS takes 2048/],
        [{ secret: 'x' }, /unknown key 'secret'/],
    ]) {
        const { code, stderr, stdout } = await run(over);
        assert.notEqual(code, 0, JSON.stringify(over));
        assert.match(stderr + stdout, sentence, JSON.stringify(over));
    }
});

test('counters tell how it went', async (t) => {
    const s = await startCloud(t, { metrics: 'let-me-see-the-metrics', aws: { reuse_seconds: 60 } });
    const person = await newMember(s);
    await person.ask();
    await person.ask();
    await entitle(s, person, 'verified = false');
    await person.ask();
    const { text } = await request(s.url, 'GET', '/metrics', { token: 'let-me-see-the-metrics' });
    for (const outcome of ['issued', 'reused', 'denied'])
        assert.match(text, new RegExp(`vv_aws_sessions_total\\{outcome="${outcome}"\\} 1\\n`));
});

test('no secret is in any log, whatever happens', async (t) => {
    const cloud = await startAws(t);
    const s = await startCloud(t, { cloud, env: cloud.env('session'), aws: { timeout: '2s' }, config: { server: {
        log_level: 'debug' } } });
    const person = await newMember(s);
    const told = [(await person.ask()).text, (await person.stream()).text];
    const { sessionToken } = cloud.base.session;
    const filler = 'x'.repeat(3000);
    cloud.fail({ action: 'AssumeRole', answer: 403, body: `<ErrorResponse xmlns="x"><Error><Code>SignatureDoesNotMatch</Code>`
        + `<Message>The Canonical String should have been x-amz-security-token:${sessionToken} ${cloud.base.session.accessKeyId} `
        + `&#10;${cloud.base.session.secretAccessKey}${filler}</Message></Error></ErrorResponse>` });
    refused(await person.ask(), 502, 'aws_refused');
    for (const answer of ['garbage', 'refuse', 'expired', 'reset', 500]) {
        cloud.fail({ action: 'AssumeRole', answer, times: 9 });
        await person.ask();
        cloud.faults.clear();
    }
    await s.waitLog(/SignatureDoesNotMatch: The Canonical String/);
    assert.ok(told.every((text) => text.length > 100));
    for (const { accessKeyId, secretAccessKey, sessionToken: token } of [...cloud.credentials.values()])
        for (const secret of [accessKeyId, secretAccessKey, token].filter(Boolean))
            assert.ok(!s.logText.includes(secret) && !s.logText.includes(encodeURIComponent(secret)), `${secret} is in the log`);
    assert.doesNotMatch(s.logText, /X-Amz-Signature|AWS4-HMAC/);
});

test('doctor says where credentials are from, whether the role lets us in, and whose clock is wrong', async (t) => {
    const cloud = await startAws(t);
    const s = await startCloud(t, { cloud });
    const doctor = async () => (await vvctl(s, ['doctor'])).stdout;
    const good = await doctor();
    assert.match(good, /aws-credentials.*from the environment; they do not expire/);
    assert.match(good, /aws-role.*arn:aws:iam::123456789012:role\/vvserver-transcribe, for 3600 s/);
    assert.match(good, /aws-policy.*1\d\d of 2048 characters/);
    assert.match(good, /aws-clock.*\d s apart/);
    for (const { accessKeyId, secretAccessKey } of cloud.credentials.values())
        assert.ok(!good.includes(accessKeyId) && !good.includes(secretAccessKey));
    cloud.role.assumable = false;
    cloud.clockOffset = 3600;
    const bad = await doctor();
    assert.match(bad, /aws-role.*cannot be assumed: AccessDenied: User: arn/);
    assert.match(bad, /aws-clock.*clock is 3(600|599|601) s behind AWS's/);
    const { stdout } = await vvctl(s, ['doctor'], { env: { ...s.env, ...cloud.env('none') } });
    assert.match(stdout, /aws-credentials.*no credentials of our own: .*neither environment/);
});
