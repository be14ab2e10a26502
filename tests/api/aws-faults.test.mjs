// STS slow, wrong, gone, throttling, and of another opinion about the time: what users and operators are told.
import { assert, test, until } from '../lib/harness.mjs';
import { startAws } from '../peers/aws/index.mjs';
import { counted, newMember, refused, startCloud } from '../lib/cloud.mjs';

const asked = (s) => s.aws.asked('AssumeRole').length;

async function start(t, section, more) {
    const s = await startCloud(t, { aws: { timeout: '3s', breaker_failures: 100, ...section }, ...more });
    return { s, person: await newMember(s) };
}

test('throttling and failures that pass are waited out, and counted once', async (t) => {
    const { s, person } = await start(t, { timeout: '10s' });
    for (const answer of ['throttle', 429, 500, 503, 'reset']) {
        const before = asked(s);
        s.aws.fail({ action: 'AssumeRole', answer, times: 2 });
        const reply = await person.ask();
        assert.equal(reply.status, 200, `${answer}: ${reply.text}`);
        assert.equal(asked(s) - before, 3, `after ${answer}`);
    }
    assert.equal((await counted(s, person)).length, 5);
});

test('throttling and failures that stay are 503, and counted not at all', async (t) => {
    const { s, person } = await start(t);
    for (const answer of ['throttle', 500, 'reset']) {
        s.aws.fail({ action: 'AssumeRole', answer, times: 100 });
        refused(await person.ask(), 503, 'aws_unavailable');
        s.aws.faults.clear();
    }
    await s.waitLog(/AssumeRole failed: Throttling: Rate exceeded/);
    assert.ok(asked(s) <= 18, 'it does not go on for ever');
    assert.deepEqual(await counted(s, person), []);
});

test('a slow answer is an answer; a hanging one is given up and asked for again', async (t) => {
    const { s, person } = await start(t);
    s.aws.fail({ action: 'AssumeRole', delay: 600 });
    assert.equal((await person.ask()).status, 200);
    s.aws.fail({ action: 'AssumeRole', answer: 'hang' });
    assert.equal((await person.ask()).status, 200);
    s.aws.fail({ action: 'AssumeRole', answer: 'hang', times: 100 });
    const began = Date.now();
    refused(await person.ask(), 503, 'aws_unavailable');
    assert.ok(Date.now() - began < 6000, 'within the configured time');
});

test('a server that waits for AWS answers everything else', async (t) => {
    const { s, person } = await start(t);
    const slow = s.aws.fail({ action: 'AssumeRole', answer: 'hang', times: 100 });
    const waiting = Array.from({ length: 30 }, () => person.ask());
    await until(() => slow.hits >= 30);
    const began = Date.now();
    assert.equal((await s.get('/profile', { token: person.token })).status, 200);
    assert.ok(Date.now() - began < 1000);
    for (const reply of await Promise.all(waiting)) refused(reply, 503, 'aws_unavailable');
});

test('AWS gone and back', async (t) => {
    const { s, person } = await start(t);
    await s.aws.stop();
    refused(await person.ask(), 503, 'aws_unavailable');
    await s.aws.start();
    assert.equal((await person.ask()).status, 200);
    assert.equal((await counted(s, person)).length, 1);
});

test('answers that make no sense are 502, and nothing of them is handed out', async (t) => {
    const { s, person } = await start(t);
    const about = (inside) => `<AssumeRoleResponse xmlns="x"><AssumeRoleResult><Credentials>${inside}</Credentials>`
        + '</AssumeRoleResult></AssumeRoleResponse>';
    const all = '<AccessKeyId>ASIAX</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>';
    const end = '<Expiration>2036-01-01T00:00:00Z</Expiration>';
    for (const body of ['', 'OK', '{}', '<html><body>Welcome to this hotel<br></body></html>', '<a/>', about(''), about(all),
        about(`${all}<Expiration>soon</Expiration>`), about(`${all}${end}${all}`), about(`<!-- -->${all}${end}`),
        `<!DOCTYPE x>${about(all + end)}`]) {
        s.aws.fail({ action: 'AssumeRole', answer: 'garbage', body });
        refused(await person.ask(), 502, 'aws_error');
    }
    for (const fault of [{ answer: 'garbage' }, { answer: 'empty' }, { answer: 404, body: 'no such page' },
        { answer: 302, body: '' }]) {
        s.aws.fail({ action: 'AssumeRole', ...fault });
        refused(await person.ask(), 502, 'aws_error');
    }
    const long = about(`${all}${end}<x>${'y'.repeat(70_000)}</x>`);
    s.aws.fail({ action: 'AssumeRole', answer: 'garbage', body: long, times: 100 });
    refused(await person.ask(), 503, 'aws_unavailable');
    assert.deepEqual(await counted(s, person), []);
});

test('a refusal is final, and its reason is for the log alone', async (t) => {
    const { s, person } = await start(t, { external_id: 'ours' });
    s.aws.role.tagSession = false;
    refused(await person.ask(), 502, 'aws_refused');
    await s.waitLog(/AssumeRole failed: AccessDenied: User: .* is not authorized to perform: sts:TagSession/);
    s.aws.role.externalId = 'theirs';
    refused(await person.ask(), 502, 'aws_refused');
    await s.waitLog(/not authorized to perform: sts:AssumeRole/);
    assert.equal(asked(s), 2);
    assert.deepEqual(await counted(s, person), []);
});

test('keys that are wrong, unknown or have expired', async (t) => {
    const cloud = await startAws(t);
    const keys = { AWS_ACCESS_KEY_ID: cloud.keys.accessKeyId, AWS_SECRET_ACCESS_KEY: 'wrong' };
    const { s, person } = await start(t, {}, { cloud, env: { ...cloud.env('none'), ...keys } });
    refused(await person.ask(), 502, 'aws_refused');
    await s.waitLog(/AssumeRole failed: SignatureDoesNotMatch/);
    cloud.revoke(cloud.keys);
    refused(await person.ask(), 502, 'aws_refused');
    await s.waitLog(/AssumeRole failed: InvalidClientTokenId/);

    const other = await startAws(t);
    const env = other.env('session');
    other.expire(other.base.session);
    const next = await start(t, {}, { cloud: other, env });
    refused(await next.person.ask(), 502, 'aws_refused');
    await next.s.waitLog(/AssumeRole failed: ExpiredToken/);
});

test('a clock that is wrong is noticed, and put right for what is signed', async (t) => {
    for (const offset of [3600, -3600, 90_000]) {
        const { s, person } = await start(t);
        s.aws.clockOffset = offset;
        const reply = await person.ask();
        assert.equal(reply.status, 200, reply.text);
        assert.equal(asked(s), 2, 'once more, no more');
        assert.ok(reply.json.expires_in > 3580 && reply.json.expires_in <= 3601, `expires in ${reply.json.expires_in} s`);
        await s.waitLog(new RegExp(`clock is \\d+ s ${offset > 0 ? 'behind' : 'before'} AWS's`));
        assert.equal((await person.ask()).status, 200);
        assert.equal(asked(s), 3, 'it is remembered');
        s.aws.clockOffset = 0;
        assert.equal((await person.ask()).status, 200, 'and learned anew');
    }
});

test('a clock that AWS would still take is put right as well: times are AWS\'s', async (t) => {
    const { s, person } = await start(t);
    s.aws.clockOffset = -200;
    const left = (await person.ask()).json.expires_in;
    assert.ok(left > 3580 && left <= 3601, `expires in ${left} s`);
    const { url, expires_at: end } = (await person.stream()).json;
    const seen = await s.aws.verifyTranscribe(url);
    assert.ok(Math.abs(seen.signedAt - s.aws.now()) < 10_000);
    assert.equal(seen.expiresAt.getTime(), new Date(end).getTime());
    assert.equal(asked(s), 2);
    s.aws.clockOffset = 0;
    assert.equal((await person.ask()).status, 200);
    await s.waitLog(/clock and AWS's agree again/);
});

test('the breaker opens, lets one through, and closes', async (t) => {
    const { s, person } = await start(t, { breaker_failures: 3, breaker_pause: '1500ms' });
    await s.aws.stop();
    for (let i = 0; i < 3; i++) refused(await person.ask(), 503, 'aws_unavailable');
    await s.waitLog(/AWS failed 3 times in a row/);
    await s.aws.start();
    const before = s.aws.calls.length;
    const began = Date.now();
    const { headers } = await person.ask();
    assert.ok(Number(headers.get('retry-after')) <= 2);
    assert.ok(Date.now() - began < 500, 'at once');
    assert.equal(s.aws.calls.length, before, 'AWS is left alone');

    // The pause over, one of many finds out; the others are told at once.
    const hang = s.aws.fail({ action: 'AssumeRole', delay: 400 });
    let probe;
    await until(async () => {
        probe = person.ask();
        await Promise.race([probe, until(() => hang.hits > 0).catch(() => {})]);
        return hang.hits > 0;
    }, { timeout: 10_000 });
    for (const reply of await Promise.all(Array.from({ length: 5 }, () => person.ask()))) refused(reply, 503, 'aws_unavailable');
    assert.equal((await probe).status, 200);
    await s.waitLog(/AWS answers again/);
    assert.equal((await person.ask()).status, 200);
});

test('a refusal does not open the breaker, and a probe that fails keeps it open longer', async (t) => {
    const { s, person } = await start(t, { breaker_failures: 2, breaker_pause: '300ms', timeout: '1s' });
    s.aws.fail({ action: 'AssumeRole', answer: 'refuse', times: 6 });
    for (let i = 0; i < 6; i++) refused(await person.ask(), 502, 'aws_refused');
    s.aws.fail({ action: 'AssumeRole', answer: 500, times: 1000 });
    const opened = () => s.log.map((line) => /it is not asked for (\d+) ms/.exec(line.message)?.[1]).filter(Boolean).map(Number);
    await until(async () => {
        await person.ask();
        return opened().length >= 3;
    }, { timeout: 15_000 });
    const [first, second, third] = opened();
    assert.ok(first >= 300 && second >= 600 && third >= 1200, `${opened()}`);
});
