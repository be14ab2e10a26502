// The stand-in of AWS is what AWS's own SDK takes for AWS: roles are assumed, identities told, credentials found and refreshed.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { POLICY, refused, sdkOf, send, signed, wanted, whoIs } from '../lib/aws-sdk.mjs';
import { startAws } from '../peers/aws/index.mjs';

test('the SDK assumes the role and is somebody else', async (t) => {
    const aws = await startAws(t);
    const before = Date.now();
    const answer = await sdkOf(t, aws).send(new AssumeRoleCommand(wanted(aws, { TransitiveTagKeys: ['user'], ExternalId: 'x:1' })));
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
    assert.match(text, /^<AssumeRoleResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><AssumeRoleResult><Credentials>/);
    assert.match(text, /<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ<\/Expiration>/);
    assert.match(text, /<ResponseMetadata><RequestId>[\da-f-]{36}<\/RequestId><\/ResponseMetadata><\/AssumeRoleResponse>/);
    const temporary = aws.baseOf('session');
    assert.equal((await signed(aws, { Action: 'AssumeRole', ...wanted(aws) }, { credentials: temporary })).status, 200);
    assert.equal(aws.calls.at(-1).caller, temporary);
    refused(await signed(aws, { Action: 'AssumeRole', ...wanted(aws) }, { credentials: { ...aws.keys, secretAccessKey: 'x' } }),
        403, 'SignatureDoesNotMatch');
});
