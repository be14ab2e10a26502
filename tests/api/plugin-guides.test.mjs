// The guides of the plugins do what they say: their commands, run as they stand, and the settings of what stands around.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, newUser, register, run, SERVICE_TOKEN, startServer, test, until, vvctl } from '../lib/harness.mjs';
import { entitlements } from '../lib/calls.mjs';
import { newCustomer } from '../lib/subscribers.mjs';
import { blocksOf, differences, jsonIn, shellOf } from '../lib/readme.mjs';

/** Runs a command of a guide with a server's configuration; it has to succeed. → what it prints */
async function follow(s, command, env = {}) {
    const { code, stdout, stderr } = await run('bash', ['-c', command], {
        cwd: s.dir, env: { ...s.env, CONF: s.ini, URL: s.url, PATH: `${path.join(BUILD, 'bin')}:${process.env.PATH}`, ...env },
    });
    assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
    return stdout;
}

const linesOf = (blocks) => blocks.join('').trim().split('\n');

test('the commands of the mail guide do what they say', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail'], start: false });
    s.mail.refuse({ bounce: ['bounce.test'] });
    await s.start();
    await s.post('/auth/register',
        { email: 'ada@bounce.test', password: 'Tr0mbone-and-cello', first_name: 'Ada', last_name: 'L' });
    await until(async () => / failed /.test((await vvctl(s, ['mail', 'list'])).stdout), { what: 'a mail has failed' });
    for (const command of linesOf(shellOf('plugins/mail/README.md', 'Does it work?'))) await follow(s, command);
    assert.match(readFileSync(path.join(s.dir, 'preview.html'), 'utf8'), /Verify/);
    assert.ok((await s.mail.waitFor('you@example.com')).subject);
});

test('the policies of the AWS guide are those that let the server in, and its command says so', async (t) => {
    const [trust, own] = blocksOf('plugins/aws/README.md').filter((b) => b.language === 'json').map((b) => JSON.parse(b.text));
    const actions = (policy) => policy.Statement.flatMap((statement) => statement.Action);
    const s = await startServer(t, { plugins: ['auth', 'usage', 'aws'], config: { auth: { require_verification: 'off' } } });
    s.aws.role.allows = actions(own);
    s.aws.role.tagSession = actions(trust).includes('sts:TagSession');
    s.aws.role.assumable = actions(trust).includes('sts:AssumeRole');
    for (const command of shellOf('plugins/aws/README.md')) {
        const stdout = await follow(s, command);
        for (const one of ['aws-credentials', 'aws-role', 'aws-policy', 'aws-clock'])
            assert.match(stdout, new RegExp(`ok .*${one}`));
    }
    const person = await register(s);
    const { json } = await s.post('/auth/login', { email: person.email, password: person.password });
    const stream = { language_code: 'en-US', media_encoding: 'pcm', sample_rate: 16_000 };
    const reply = await s.post('/aws/transcribe-url', stream, { token: json.access_token });
    assert.ok(await s.aws.verifyTranscribe(reply.json.url));
});

test('the commands of the guides of keys and usage do what they say, in their order', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail', 'stripe', 'usage', 'apikeys'] });
    const ada = await newCustomer(s, { email: 'ada@example.com' });
    s.stripe.card(ada.customer, 'good');
    s.stripe.subscribe(ada.customer, 'price_pro_monthly');
    await until(async () => (await entitlements(s, ada)).status === 'active', { what: 'the subscription is known' });

    const blocks = shellOf('plugins/apikeys/README.md', 'From a back end');
    const { api_key: key } = ada.reply.json;
    const said = await follow(s, blocks.join(''), { SERVICE_TOKEN, API_KEY: key });
    const shown = blocksOf('plugins/apikeys/README.md').find((b) => b.language === 'json');
    assert.deepEqual(differences(JSON.parse(shown.text), jsonIn(said)[0]), []);

    const [list, create, revoke, doctor] = linesOf(shellOf('plugins/apikeys/README.md', 'API keys'));
    assert.match(await follow(s, list), /^ +1 .*active, Default$/m);
    assert.match(await follow(s, create), /^vv_\w{43}\n$/);
    assert.match(await follow(s, revoke), /key 2 is revoked/);
    assert.match(await follow(s, list), /^ +2 .*revoked, Nightly$/m);
    assert.match(await follow(s, doctor), /keys/);

    const [show, rebuild] = linesOf(shellOf('plugins/usage/README.md'));
    assert.match(await follow(s, show), /^used +1 of 5000$/m);
    assert.ok(await follow(s, rebuild));
    assert.match(await follow(s, show), /^used +1 of 5000$/m);
});

test('proxies are told to ask where there is an answer, and to pass on what it holds', async (t) => {
    const s = await startServer(t, {
        plugins: ['auth', 'mail', 'usage', 'apikeys'], config: { usage: { default_quota: 'unlimited' } },
    });
    const { api_key: key } = (await newUser(s)).reply.json;
    const proxies = blocksOf('plugins/apikeys/README.md').filter((b) => b.language === 'yaml').map((b) => b.text);
    assert.equal(proxies.length, 2);
    for (const text of proxies) {
        const [, where] = text.match(/(\/api-keys\/authorize\S*)/);
        const asked = where.endsWith('=') ? `${where}/search?q=1` : where; // what Envoy's client asked for goes behind it
        const reply = await s.get(asked, { key, headers: { 'x-original-uri': '/search?q=1' } });
        assert.equal(reply.status, 200, reply.text);
        const told = [...text.matchAll(/\bx-(?:user-id|key-id|plan)\b/gi)].map(([name]) => name.toLowerCase());
        assert.deepEqual(told, ['x-user-id', 'x-key-id', 'x-plan']);
        for (const name of told) assert.ok(reply.headers.get(name), name);
    }
});
