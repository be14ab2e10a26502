// The README's way to production, from an empty folder to a mail sent, with stand-ins where the world would be.
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, cleanup, dropIdle, freePort, request, ROOT, run, spawnBound, startAws, startMail, startPostgres,
    startStripe, tempDir, test, until } from '../lib/harness.mjs';
import { pgBin } from '../lib/postgres.mjs';
import { shellOf } from '../lib/readme.mjs';

/** A curl that finds Stripe on this machine, in the version that the account would have. */
function redirectCurl(dir, stripe) {
    const file = path.join(dir, 'curl');
    writeFileSync(file, `#!/bin/bash\nexec /usr/bin/curl -H 'Stripe-Version: ${stripe.store.apiVersion}' `
        + `"\${@/https:\\/\\/api.stripe.com/${stripe.apiBase.replaceAll('/', '\\/')}}"\n`);
    chmodSync(file, 0o755);
}

test('the way to production works by copy and paste', async (t) => {
    const dir = tempDir(t, 'vv-prod-');
    const [mail, postgres, stripe] = [await startMail(t), await startPostgres(t), await startStripe(t, { catalog: [] })];
    const aws = await startAws(t);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    mkdirSync(path.join(dir, 'bin'));
    redirectCurl(path.join(dir, 'bin'), stripe);
    const env = {
        ...aws.env('none'), HOME: dir, ETC: path.join(dir, 'etc'), PATH: `${dir}/bin:${pgBin()}:${process.env.PATH}`,
        PGHOST: '127.0.0.1', PGPORT: String(postgres.port), PGUSER: 'postgres',
        SMTP_PASSWORD: mail.password, STRIPE_KEY: stripe.secretKey,
        ROLE_ARN: aws.roleArn, AWS_KEY_ID: aws.keys.accessKeyId, AWS_KEY: aws.keys.secretAccessKey,
        // The names in the README are examples; the environment is stronger than the files.
        VV_SERVER__LISTEN: `127.0.0.1:${port}`, VV_SERVER__PUBLIC_URL: url,
        VV_DATABASE__URL: postgres.url('vvserver', 'vvserver'),
        VV_MAIL__SMTP_URL: mail.smtpUrl, VV_MAIL__SMTP_USER: mail.user, VV_MAIL__CA_FILE: mail.caFile,
        VV_STRIPE__API_BASE: stripe.apiBase, VV_AWS__STS_ENDPOINT: aws.endpoint,
    };
    const [files, database] = shellOf('README.md', 'In production');
    const build = (text) => text.replace('$PWD/build/', `${BUILD}/`);
    // What blocks export stays in the terminal that the next ones are pasted into.
    const terminal = [];
    const paste = async (text, before = terminal) => {
        const { code, stdout, stderr } = await run('bash', ['-ec', build([...before, text].join('\n'))], { env, cwd: ROOT });
        assert.equal(code, 0, `${text}\n${stdout}${stderr}`);
        terminal.push(...text.match(/^export .*$/gm) ?? []);
        return stdout;
    };
    await paste(files);
    await paste(database);
    for (const block of shellOf('README.md', 'SMTP')) await paste(block);
    for (const block of shellOf('README.md', 'Stripe')) await paste(block);
    for (const block of shellOf('README.md', 'AWS')) await paste(block);
    for (const block of shellOf('README.md', 'API keys')) await paste(block);
    for (const secret of ['jwt_secret', 'smtp_password', 'stripe_key', 'stripe_webhook_secret', 'aws_credentials',
        'service_tokens']) {
        const file = path.join(env.ETC, secret);
        assert.ok(readFileSync(file, 'utf8').trim().length > 16, `${secret} is there`);
        assert.equal(statSync(file).mode & 0o777, 0o600);
    }
    const [endpoint] = stripe.store.all('webhook_endpoint');
    assert.equal(endpoint.url, 'https://api.example.com/webhooks/stripe');
    assert.ok(endpoint.enabled_events.includes('customer.subscription.updated'));

    const [checks, serve, after] = shellOf('README.md', 'Serve');
    await paste(checks);
    const child = spawnBound('bash', ['-c', build(`${terminal.join('\n')}\nexec ${serve}`)], { env, cwd: ROOT, stdio: 'ignore' });
    cleanup(t, async () => {
        dropIdle();
        child.kill('SIGTERM');
        await child.ended;
    });
    await until(async () => (await request(url, 'GET', '/health/ready')).status === 200, { what: 'the server is ready' });
    const said = await paste(after, []);
    assert.doesNotMatch(said, /FAIL/);
    for (const plugin of ['mail smtp', 'stripe stripe-prices', 'usage usage-partitions', 'apikeys api-keys', 'aws aws-role'])
        assert.match(said, new RegExp(`^ok +${plugin}`, 'm'));
    assert.match((await mail.waitFor('you@example.com')).text, /Example/);
    const { json } = await request(url, 'GET', '/plans');
    assert.deepEqual(json.plans.map((plan) => plan.price_id), stripe.store.all('price').map((price) => price.id));
    const [, token] = readFileSync(path.join(env.ETC, 'service_tokens'), 'utf8').trim().split(':');
    const unknown = await request(url, 'POST', '/api-keys/validate', { token, body: { api_key: 'vv_nobody' } });
    assert.equal(unknown.json.code, 'invalid_api_key', 'the back end is let in, and told of the key');
});
