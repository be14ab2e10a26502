// Where the server's own credentials come from: AWS's chain, its order, and keeping them fresh.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, tempDir, test, until, vvctl } from '../lib/harness.mjs';
import { startAws } from '../peers/aws/index.mjs';
import { newMember, refused, startCloud } from '../lib/cloud.mjs';

const MANY = 50;

async function start(t, { source = 'none', env, cloud, section, ...more } = {}) {
    cloud ??= await startAws(t, more);
    const given = { ...cloud.env(source), ...(typeof env === 'function' ? env(cloud) : env) };
    const s = await startCloud(t, { cloud, env: given, aws: { timeout: '4s', breaker_failures: 100, ...section } });
    return { s, cloud, person: await newMember(s) };
}

/** Who signed the last AssumeRole. */
const signer = (cloud) => cloud.asked('AssumeRole').at(-1).caller;

function file(t, text) {
    const name = path.join(tempDir(t), 'file');
    writeFileSync(name, text);
    return name;
}

const section = (title, keys, more = '') =>
    `[${title}]\naws_access_key_id = ${keys.accessKeyId}\naws_secret_access_key = ${keys.secretAccessKey}\n${more}\n`;

test('each place credentials may come from', async (t) => {
    for (const [source, where, kind] of [['keys', /the environment/, 'user'], ['session', /the environment/, 'role'],
        ['web', /a web identity/, 'role'], ['profile', /profile default in /, 'user'],
        ['container', /the container's endpoint/, 'role'], ['container-file', /the container's endpoint/, 'role'],
        ['imds', /the instance's metadata/, 'role']]) {
        const { s, cloud, person } = await start(t, { source });
        const reply = await person.ask();
        assert.equal(reply.status, 200, `${source}: ${reply.text}`);
        assert.equal(signer(cloud).kind, kind, source);
        await s.waitLog(new RegExp(`credentials come from ${where.source}`));
        assert.match((await vvctl(s, ['doctor'])).stdout, new RegExp(`aws-credentials.*from ${where.source}`));
    }
});

test('the order is that of AWS', async (t) => {
    const cloud = await startAws(t);
    const all = ['imds', 'container', 'profile', 'web', 'keys'];
    let env = cloud.env('none');
    for (const [i, source] of all.entries()) {
        const only = Object.fromEntries(Object.entries(cloud.env(source)).filter(([name, value]) =>
            value !== cloud.env('none')[name] || name === 'AWS_EC2_METADATA_DISABLED'));
        env = { ...env, ...only, AWS_EC2_METADATA_DISABLED: 'false' };
        const { person } = await start(t, { cloud, env });
        assert.equal((await person.ask()).status, 200, source);
        const { via, kind } = signer(cloud);
        assert.deepEqual([via, kind], [['instance', 'role'], ['task', 'role'], [undefined, 'user'],
            ['AssumeRoleWithWebIdentity', 'role'], [undefined, 'user']][i], source);
    }
});

test('profiles: by name, in either file, with a token, and what is not supported', async (t) => {
    const cloud = await startAws(t);
    const session = cloud.baseOf('session');
    const config = file(t, section('profile ci', cloud.keys) + section('ci', { accessKeyId: 'AKIAX', secretAccessKey: 'x' })
        + '[default]\nregion = us-east-1\n[profile sso]\nsso_session = corp\n[profile run]\ncredential_process = /bin/keys\n'
        + `[profile chained]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = ci\n`);
    const shared = file(t, section('temporary', session, `aws_session_token = ${session.sessionToken}`)
        + section('half', { accessKeyId: 'AKIAX', secretAccessKey: '' }));
    const files = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: shared };
    const ask = async (env) => {
        const { s, person } = await start(t, { cloud, env: { ...files, ...env } });
        return { s, reply: await person.ask() };
    };
    for (const [name, holder] of [['ci', cloud.keys], ['temporary', session]]) {
        assert.equal((await ask({ AWS_PROFILE: name })).reply.status, 200, name);
        assert.equal(signer(cloud), holder);
    }
    for (const [env, why] of [
        [{ AWS_PROFILE: 'nobody' }, /there is no profile nobody/], [{ AWS_PROFILE: 'sso' }, /wants sso_session/],
        [{ AWS_PROFILE: 'run' }, /wants credential_process/], [{ AWS_PROFILE: 'chained' }, /wants source_profile|wants role_arn/],
        [{ AWS_PROFILE: 'half' }, /has only one of/], [{ AWS_PROFILE: 'default' }, /profile default has no keys/],
        [{}, /neither environment/],
    ]) {
        const { s, reply } = await ask(env);
        refused(reply, 503, 'aws_unavailable');
        await s.waitLog((line) => line.level === 'warning' && why.test(JSON.stringify(line)));
    }
});

test('the home folder has them where AWS puts them', async (t) => {
    const cloud = await startAws(t);
    const home = tempDir(t);
    mkdirSync(path.join(home, '.aws'));
    writeFileSync(path.join(home, '.aws/credentials'), section('default', cloud.keys));
    const env = { HOME: home, AWS_CONFIG_FILE: undefined, AWS_SHARED_CREDENTIALS_FILE: undefined };
    const { person } = await start(t, { cloud, env });
    assert.equal((await person.ask()).status, 200);
});

test('what is there but wrong ends the search: nobody else is taken', async (t) => {
    const cloud = await startAws(t);
    const rest = { AWS_SHARED_CREDENTIALS_FILE: file(t, section('default', cloud.keys)) };
    const web = { AWS_ROLE_ARN: cloud.webRoleArn };
    for (const [env, why] of [
        [{ AWS_ACCESS_KEY_ID: 'AKIAX' }, /only one is set/], [{ AWS_SECRET_ACCESS_KEY: 'x' }, /only one is set/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere', ...web }, /there is no file \/nowhere/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: '/', ...web }, /Is a directory/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere' }, /AWS_ROLE_ARN is not/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: file(t, 'no-token-of-theirs'), ...web }, /InvalidIdentityToken/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: file(t, cloud.webIdentityToken({ lifetime: -10 })), ...web }, /ExpiredTokenException/],
        [{ AWS_WEB_IDENTITY_TOKEN_FILE: file(t, 'x'.repeat(70_000)), ...web }, /too long/],
    ]) {
        const { s, person } = await start(t, { cloud, env: { ...rest, ...env } });
        refused(await person.ask(), 503, 'aws_unavailable');
        await s.waitLog(why);
    }
    assert.equal(cloud.asked('AssumeRole').length, 0);
});

test('the container endpoint: its token, and where it may be', async (t) => {
    const cloud = await startAws(t);
    const right = { AWS_CONTAINER_CREDENTIALS_FULL_URI: cloud.containerUrl };
    const token = { AWS_CONTAINER_AUTHORIZATION_TOKEN: cloud.container.token };
    for (const [env, why] of [
        [right, /it answers 401/], [{ ...right, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'wrong' }, /it answers 401/],
        [{ ...right, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/nowhere' }, /there is no file/],
        [{ ...right, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file(t, 'a\nX-B: c') }, /more than one line/],
        [{ ...token, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://192.0.2.1/x' }, /neither https nor on this machine/],
        [{ ...token, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1@192.0.2.1/x' }, /neither https nor/],
        [{ ...token, AWS_CONTAINER_CREDENTIALS_FULL_URI: 'ftp://127.0.0.1/x' }, /neither https nor/],
        [{ ...token, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '.evil.test/x' }, /does not begin with/],
    ]) {
        const { s, person } = await start(t, { cloud, env });
        refused(await person.ask(), 503, 'aws_unavailable');
        await s.waitLog(why);
    }
    const { person } = await start(t, { cloud, env: { ...right, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'wrong',
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file(t, `${cloud.container.token}\n`) } });
    assert.equal((await person.ask()).status, 200, 'the file counts more');
});

test('metadata gone, odd, without a role, and back', async (t) => {
    const { s, cloud, person } = await start(t, { source: 'imds' });
    cloud.off('imds');
    refused(await person.ask(), 503, 'aws_unavailable');
    await s.waitLog(/no credentials of our own from the instance's metadata: it does not answer/);
    cloud.on('imds');
    const { instanceRole } = cloud;
    cloud.instanceRole = null;
    refused(await person.ask(), 503, 'aws_unavailable');
    await s.waitLog(/the instance has no role/);
    cloud.instanceRole = instanceRole;
    for (const fault of [{ action: 'imds:token', answer: 403 }, { action: 'imds:token', answer: 'empty' },
        { action: 'imds:role', answer: 401 }, { action: 'imds:credentials', answer: 'garbage' },
        { action: 'imds:credentials', answer: 'garbage', body: '{"Code":"AssumeRoleUnauthorizedAccess"}' }]) {
        cloud.fail(fault);
        refused(await person.ask(), 503, 'aws_unavailable');
        cloud.faults.clear();
    }
    await s.waitLog(/it says AssumeRoleUnauthorizedAccess/);
    cloud.fail({ action: 'imds:token', answer: 500, times: 1 });
    assert.equal((await person.ask()).status, 200);
    const [token] = cloud.asked('imds:token').slice(-1);
    assert.equal(token.method, 'PUT');
});

test(`${MANY} callers at once: one refresh`, async (t) => {
    const { cloud, person } = await start(t, { source: 'imds', latency: 150 });
    const replies = await Promise.all(Array.from({ length: MANY }, () => person.ask()));
    assert.ok(replies.every((r) => r.status === 200), replies.find((r) => r.status !== 200)?.text);
    assert.deepEqual(['imds:token', 'imds:role', 'imds:credentials'].map((action) => cloud.asked(action).length), [1, 1, 1]);
    assert.equal(cloud.asked('AssumeRole').length, MANY);
    assert.ok(cloud.peak('AssumeRole') > 1);
});

test(`${MANY} callers at once and no credentials: one refusal of the metadata is enough for all`, async (t) => {
    const { cloud, person } = await start(t, { source: 'imds', latency: 150 });
    cloud.instanceRole = null;
    const replies = await Promise.all(Array.from({ length: MANY }, () => person.ask()));
    for (const reply of replies) refused(reply, 503, 'aws_unavailable');
    assert.ok(cloud.asked('imds:role').length <= 3, `${cloud.asked('imds:role').length} refreshes`);
});

test('credentials are renewed before they expire, and the old ones serve while that is under way', async (t) => {
    const { cloud, person } = await start(t, { source: 'imds', baseLifetime: 8 });
    assert.equal((await person.ask()).status, 200);
    const first = signer(cloud);
    const slow = cloud.fail({ action: 'imds:token', delay: 1000 });
    const waiting = [];
    await until(() => {
        waiting.push(person.ask());
        return slow.hits === 1;
    }, { timeout: 15_000 });
    const meanwhile = await person.ask();
    assert.equal(meanwhile.status, 200);
    assert.equal(signer(cloud), first, 'nobody waits for what is not needed yet');
    for (const reply of await Promise.all(waiting)) assert.equal(reply.status, 200);
    assert.equal((await person.ask()).status, 200);
    assert.notEqual(signer(cloud), first);
    assert.equal(cloud.asked('imds:token').length, 2);
});

test('a renewal that fails is not felt while the old ones are good', async (t) => {
    const { s, cloud, person } = await start(t, { source: 'container', baseLifetime: 8 });
    assert.equal((await person.ask()).status, 200);
    cloud.off('container');
    const before = cloud.asked('container').length;
    await until(async () => {
        assert.equal((await person.ask()).status, 200);
        return cloud.asked('container').length > before;
    }, { timeout: 15_000 });
    await s.waitLog(/no credentials of our own from the container's endpoint/);
    assert.equal((await person.ask()).status, 200);
});

test('credentials that AWS ended before their time are replaced in the same call', async (t) => {
    const { cloud, person } = await start(t, { source: 'imds' });
    assert.equal((await person.ask()).status, 200);
    cloud.revoke(cloud.base.instance);
    cloud.rotate('instance');
    assert.equal((await person.ask()).status, 200);
    cloud.expire(cloud.base.instance);
    assert.equal((await person.ask()).status, 200);
    assert.equal(cloud.asked('imds:credentials').length, 3);
});

test('keys in a file are read again when AWS refuses them', async (t) => {
    const cloud = await startAws(t);
    const shared = file(t, section('default', { accessKeyId: 'AKIAOLD', secretAccessKey: 'old' }));
    const { person } = await start(t, { cloud, env: { AWS_SHARED_CREDENTIALS_FILE: shared } });
    refused(await person.ask(), 502, 'aws_refused');
    writeFileSync(shared, section('default', cloud.keys));
    assert.equal((await person.ask()).status, 200);
});

test('metadata that hands out what has expired: AWS has the last word', async (t) => {
    const { s, cloud, person } = await start(t, { source: 'imds' });
    cloud.expire(cloud.baseOf('instance'));
    cloud.stale = true;
    refused(await person.ask(), 502, 'aws_refused');
    await s.waitLog(/AssumeRole failed: ExpiredToken/);
    cloud.stale = false;
    assert.equal((await person.ask()).status, 200);
});
