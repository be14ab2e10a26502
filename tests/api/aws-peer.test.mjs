// The stand-in of AWS is what AWS's own SDK takes for AWS: roles are assumed, identities told, credentials found and refreshed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { POLICY, refused, sdkOf, send, signed, wanted, whoIs } from '../lib/aws-sdk.mjs';
import { startAws } from '../peers/aws/index.mjs';

test('the SDK assumes the role and is somebody else', async (t) => {
    const aws = await startAws(t);
    const before = Date.now();
    const asked = wanted(aws, { TransitiveTagKeys: ['user'], ExternalId: 'x:1' });
    const answer = await sdkOf(t, aws).send(new AssumeRoleCommand(asked));
    const { Credentials: got, AssumedRoleUser: user } = answer;
    assert.match(got.AccessKeyId, /^ASIA[A-Z2-7]{16}$/);
    assert.ok(Math.abs(got.Expiration - before - 900_000) < 10_000);
    assert.match(user.Arn, /^arn:aws:sts::123456789012:assumed-role\/vvserver-transcribe\/vv-7$/);
    assert.ok(answer.PackedPolicySize > 0 && answer.PackedPolicySize <= 100);
    assert.match(answer.$metadata.requestId, /^[\da-f-]{36}$/);

    const [issued] = aws.issued;
    assert.equal(issued.secretAccessKey, got.SecretAccessKey);
    assert.equal(issued.sessionToken, got.SessionToken);
    assert.deepEqual(issued.tags, { user: '7', plan: 'pro' });
    assert.deepEqual(issued.transitive, ['user']);
    assert.deepEqual(issued.policy, POLICY);
    assert.equal(issued.expiration.getTime(), got.Expiration.getTime());
    assert.equal(aws.lookup(got.AccessKeyId), issued);
    const [call] = aws.asked('AssumeRole');
    assert.equal(call.caller, aws.keys);
    assert.equal(call.status, 200);
    assert.deepEqual(call.params.Tags[1], { Key: 'plan', Value: 'pro' });

    const credentials = { accessKeyId: got.AccessKeyId, secretAccessKey: got.SecretAccessKey, sessionToken: got.SessionToken };
    const self = await sdkOf(t, aws, { credentials }).send(new GetCallerIdentityCommand());
    assert.equal(self.Arn, user.Arn);
    assert.equal(self.Account, '123456789012');
    assert.equal(self.UserId, user.AssumedRoleId);
});

test('a form signed by hand gets the same', async (t) => {
    const aws = await startAws(t);
    const { status, headers, text } = await signed(aws, { Action: 'AssumeRole', ...wanted(aws) });
    assert.equal(status, 200, text);
    assert.match(headers['content-type'], /xml/);
    assert.ok(text.startsWith('<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'), text);
    assert.match(text, /<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/Expiration>/);
    assert.match(text, /<ResponseMetadata><RequestId>[\da-f-]{36}<\/RequestId><\/ResponseMetadata><\/AssumeRoleResponse>/);
    const temporary = aws.baseOf('session');
    assert.equal((await signed(aws, { Action: 'AssumeRole', ...wanted(aws) }, { credentials: temporary })).status, 200);
    assert.equal(aws.calls.at(-1).caller, temporary);
    refused(await signed(aws, { Action: 'AssumeRole', ...wanted(aws) }, { credentials: { ...aws.keys, secretAccessKey: 'x' } }),
        403, 'SignatureDoesNotMatch');
});

test('the SDK finds its credentials wherever the stand-in puts them', async (t) => {
    const aws = await startAws(t);
    const session = (place) => aws.base[place].arn;
    assert.equal(await whoIs(t, aws, 'keys'), aws.keys.arn);
    assert.equal(await whoIs(t, aws, 'profile'), aws.keys.arn);
    assert.equal(await whoIs(t, aws, 'session'), session('session'));
    assert.equal(await whoIs(t, aws, 'container'), session('task'));
    assert.equal(await whoIs(t, aws, 'container-file'), session('task'));
    assert.equal(await whoIs(t, aws, 'imds'), session('instance'));
    assert.match(session('instance'), /:assumed-role\/vvserver-instance\/i-0[\da-f]{16}$/);
    assert.deepEqual(aws.asked('imds').map((call) => call.action), ['imds:token', 'imds:role', 'imds:credentials']);
    assert.equal(await whoIs(t, aws, 'web'), 'arn:aws:sts::123456789012:assumed-role/vvserver-web/vvserver');
    assert.equal(aws.asked('AssumeRoleWithWebIdentity').length, 1);
    await assert.rejects(whoIs(t, aws, 'none'), { name: 'CredentialsProviderError' });
    assert.throws(() => aws.env('nowhere'));
});

test('a web identity becomes a role without a signature', async (t) => {
    const aws = await startAws(t);
    const assume = (token, more) => sdkOf(t, aws).send(new AssumeRoleWithWebIdentityCommand({
        RoleArn: aws.webRoleArn, RoleSessionName: 'vvserver', WebIdentityToken: token, ...more,
    }));
    const answer = await assume(aws.webIdentityToken({ subject: 'repo:vv', audience: 'vv' }), { DurationSeconds: 43_200 });
    assert.equal(answer.SubjectFromWebIdentityToken, 'repo:vv');
    assert.equal(answer.Audience, 'vv');
    assert.equal(aws.asked('AssumeRoleWithWebIdentity')[0].headers.authorization, undefined);
    assert.equal(aws.lookup(answer.Credentials.AccessKeyId).kind, 'role');
    assert.deepEqual(aws.issued, [], 'these are base credentials');
    await assert.rejects(assume('not.a.token'), { name: 'InvalidIdentityTokenException' });
    await assert.rejects(assume(aws.webIdentityToken({ lifetime: -1 })), { name: 'ExpiredTokenException' });
    await assert.rejects(assume(aws.webIdentityToken(), { RoleArn: aws.roleArn }), { name: 'AccessDenied' });
    await assert.rejects(assume(undefined), { name: 'ValidationError' });
});

test('metadata wants its token, and tells no stranger', async (t) => {
    const aws = await startAws(t);
    const TTL = 'X-aws-ec2-metadata-token-ttl-seconds';
    const take = (headers, method = 'PUT') => send(aws, { method, path: '/latest/api/token', headers });
    for (const seconds of ['0', '21601', '-1', 'x', '']) assert.equal((await take({ [TTL]: seconds })).status, 400, seconds);
    assert.equal((await take({})).status, 400);
    assert.equal((await take({ [TTL]: '60' }, 'GET')).status, 405);
    assert.equal((await take({ [TTL]: '60', 'X-Forwarded-For': '10.0.0.1' })).status, 403);
    const given = await take({ [TTL]: '60' });
    assert.equal(given.status, 200);
    assert.equal(given.headers[TTL.toLowerCase()], '60');

    const roles = '/latest/meta-data/iam/security-credentials/';
    const get = (path, token = given.text) => send(aws, { path, headers: token ? { 'X-aws-ec2-metadata-token': token } : {} });
    assert.equal((await get(roles, null)).status, 401);
    assert.equal((await get(roles, 'x')).status, 401);
    assert.equal((await get(roles)).text, 'vvserver-instance');
    assert.equal((await get(`${roles}other`)).status, 404);
    const { text, headers } = await get(`${roles}vvserver-instance`);
    assert.match(headers['content-type'], /json/);
    const { Code, AccessKeyId, SecretAccessKey, Token, Expiration } = JSON.parse(text);
    assert.equal(Code, 'Success');
    assert.deepEqual([AccessKeyId, SecretAccessKey, Token],
        [aws.base.instance.accessKeyId, aws.base.instance.secretAccessKey, aws.base.instance.sessionToken]);
    assert.match(Expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal((await get('/latest/meta-data/placement/region')).text, aws.region);
    aws.clockOffset = 61;
    assert.equal((await get(roles)).status, 401, 'its time is up');
    aws.clockOffset = 0;
    aws.instanceRole = null;
    assert.equal((await get(roles)).status, 404, 'the instance has no role');
});

test('the container endpoint wants the token it gave', async (t) => {
    const aws = await startAws(t);
    const get = (authorization, path = aws.container.path, method = 'GET') =>
        send(aws, { method, path, headers: authorization ? { authorization } : {} });
    const { status, text } = await get(aws.container.token);
    assert.equal(status, 200);
    const { AccessKeyId, SecretAccessKey, Token, RoleArn, Expiration } = JSON.parse(text);
    assert.match(RoleArn, /role\/vvserver-task$/);
    assert.ok(new Date(Expiration) > Date.now());
    const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token };
    assert.equal((await signed(aws, { Action: 'GetCallerIdentity' }, { credentials })).status, 200);
    for (const wrong of [null, 'x', `Bearer ${aws.container.token}`]) {
        const refusal = await get(wrong);
        assert.equal(refusal.status, 401);
        assert.equal(JSON.parse(refusal.text).code, 'Unauthorized');
    }
    assert.equal((await get(aws.container.token, '/v2/credentials/other')).status, 404);
    assert.equal((await get(aws.container.token, aws.container.path, 'POST')).status, 405);
    assert.equal(readFileSync(aws.env('container-file').AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8'), aws.container.token);
});

test('base credentials rotate, expire and are taken away', async (t) => {
    const aws = await startAws(t, { baseLifetime: 3600 });
    const get = async () => JSON.parse((await send(aws, {
        path: aws.container.path, headers: { authorization: aws.container.token },
    })).text);
    const use = ({ AccessKeyId, SecretAccessKey, Token }) => signed(aws, { Action: 'GetCallerIdentity' }, {
        credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
    });
    const first = await get();
    assert.deepEqual(await get(), first);
    aws.rotate('task');
    const second = await get();
    assert.notEqual(second.AccessKeyId, first.AccessKeyId);
    assert.equal((await use(first)).status, 200, 'the old ones are good until their end');
    aws.stale = true;
    aws.expire(aws.base.task);
    assert.equal((await get()).AccessKeyId, second.AccessKeyId);
    refused(await use(second), 403, 'ExpiredToken', /expired/);
    aws.stale = false;
    const third = await get();
    assert.notEqual(third.AccessKeyId, second.AccessKeyId);
    refused(await use({ ...third, Token: second.Token }), 403, 'InvalidClientTokenId');
    aws.revoke(aws.lookup(third.AccessKeyId));
    refused(await use(third), 403, 'InvalidClientTokenId');
    aws.expire(aws.base.session ?? aws.baseOf('session'));
    refused(await signed(aws, { Action: 'GetCallerIdentity' }, { credentials: aws.base.session }), 403, 'ExpiredToken');
});
