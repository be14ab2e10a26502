// POST /aws/transcribe-url: URLs that Transcribe takes, judged by an independent signer.
import { assert, test } from '../lib/harness.mjs';
import { counted, newMember, refused, startCloud } from '../lib/cloud.mjs';

test('a URL that Transcribe would open, until it says', async (t) => {
    const s = await startCloud(t, { aws: { usage_cost: 2 } });
    const person = await newMember(s);
    const reply = await person.stream();
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(Object.keys(reply.json), ['url', 'expires_at']);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    const seen = await s.aws.verifyTranscribe(reply.json.url);
    assert.equal(seen.holder, s.aws.issued[0]);
    assert.equal(seen.holder.sessionName, `vv-${person.id}`);
    assert.deepEqual([seen.languageCode, seen.mediaEncoding, seen.sampleRate], ['en-US', 'pcm', 16_000]);
    assert.equal(seen.expiresAt.getTime(), new Date(reply.json.expires_at).getTime());
    assert.equal(seen.expiresAt - seen.signedAt, 300_000);
    assert.deepEqual(await counted(s, person), [{ endpoint: '/aws/transcribe-url', cost: 2 }]);
});

test('every kind of sound, and a shorter life', async (t) => {
    const s = await startCloud(t, { aws: { presign_expires: '30s' } });
    const person = await newMember(s);
    for (const fields of [{ media_encoding: 'ogg-opus', sample_rate: 48_000 }, { media_encoding: 'flac', sample_rate: 8000 },
        { language_code: 'ckb-IQ' }, { language_code: 'zu-ZA' }, { language_code: 'af-ZA' }]) {
        const seen = await s.aws.verifyTranscribe((await person.stream(fields)).json.url);
        assert.equal(seen.expiresAt - seen.signedAt, 30_000);
        assert.equal(seen.languageCode, fields.language_code ?? 'en-US');
        assert.equal(seen.sampleRate, fields.sample_rate ?? 16_000);
    }
});

test('by a clock that is wrong, a URL that is right', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    s.aws.clockOffset = -7200;
    const { url, expires_at: end } = (await person.stream()).json;
    const seen = await s.aws.verifyTranscribe(url);
    assert.equal(seen.expiresAt.getTime(), new Date(end).getTime());
});

test('what Transcribe does not take is named, field by field', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    const bad = async (fields, names) => {
        const reply = await person.stream(fields);
        assert.equal(reply.status, 422, reply.text);
        assert.deepEqual(reply.json.errors.map((e) => e.field).sort(), names);
    };
    await bad({ language_code: 'xx-XX', media_encoding: 'mp3', sample_rate: 7999 },
        ['language_code', 'media_encoding', 'sample_rate']);
    await bad({ language_code: undefined, media_encoding: undefined, sample_rate: undefined },
        ['language_code', 'media_encoding', 'sample_rate']);
    for (const value of ['', 'en-us', 'en-US ', 'en-US\0', 'ä', 'en-US&a=b', 7, null, ['en-US'], 'x'.repeat(10_000)])
        await bad({ language_code: value }, ['language_code']);
    for (const value of [48_001, -1, 16_000.5, '16000', true, null, 1e300]) await bad({ sample_rate: value }, ['sample_rate']);
    for (const value of ['', 'PCM', {}, 1]) await bad({ media_encoding: value }, ['media_encoding']);
    await bad({ vocabulary_name: 'x' }, ['vocabulary_name']);
    const post = (body) => s.post('/aws/transcribe-url', body, { token: person.token });
    assert.equal((await post('{')).status, 400);
    assert.equal((await post('{"sample_rate":8000,"sample_rate":8000}')).status, 400);
    assert.equal((await s.post('/aws/transcribe-url', {})).status, 401);
    assert.equal(s.aws.calls.length, 0);
    assert.deepEqual(await counted(s, person), []);
});

test('AWS refuses or is away: the same answers as for credentials', async (t) => {
    const s = await startCloud(t);
    const person = await newMember(s);
    s.aws.fail({ action: 'AssumeRole', answer: 'refuse' });
    refused(await person.stream(), 502, 'aws_refused');
    await s.aws.stop();
    refused(await person.stream(), 503, 'aws_unavailable');
    assert.deepEqual(await counted(s, person), []);
});
