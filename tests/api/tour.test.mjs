// ./dev run as a newcomer meets it: what it prints works by copy and paste, Ctrl-C ends it, its state lives on.
import path from 'node:path';
import { assert, ROOT, run, test } from '../lib/harness.mjs';
import { devPlace, devRun } from '../lib/dev-run.mjs';
import { shellOf } from '../lib/readme.mjs';

test('the tour works by copy and paste, and what it stored outlives Ctrl-C but not --reset', async (t) => {
    const place = await devPlace(t);

    let dev = await devRun(t, place);
    const [tour] = shellOf('README.md', 'A tour');
    assert.equal(dev.tour.trim(), tour.replaceAll('http://127.0.0.1:8000', dev.url).trim());
    const said = await dev.paste(`set -e\n${dev.tour}\necho; echo "ADA=$ADA"`);
    assert.equal(said.code, 0, said.stdout + said.stderr);
    assert.match(said.stdout, /Subject: \S/);
    const address = said.stdout.match(/^ADA=(.*)$/m)[1];
    const profile = JSON.parse(said.stdout.match(/^.*"subscription_status".*$/m)[0].match(/\{[^{}]*"subscription_status".*\}/)[0]);
    assert.equal(profile.email, address);
    assert.equal(profile.email_verified, true);
    // The mail is on the page that was named, too.
    const mails = await (await fetch(dev.output.match(/^ *mails +(\S+)$/m)[1])).text();
    assert.ok(mails.includes(address), mails);
    assert.equal(await dev.stop(), 0);

    const login = (d) => d.paste(`curl -s -o /dev/null -w '%{http_code}' ${d.url}/auth/login `
        + `-H 'Content-Type: application/json' -d '{"email": "${address}", "password": "Tr0mbone-and-cello"}'`);
    dev = await devRun(t, place);
    assert.equal((await login(dev)).stdout, '200');
    assert.equal((await run(path.join(ROOT, 'dev'), ['mail', address], { env: dev.env })).code, 0);
    assert.equal(await dev.stop(), 0);

    dev = await devRun(t, place, '--reset');
    assert.equal((await login(dev)).stdout, '401');
    assert.equal(await dev.stop(), 0);
});
