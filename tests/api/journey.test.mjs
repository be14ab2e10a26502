// ./dev journey walks to its end against ./dev run, twice and at once, and shows what it does without its secrets.
import { assert, run, ROOT, test } from '../lib/harness.mjs';
import { devPlace, devRun } from '../lib/dev-run.mjs';
import { shellOf } from '../lib/readme.mjs';
import { has } from '../lib/run-config.mjs';

const [, command] = shellOf('README.md', 'Start');
const journey = (env) => run('bash', ['-c', command], { env, cwd: ROOT });

test('the journey reaches its end, and again beside another', async (t) => {
    const dev = await devRun(t, await devPlace(t));
    for (const { code, stdout, stderr } of await Promise.all([journey(dev.env), journey(dev.env)])) {
        assert.equal(code, 0, stdout + stderr);
        assert.match(stdout, /That was the whole journey\.\n$/);
        const steps = [...stdout.matchAll(/^ ?(\d+)\. (.*)$/gm)].map(([, number, title]) => [Number(number), title]);
        assert.deepEqual(steps.map(([number]) => number), steps.map((_, i) => i + 1));
        assert.equal(steps[0][1], 'Register');
        assert.equal(steps.at(-1)[1], 'Delete the account');
        // Only what this build does not have is left out.
        for (const [, plugins] of stdout.matchAll(/left out, this server runs without (.*)$/gm))
            for (const plugin of plugins.split(' and ')) assert.equal(has(plugin), false, `${plugin} is in this build`);
        assert.match(stdout, /checkout\.session\.completed/);
        assert.match(stdout, /"subscription_status": "active"/);
        assert.match(stdout, /"subscription_status": "canceled"/);
        // A token is longer than what is shown of it, and the password is nobody's business.
        assert.doesNotMatch(stdout, /Tr0mbone-and-cello|eyJ[\w-]{8}|token=[\w-]{8}|(api_key|_token)": "[^"…]{8}/);
    }
    assert.equal(await dev.stop(), 0);
});

test('without a server it says what to do', async (t) => {
    const { dir, port } = await devPlace(t);
    const { code, stderr } = await journey({ ...process.env, VV_DEV_DIR: dir, VV_DEV_PORT: String(port) });
    assert.equal(code, 1);
    assert.match(stderr, /no vvserver answers on .*; start \.\/dev run in another terminal first/);
});
