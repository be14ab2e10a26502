// The stand-in of AWS refuses what AWS refuses, in AWS's words, and goes wrong when it is told to.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import test from 'node:test';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { POLICY, formOf, refused, sdkOf, send, signed, wanted } from '../lib/aws-sdk.mjs';
import { until } from '../lib/process.mjs';
import { startAws } from '../peers/aws/index.mjs';

test('a signature that is not quite right is refused', async (t) => {
    const aws = await startAws(t);
    const ask = (how) => signed(aws, { Action: 'AssumeRole', ...wanted(aws) }, how);
    const change = (fn) => ask({ after: (request) => fn(request.headers, request) });
    const cut = (from, to = '') => change((h) => { h.authorization = h.authorization.replace(from, to); });
    assert.equal((await ask()).status, 200);
    refused(await ask({ credentials: { ...aws.keys, accessKeyId: 'AKIAAAAAAAAAAAAAAAAA' } }), 403, 'InvalidClientTokenId');
    refused(await ask({ credentials: { ...aws.keys, secretAccessKey: 'wrong' } }), 403, 'SignatureDoesNotMatch', /Secret/);
    refused(await ask({ credentials: { ...aws.keys, sessionToken: 'more' } }), 403, 'InvalidClientTokenId');
    refused(await ask({ credentials: { ...aws.baseOf('session'), sessionToken: undefined } }), 403, 'InvalidClientTokenId');
    refused(await ask({ region: 'us-east-1' }), 403, 'SignatureDoesNotMatch', /valid region/);
    refused(await ask({ service: 'execute-api' }), 403, 'SignatureDoesNotMatch', /correct service/);
    refused(await change((h) => delete h.authorization), 403, 'MissingAuthenticationToken');
    refused(await cut(/.*/, 'Basic eDp5'), 400, 'IncompleteSignature');
    refused(await cut(/, Signature=.*/), 400, 'IncompleteSignature');
    refused(await cut('/aws4_request'), 400, 'IncompleteSignature');
    refused(await cut('host;'), 400, 'IncompleteSignature', /host/);
    refused(await cut(';x-amz-date'), 400, 'IncompleteSignature');
    refused(await change((h) => delete h['x-amz-date']), 400, 'IncompleteSignature');
    refused(await change((h) => { h['x-amz-security-token'] = 'late'; }), 400, 'IncompleteSignature', /x-amz-security-token/);
    refused(await change((h) => { h['content-type'] += '; charset=utf-8'; }), 403, 'SignatureDoesNotMatch');
    refused(await change((_h, r) => { r.body = r.body.replace('vv-7', 'vv-8'); }), 403, 'SignatureDoesNotMatch');
    refused(await ask({ headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }), 403, 'SignatureDoesNotMatch', /sha256/);
    const temporary = aws.baseOf('session');
    const unsigned = await ask({
        credentials: { ...temporary, sessionToken: undefined },
        after: (request) => { request.headers['x-amz-security-token'] = temporary.sessionToken; },
    });
    refused(unsigned, 400, 'IncompleteSignature', /x-amz-security-token/);
    assert.equal(aws.issued.length, 1);
});

test('its clock decides, and it says what it is', async (t) => {
    const aws = await startAws(t);
    const ask = (ms) => signed(aws, { Action: 'GetCallerIdentity' }, { date: new Date(Date.now() + ms) });
    assert.equal((await ask(-290_000)).status, 200);
    assert.equal((await ask(290_000)).status, 200);
    refused(await ask(-310_000), 403, 'SignatureDoesNotMatch',
        /Signature expired: \w+ is now earlier than \w+ \(\w+ - 5 min\.\)/);
    refused(await ask(310_000), 403, 'SignatureDoesNotMatch', /Signature not yet current: \w+ is still later than \w+/);
    aws.clockOffset = -3600;
    const { headers } = await ask(0);
    assert.ok(Math.abs(new Date(headers.date) - (Date.now() - 3_600_000)) < 5_000);
    assert.equal((await ask(-3_600_000)).status, 200);
    const client = sdkOf(t, aws, { maxAttempts: 2 });
    assert.equal((await client.send(new GetCallerIdentityCommand())).Arn, aws.keys.arn, 'the SDK recovers by the Date header');
});

test('what STS would not take is refused', async (t) => {
    const aws = await startAws(t);
    const ask = (more, how) => signed(aws, { Action: 'AssumeRole', ...wanted(aws, more) }, how);
    const bad = async (more, code = 'ValidationError', words = undefined) => refused(await ask(more), 400, code, words);
    const notRoles = ['arn:aws:iam::1:role/aaaaaaaaa', 'arn:aws:iam::123456789012:user/aaaa', 'a'.repeat(2049)];
    for (const RoleArn of [undefined, '', 'x', ...notRoles]) await bad({ RoleArn });
    for (const RoleSessionName of [undefined, '', 'a', 'a b', 'vv/7', 'ü7', 'a'.repeat(65)])
        await bad({ RoleSessionName }, 'ValidationError', /roleSessionName/);
    for (const DurationSeconds of [0, 899, 43_201]) await bad({ DurationSeconds }, 'ValidationError', /durationSeconds/);
    for (const DurationSeconds of ['', '900.5', '-900', '1h']) await bad({ DurationSeconds }, 'MalformedInput');
    await bad({ Policy: `${JSON.stringify(POLICY)}${' '.repeat(2048)}` }, 'ValidationError', /less than or equal to 2048/);
    for (const Policy of ['{', '[]', '{}', '{"Statement":[]}', JSON.stringify({ ...POLICY, Version: '2020-01-01' }),
        JSON.stringify({ ...POLICY, Extra: 1 }), JSON.stringify({ Statement: { Effect: 'allow', Action: '*', Resource: '*' } }),
        JSON.stringify({ Statement: { Effect: 'Allow', Action: '*' } }),
        JSON.stringify({ Statement: { Effect: 'Allow', Action: 'transcribe', Resource: '*' } }),
        JSON.stringify({ Statement: { Effect: 'Allow', Action: '*', Resource: 'mine' } }),
        JSON.stringify({ Statement: { Effect: 'Allow', Action: '*', Resource: '*', Principal: '*' } }),
        JSON.stringify({ Statement: { Effect: 'Allow', Action: '*', Resource: '*', Condition: { Perhaps: { a: 'b' } } } })])
        await bad({ Policy }, 'MalformedPolicyDocument');
    const tag = (Key, Value = 'x') => ({ Tags: [{ Key, Value }] });
    for (const more of [tag(''), tag('k'.repeat(129)), tag('a*b'), tag('aws:x'), tag('a', 'v'.repeat(257)), tag('a', 'x;y'),
        { Tags: [{ Key: 'a' }] }, { Tags: [{ Value: 'a' }] },
        { Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: 'x' })) }]) await bad(more);
    await bad({ Tags: [{ Key: 'User', Value: '1' }, { Key: 'user', Value: '2' }] }, 'InvalidParameterValue', /Duplicate/);
    await bad({ TransitiveTagKeys: ['nobody'] }, 'InvalidParameterValue');
    for (const ExternalId of ['', 'x', 'a b', 'x'.repeat(1225)]) await bad({ ExternalId }, 'ValidationError', /externalId/);
    await bad({ Foo: 1 }, 'ValidationError', /Unknown parameter: Foo/);
    await bad({ 'Tags.member.4.Key': 'gap', 'Tags.member.4.Value': 'x' }, 'MalformedInput');
    await bad({ 'Tags.member.1.Colour': 'red' }, 'ValidationError', /Unknown parameter/);
    const arbitrary = Array.from({ length: 50 }, (_, i) => ({ Key: `k${i}`, Value: randomBytes(100).toString('hex') }));
    await bad({ Tags: arbitrary }, 'PackedPolicyTooLarge');
    await bad({ Version: '2010-05-08' }, 'InvalidAction');
    await bad({ Action: 'GetSessionToken' }, 'InvalidAction');
    await bad({ Action: 'constructor' }, 'InvalidAction');
    refused(await signed(aws, 'Version=2011-06-15'), 400, 'MissingAction');
    const twice = `${formOf({ Action: 'AssumeRole', ...wanted(aws) })}&RoleSessionName=vv-8`;
    refused(await signed(aws, twice), 400, 'MalformedQueryString');
    refused(await signed(aws, 'Action=%E0%A4%A'), 400, 'MalformedQueryString');
    refused(await send(aws, { path: '/?Action=AssumeRole' }), 404, 'UnknownOperationException');
    refused(await signed(aws, {}, { headers: { 'content-type': 'application/json' } }), 404, 'UnknownOperationException');
    assert.deepEqual(aws.issued, []);
});

test('a role says who may assume it and for how long', async (t) => {
    const aws = await startAws(t);
    const ask = (more, how) => signed(aws, { Action: 'AssumeRole', ...wanted(aws, more) }, how);
    const chained = { credentials: aws.baseOf('session') };
    assert.equal((await ask({ DurationSeconds: 43_200 })).status, 200);
    assert.equal((await ask({ DurationSeconds: 3600 }, chained)).status, 200);
    refused(await ask({ DurationSeconds: 3601 }, chained), 400, 'ValidationError', /role chaining/);
    aws.role.maxDuration = 3600;
    refused(await ask({ DurationSeconds: 3601 }), 400, 'ValidationError', /MaxSessionDuration/);
    const stranger = 'arn:aws:iam::123456789012:role/other';
    refused(await ask({ RoleArn: stranger }), 403, 'AccessDenied',
        /User: \S+:user\/vvserver is not authorized to perform: sts:AssumeRole on resource: \S+role\/other/);
    aws.role.externalId = 'agreed';
    refused(await ask(), 403, 'AccessDenied');
    refused(await ask({ ExternalId: 'guessed' }), 403, 'AccessDenied');
    assert.equal((await ask({ ExternalId: 'agreed' })).status, 200);
    aws.role.tagSession = false;
    refused(await ask({ ExternalId: 'agreed' }), 403, 'AccessDenied', /sts:TagSession/);
    assert.equal((await ask({ ExternalId: 'agreed', Tags: [] })).status, 200);
});

test('it goes wrong as it is told, as often as it is told', async (t) => {
    const aws = await startAws(t);
    const ask = (Action = 'AssumeRole') => signed(aws, { Action, ...(Action === 'AssumeRole' && wanted(aws)) });
    const throttle = aws.fail({ action: 'AssumeRole', answer: 'throttle', times: 2 });
    assert.equal((await ask('GetCallerIdentity')).status, 200, 'of other actions it says nothing');
    refused(await ask(), 400, 'Throttling', /Rate exceeded/);
    refused(await ask(), 400, 'Throttling');
    assert.equal(throttle.hits, 2);
    assert.equal((await ask()).status, 200);
    const once = async (answer, ...expected) => {
        aws.fail({ answer });
        refused(await ask(), ...expected);
    };
    await once('refuse', 403, 'AccessDenied');
    await once('expired', 403, 'ExpiredToken');
    await once(500, 500, 'InternalFailure');
    await once(503, 503, 'ServiceUnavailable');
    await once(429, 429, 'TooManyRequestsException');
    assert.equal(aws.issued.length, 1, 'what went wrong had no effect');
    aws.fail({ answer: 'garbage' });
    const broken = await ask();
    assert.equal(broken.status, 200);
    assert.match(broken.text, /^<AssumeRoleResponse/);
    assert.doesNotMatch(broken.text, /<\/AssumeRoleResponse>/);
    aws.fail({ answer: 'empty' });
    assert.equal((await ask()).text, '');
    aws.fail({ answer: 502, body: '<html>Bad Gateway</html>', headers: { 'Content-Type': 'text/html' } });
    assert.equal((await ask()).text, '<html>Bad Gateway</html>');
    const before = aws.issued.length;
    aws.fail({ answer: 'reset', after: true });
    await assert.rejects(ask(), { code: 'ECONNRESET' });
    assert.equal(aws.issued.length, before + 1, 'done, though the answer was lost');
    const never = aws.fail({ answer: 500, times: Infinity });
    never.cancel();
    assert.equal((await ask()).status, 200);
    aws.fail({ action: 'imds', answer: 503, times: 2 });
    assert.equal((await send(aws, { method: 'PUT', path: '/latest/api/token' })).status, 503);
    assert.equal((await send(aws, { path: '/latest/meta-data/iam/security-credentials/' })).status, 503);
    aws.fail({ action: 'container', answer: 429 });
    assert.equal(JSON.parse((await send(aws, { path: aws.container.path })).text).code, 'TooManyRequestsException');
});

test('slow and silent answers are counted while they last', async (t) => {
    const aws = await startAws(t);
    const ask = () => signed(aws, { Action: 'AssumeRole', ...wanted(aws) });
    const begun = Date.now();
    aws.fail({ delay: 200, times: 4 });
    const answers = await Promise.all(Array.from({ length: 4 }, ask));
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
    assert.ok(Date.now() - begun >= 195);
    assert.equal(aws.peak('AssumeRole'), 4);
    assert.equal(aws.peak('GetCallerIdentity'), 0);
    aws.fail({ answer: 'hang' });
    const silent = ask();
    await until(() => aws.asked('AssumeRole').at(-1).fault === 'hang');
    await Promise.all([assert.rejects(silent), aws.stop()]);
});

test('parts of it go away and come back', async (t) => {
    const aws = await startAws(t);
    const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': '60' };
    const imds = () => send(aws, { method: 'PUT', path: '/latest/api/token', headers });
    const sts = () => signed(aws, { Action: 'GetCallerIdentity' });
    aws.off('imds');
    await assert.rejects(imds(), { code: 'ECONNRESET' });
    assert.equal((await sts()).status, 200);
    aws.on('imds');
    assert.equal((await imds()).status, 200);
    aws.off('sts');
    await assert.rejects(sts());
    aws.on('sts');
    await aws.stop();
    await assert.rejects(sts(), { code: 'ECONNREFUSED' });
    await aws.start();
    assert.equal((await sts()).status, 200, 'on the same port, with the same keys');
});

test('over TLS it has a certificate of its own', async (t) => {
    const aws = await startAws(t, { tls: true });
    assert.match(aws.endpoint, /^https:\/\/127\.0\.0\.1:\d+$/);
    const requestHandler = { httpsAgent: new https.Agent({ ca: readFileSync(aws.caFile) }) };
    const { Credentials } = await sdkOf(t, aws, { requestHandler }).send(new AssumeRoleCommand(wanted(aws)));
    assert.equal(Credentials.AccessKeyId, aws.issued[0].accessKeyId);
    await assert.rejects(sdkOf(t, aws).send(new GetCallerIdentityCommand()), /certificate/);
});
