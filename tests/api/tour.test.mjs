// ./dev run as a newcomer meets it: what it prints works by copy and paste, Ctrl-C ends it, its state lives on.
import path from 'node:path';
import { assert, ROOT, run, test } from '../lib/harness.mjs';
import { devPlace, devRun } from '../lib/dev-run.mjs';
import { blocksOf, differences, jsonIn, shellOf } from '../lib/readme.mjs';

test('the tour works by copy and paste, and what it stored outlives Ctrl-C but not --reset', async (t) => {
    const place = await devPlace(t);

    let dev = await devRun(t, place);
    const [tour] = shellOf('README.md', 'A tour');
    const there = path.relative(ROOT, place.dir);
    assert.equal(dev.tour.trim(), tour.replaceAll('http://127.0.0.1:8000', dev.url).replaceAll('.dev/', `${there}/`).trim());
    const said = await dev.paste(`set -e\n${dev.tour}\necho; echo "ADA=$ADA"`);
    assert.equal(said.code, 0, said.stdout + said.stderr);
    const blocks = blocksOf('README.md').filter((b) => b.section === 'A tour');
    const shown = blocks.filter((b) => b.language === 'json').map((b) => JSON.parse(b.text));
    assert.deepEqual(differences(shown, jsonIn(said.stdout)), [], 'the README shows what is answered');
    for (const line of blocks.find((b) => b.language === 'text').text.replace(/\.\.\.\n/, '').trim().split('\n'))
        assert.ok(said.stdout.replace(/\d+/g, '0').includes(line.replace(/\d+/g, '0')), line);
    const address = said.stdout.match(/^ADA=(.*)$/m)[1];
    assert.equal(jsonIn(said.stdout)[4].email, address);
    // The mail is on the page that was named, too.
    const mails = await (await fetch(dev.output.match(/^ *mails +(\S+)$/m)[1])).text();
    assert.ok(mails.includes(address), mails);
    // The operator's command that was named finds everything in order.
    const doctor = await dev.paste(dev.output.match(/^ *doctor +(.+)$/m)[1]);
    assert.equal(doctor.code, 0, doctor.stdout + doctor.stderr);
    for (const plugin of ['mail', 'stripe', 'usage', 'apikeys', 'aws'])
        assert.match(doctor.stdout, new RegExp(`^ok +${plugin} `, 'm'));
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
