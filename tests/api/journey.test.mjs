// ./dev journey walks to its end against ./dev run, also beside another, shows what is answered and no secret, and stops
// where something is wrong.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, run, ROOT, test } from '../lib/harness.mjs';
import { devPlace, devRun } from '../lib/dev-run.mjs';
import { shellOf } from '../lib/readme.mjs';

const [, command] = shellOf('README.md', 'Start');
const journey = (env) => run('bash', ['-c', command], { env, cwd: ROOT });

const PAGE = '<page>';
const VALIDATE = 'POST /api-keys/validate';

/** Every step: what was asked and how it was answered, and what else a reader sees of it. */
const STEPS = [
    ['Register', ['POST /auth/register 200'], /"email_verification_sent": true, "api_key": "vv_/],
    ['The mail arrives', [], /^To: ada\.\w+@example\.com\nSubject: Verify your email[^]*\/verify-email\?token=/m],
    ['Verify the address', ['POST /auth/login 403', `${VALIDATE} 401`, 'POST /auth/verify-email 200'],
        /"code": "email_unverified"[^]*"code": "invalid_api_key"/],
    ['Log in', ['POST /auth/login 200'], /"email_verified": true/],
    ['Which plans there are', ['GET /plans 200'], /^Tiny is taken: its quota of 20 calls is met soon\.$/m],
    ['Check out', ['POST /subscriptions/create 200'], /"session_id": "cs_test_/],
    ['Pay, on the page of Stripe', [`POST ${PAGE} action=pay 303`], /→ http:\/\/\S+\/subscription\/success\?session_id=cs_test_/],
    ['Stripe tells of it by webhooks', [],
        /done +checkout\.session\.completed[^]*done +invoice\.paid[^]*done +customer\.subscription\.created/],
    ['The subscription is active', ['GET /subscriptions/current 200', 'GET /profile 200'],
        /"plan_name": "Tiny"[^]*"subscription_status": "active"[^]*"api_calls_used": 0, "api_calls_limit": 20/],
    ['Credentials of AWS, for a while', ['POST /aws/credentials 200', 'POST /aws/transcribe-url 200'],
        /"access_key_id": "ASIA\w{16}"[^]*"url": "wss:\/\/transcribestreaming\.eu-central-1\.amazonaws\.com/],
    ['An API key', ['POST /api-keys 200', 'GET /api-keys 200'], /"name": "Search"[^]*"name": "Default"[^]*"name": "Search"/],
    // Both answers of AWS have counted.
    ['Calls with the key', [`${VALIDATE} 200`], /"used": 3, "limit": 20, "remaining": 17[^]*and 13 more: 16 of 20 calls/],
    ['A mail tells that most are used', [], /you have used 16 of the 20 calls/],
    ['Until the quota refuses', [`${VALIDATE} 429`], /and 4 more[^]*"quota_exceeded"[^]*Retry-After: \d+\n.*"quota";r=0/],
    ['A mail tells that all are used', [], /you have used 20 of the 20 calls/],
    ['What was used', ['GET /usage 200', 'GET /usage/history 200'],
        /"used": 20, "limit": 20, "remaining": 0[^]*"\/aws\/credentials"[^]*"\/search"/],
    ["Stripe's portal", ['POST /subscriptions/portal 200', `GET ${PAGE}`], /^Tiny, active, renews on \d{4}-\d\d-\d\d$/m],
    ['Cancel', ['POST /subscriptions/cancel 200'], /"status": "active"[^]*"cancel_at_period_end": true/],
    ["Access until the period's end, and no longer",
        ['GET /profile 200', `${VALIDATE} 429`, `POST ${PAGE} action=end 303`, 'GET /profile 200', `${VALIDATE} 403`],
        /"active"[^]*"api_calls_limit": 20[^]*"canceled"[^]*"api_calls_limit": 0[^]*subscription_required/],
    ['Delete the account', ['DELETE /profile 200', 'POST /auth/login 401', `${VALIDATE} 401`], /"Your account is deleted"/],
];

/** What was asked in a step, each with the status of its answer. */
function exchanges(text) {
    const found = [];
    for (const line of text.split('\n')) {
        const [, method, where, action] = line.match(/^(GET|POST|DELETE) (\S+)(?:.* (action=\w+)$)?/) ?? [];
        const [, status] = line.match(/^(\d{3})(?= |$)/) ?? [];
        if (method) found.push([method, where.replace(/^http:.*/, PAGE), action].filter(Boolean).join(' '));
        else if (status) found.push(`${found.pop()} ${status}`);
    }
    return found;
}

/** Its steps as printed: [title, text], in their order. */
function stepsOf(stdout) {
    const parts = stdout.split(/^ ?(\d+)\. (.*)$/m);
    assert.equal(parts.shift().trim(), '');
    const steps = [];
    while (parts.length) {
        const [number, title, text] = parts.splice(0, 3);
        assert.equal(Number(number), steps.push([title, text.replace(/^ {4}/gm, '').replace(/\n +/g, ' ')]));
    }
    return steps;
}

test('the journey reaches its end, and again beside another; with a broken part it says which', async (t) => {
    const place = await devPlace(t);
    const dev = await devRun(t, place);
    for (const { code, stdout, stderr } of await Promise.all([journey(dev.env), journey(dev.env)])) {
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /That was the whole journey\.\n$/);
        assert.doesNotMatch(stdout, /left out/);
        const steps = stepsOf(stdout);
        assert.deepEqual(steps.map(([title]) => title), STEPS.map(([title]) => title));
        for (const [i, [title, asked, seen]] of STEPS.entries()) {
            assert.deepEqual(exchanges(steps[i][1]), asked, title);
            assert.match(steps[i][1], seen, title);
        }
        // A token is longer than what is shown of it, and the password is nobody's business.
        assert.doesNotMatch(stdout, /Tr0mbone-and-cello|eyJ[\w-]{8}|token=[\w-]{8}|(api|_key|_token)": "[^"…]{9}|vv_\w{9}/);
    }

    writeFileSync(path.join(place.dir, 'secrets/service_token'), 'another-token-than-the-server-has-0123456789');
    const broken = await journey(dev.env);
    assert.equal(broken.code, 1);
    assert.equal(broken.stderr,
        'dev: Verify the address: the search service is told unauthorized; expected was invalid_api_key\n');
    assert.doesNotMatch(broken.stdout, /whole journey/);
    assert.equal(await dev.stop(), 0);
});

test('without a server it says what to do', async (t) => {
    const { dir, port } = await devPlace(t);
    const { code, stderr } = await journey({ ...process.env, VV_DEV_DIR: dir, VV_DEV_PORT: String(port) });
    assert.equal(code, 1);
    assert.match(stderr, /no vvserver answers on .*; start \.\/dev run in another terminal first/);
});
