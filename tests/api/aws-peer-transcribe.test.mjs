// The stand-in of AWS knows a good presigned URL of Transcribe streaming from every other.
import assert from 'node:assert/strict';
import test from 'node:test';
import { POLICY, signed, wanted } from '../lib/aws-sdk.mjs';
import { startAws } from '../peers/aws/index.mjs';
import { allows, parsePolicy } from '../peers/aws/policy.mjs';
import { signer } from '../peers/aws/signature.mjs';

const ASKED = { 'language-code': 'en-US', 'media-encoding': 'pcm', 'sample-rate': '16000' };
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The stand-in, credentials that AssumeRole gave with a policy, and how URLs are made of them. */
async function start(t, policy = POLICY) {
    const aws = await startAws(t);
    const { status, text } = await signed(aws, { Action: 'AssumeRole', ...wanted(aws, { Policy: JSON.stringify(policy) }) });
    assert.equal(status, 200, text);
    const url = async (asked = {}, { region = aws.region, host, service = 'transcribe', expiresIn = 300, date = new Date(),
        credentials = aws.issued[0], path = '/stream-transcription-websocket', headers } = {}) => {
        const hostname = host ?? `transcribestreaming.${region}.amazonaws.com`;
        const { query } = await signer(credentials, region, service).presign({
            method: 'GET', protocol: 'wss:', hostname, port: 8443, path, headers: { host: `${hostname}:8443`, ...headers },
            query: Object.fromEntries(Object.entries({ ...ASKED, ...asked }).filter(([, value]) => value !== null)),
        }, { expiresIn, signingDate: date });
        return `wss://${hostname}:8443${path}?${Object.entries(query).map((pair) => pair.map(encode).join('=')).join('&')}`;
    };
    const bad = async (what, code, message = /./) => assert.rejects(aws.verifyTranscribe(await what), { code, message });
    return { aws, url, bad };
}

test('a good URL is taken, with what it asks for', async (t) => {
    const { aws, url } = await start(t);
    const seen = await aws.verifyTranscribe(await url());
    assert.equal(seen.holder, aws.issued[0]);
    assert.deepEqual([seen.languageCode, seen.mediaEncoding, seen.sampleRate], ['en-US', 'pcm', 16_000]);
    assert.equal(seen.expiresAt - seen.signedAt, 300_000);
    for (const asked of [{ 'media-encoding': 'ogg-opus', 'sample-rate': '48000' },
        { 'media-encoding': 'flac', 'sample-rate': '8000' }, { 'language-code': 'ckb-IQ' },
        { 'session-id': '2b4e5c1a-8b1e-4a53-9d1e-3a6a0f6ad2d1' }])
        assert.ok(await aws.verifyTranscribe(await url(asked)));
});

test('a URL that Transcribe would refuse is refused', async (t) => {
    const { aws, url, bad } = await start(t);
    const good = await url();
    for (const asked of [{ 'language-code': 'xx-XX' }, { 'language-code': null }, { 'language-code': 'en-us' },
        { 'media-encoding': 'mp3' }, { 'media-encoding': null }, { 'sample-rate': '7999' }, { 'sample-rate': '48001' },
        { 'sample-rate': '16e3' }, { 'sample-rate': null }, { language: 'en-US' }]) await bad(url(asked), 'BadRequestException');
    await bad(url({}, { expiresIn: 301 }), 'BadRequestException', /X-Amz-Expires/);
    await bad(url({}, { expiresIn: 0 }), 'BadRequestException');
    await bad(url({}, { service: 'transcribestreaming' }), 'SignatureDoesNotMatch', /service/);
    await bad(url({}, { region: 'us-east-1' }), 'BadRequestException');
    const host = `transcribestreaming.${aws.region}.amazonaws.com`;
    await bad(url({}, { region: 'us-east-1', host }), 'SignatureDoesNotMatch', /region/);
    await bad(url({}, { path: '/medical-stream-transcription-websocket' }), 'BadRequestException');
    await bad(url({}, { headers: { 'x-extra': '1' } }), 'BadRequestException', /host/);
    await bad(good.replace('wss:', 'https:'), 'BadRequestException');
    await bad(good.replace(':8443', ''), 'BadRequestException');
    await bad(`${good}#x`, 'BadRequestException');
    await bad(`${good}&sample-rate=16000`, 'BadRequestException', /twice/);
    await bad(good.replace('en-US', 'en+US'), 'BadRequestException', /RFC 3986/);
    await bad(good.replace('%2F', '/'), 'BadRequestException', /RFC 3986/);
    await bad(good.replace('en-US', 'en-GB'), 'SignatureDoesNotMatch');
    await bad(good.replace(/(X-Amz-Expires)=300/, '$1=299'), 'SignatureDoesNotMatch');
    await bad(good.replace(/X-Amz-Algorithm=[^&]*&/, ''), 'BadRequestException');
    await bad(good.replace(/X-Amz-Security-Token=[^&]*&/, ''), 'InvalidClientTokenId');
    await bad(url({}, { credentials: { ...aws.issued[0], secretAccessKey: 'x' } }), 'SignatureDoesNotMatch');
    await bad(url({}, { credentials: { ...aws.issued[0], accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' } }), 'InvalidClientTokenId');
    await bad(url({}, { credentials: aws.keys }), 'AccessDenied');
    await bad(url({}, { date: new Date(Date.now() - 301_000) }), 'SignatureDoesNotMatch', /Signature expired/);
    await bad(url({}, { date: new Date(Date.now() + 310_000) }), 'SignatureDoesNotMatch', /not yet current/);
    assert.ok(await aws.verifyTranscribe(good));
    aws.expire(aws.issued[0]);
    await bad(good, 'ExpiredToken');
});

test('a session may do what both its policy and the role allow', async (t) => {
    const other = { Effect: 'Allow', Action: 'transcribe:StartStreamTranscription', Resource: '*' };
    const speech = await start(t, { Version: '2012-10-17', Statement: [other] });
    await speech.bad(speech.url(), 'AccessDenied', /StartStreamTranscriptionWebSocket/);
    const { aws, url, bad } = await start(t);
    aws.role.allows = ['s3:GetObject'];
    await bad(url(), 'AccessDenied');
});

test('policies allow by pattern, deny first, and hold to their conditions', () => {
    const may = (statement, action = 'transcribe:Start', context = {}) =>
        allows(parsePolicy(JSON.stringify({ Statement: [].concat(statement) })), action, '*', context);
    const allow = { Effect: 'Allow', Action: 'transcribe:*', Resource: '*' };
    assert.equal(may(allow), true);
    assert.equal(may({ ...allow, Action: 'TRANSCRIBE:st?rt' }), true);
    assert.equal(may({ ...allow, Action: 's3:*' }), false);
    assert.equal(may([allow, { ...allow, Effect: 'Deny', Action: '*' }]), false);
    assert.equal(may({ Effect: 'Allow', NotAction: 's3:*', Resource: '*' }), true);
    const until = (date) => ({ ...allow, Condition: { DateLessThan: { 'aws:CurrentTime': date } } });
    const now = { 'aws:CurrentTime': '2026-06-01T00:00:00Z' };
    assert.equal(may(until('2026-06-01T00:00:01Z'), undefined, now), true);
    assert.equal(may(until('2026-06-01T00:00:00Z'), undefined, now), false);
    const region = { ...allow, Condition: { StringEquals: { 'aws:RequestedRegion': ['eu-west-1', 'eu-central-1'] } } };
    assert.equal(may(region, undefined, { 'aws:RequestedRegion': 'eu-central-1' }), true);
    assert.equal(may(region), false);
});
