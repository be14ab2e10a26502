// The README's way to production, from an empty folder to a mail sent, with stand-ins where the world would be.
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, cleanup, dropIdle, freePort, request, ROOT, run, spawnBound, startMail, startPostgres, startStripe,
    tempDir, test, until } from '../lib/harness.mjs';
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
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    mkdirSync(path.join(dir, 'bin'));
    redirectCurl(path.join(dir, 'bin'), stripe);
    const env = {
        HOME: dir, ETC: path.join(dir, 'etc'), PATH: `${dir}/bin:${pgBin()}:${process.env.PATH}`,
        PGHOST: '127.0.0.1', PGPORT: String(postgres.port), PGUSER: 'postgres',
        SMTP_PASSWORD: mail.password, STRIPE_KEY: stripe.secretKey,
        // The names in the README are examples; the environment is stronger than the files.
        VV_SERVER__LISTEN: `127.0.0.1:${port}`, VV_SERVER__PUBLIC_URL: url,
        VV_DATABASE__URL: postgres.url('vvserver', 'vvserver'),
        VV_MAIL__SMTP_URL: mail.smtpUrl, VV_MAIL__SMTP_USER: mail.user, VV_MAIL__CA_FILE: mail.caFile,
        VV_STRIPE__API_BASE: stripe.apiBase,
    };
    const [files, database] = shellOf('README.md', 'In production');
    const build = (text) => text.replace('$PWD/build/', `${BUILD}/`);
    // The first line changes the terminal that the other blocks are pasted into.
    const [exported] = files.split('\n');
    const paste = async (text, first = exported) => {
        const { code, stdout, stderr } = await run('bash', ['-ec', build(`${first}\n${text}`)], { env, cwd: ROOT });
        assert.equal(code, 0, `${text}\n${stdout}${stderr}`);
        return stdout;
    };
    await paste(files);
    await paste(database);
    for (const block of shellOf('README.md', 'SMTP')) await paste(block);
    for (const block of shellOf('README.md', 'Stripe')) await paste(block);
    for (const secret of ['jwt_secret', 'smtp_password', 'stripe_key', 'stripe_webhook_secret']) {
        const file = path.join(env.ETC, secret);
        assert.ok(readFileSync(file, 'utf8').trim().length > 16, `${secret} is there`);
        assert.equal(statSync(file).mode & 0o777, 0o600);
    }
    const [endpoint] = stripe.store.all('webhook_endpoint');
    assert.equal(endpoint.url, 'https://api.example.com/webhooks/stripe');
    assert.ok(endpoint.enabled_events.includes('customer.subscription.updated'));

    const [checks, serve, after] = shellOf('README.md', 'Serve');
    await paste(checks);
    const child = spawnBound('bash', ['-c', build(`${exported}\nexec ${serve}`)], { env, cwd: ROOT, stdio: 'ignore' });
    cleanup(t, async () => {
        dropIdle();
        child.kill('SIGTERM');
        await child.ended;
    });
    await until(async () => (await request(url, 'GET', '/health/ready')).status === 200, { what: 'the server is ready' });
    const said = await paste(after, '');
    assert.doesNotMatch(said, /FAIL/);
    assert.match((await mail.waitFor('you@example.com')).text, /Example/);
    const { json } = await request(url, 'GET', '/plans');
    assert.deepEqual(json.plans.map((plan) => plan.price_id), stripe.store.all('price').map((price) => price.id));
});
