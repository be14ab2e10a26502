// Families of sections: what an operator adds as [plan:x] reaches the plugin, and mistakes in it are told like all others.
import { assert, check, startServer, test } from '../lib/harness.mjs';
import { linkPlugins, toIni } from '../lib/config.mjs';
import { tempDir } from '../lib/harness.mjs';

/** --check (or other arguments) of INI text, with caller on unless told otherwise. */
async function look(t, text, { args = ['--check'], env = {}, plugins = ['caller'], on = 'true' } = {}) {
    const dir = linkPlugins(`${tempDir(t)}/plugins`, plugins);
    const head = toIni({ server: { plugin_dir: dir }, ...Object.fromEntries(plugins.map((name) => [name, { enabled: on }])) });
    const { code, stdout, stderr } = await check(t, text + head, args, { env: { ...process.env, ...env } });
    const lines = stderr.split('\n').filter(Boolean);
    return { code, stdout, mistakes: lines.filter((l) => !/ warning /.test(l)), warnings: lines.filter((l) => / warning /.test(l)) };
}

const PLANS = '[plan:pro-yearly]\nname = Pro, yearly\nprice = 200\n[plan:Basic]\nname = Basic\n[plan:pro_2]\npopular = yes\nname = Two\n';

test('a plugin sees its sections in the order in which they were written', async (t) => {
    const config = { 'plan:zeta': { name: 'Zeta', price: 7 }, 'plan:alpha': { name: 'Alpha', popular: 'on' },
        'plan:PRO-yearly': { name: 'Pro' }, 'other:x': { name: 'X' } };
    const server = await startServer(t, { plugins: ['caller'], database: false, waitReady: 'live', config,
        env: { VV_PLAN_PRO_YEARLY__PRICE: '99', VV_PLAN_ALPHA__PRICE: '3' },
        args: ['--set', 'plan:alpha.price=4', '--set', 'plan:late.name=Late'] });
    const family = async (name) => (await server.get(`/caller/sections?family=${name}`)).json;
    assert.deepEqual(await family('plan'), { sections: [
        { id: 'zeta', name: 'Zeta', price: 7, popular: false }, { id: 'alpha', name: 'Alpha', price: 4, popular: true },
        { id: 'PRO-yearly', name: 'Pro', price: 99, popular: false }, { id: 'late', name: 'Late', price: 5, popular: false },
    ], past: false });
    assert.deepEqual((await family('other')).sections.map((s) => s.id), ['x']);
    assert.deepEqual(await family('nobody'), { sections: [], past: false });
    await server.waitLog(/vv_section\(.*nobody.*\): name it in .sections/);
});

test('mistakes in a section are told with file and line', async (t) => {
    const { code, mistakes } = await look(t, '[plan:a]\nprice = 10\n[plan:b]\nname = B\nprcie = 3\nprice = many\n[plan:no/slash]\n'
        + `name = x\n[plan:${'x'.repeat(33)}]\nname = x\n[plan:pro-x]\nname = x\n[plan:Pro_X]\nname = x\n[plan:c]\nname = C\nsecret_file = /nowhere\n`,
    { env: { VV_PLAN_B__POPULR: 'on', VV_PLAN_D__PRICE: '1' } });
    assert.equal(code, 1);
    assert.deepEqual(mistakes.sort(), [
        "environment VV_PLAN_B__POPULR: [plan:b] unknown key 'populr'; did you mean 'popular'?",
        'environment VV_PLAN_D__PRICE: no section [plan:...] of the configuration is meant by it; the environment only adds to '
            + 'sections that a file has',
        "vvserver.ini:10: [plan:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx] what stands behind 'plan:' must be 1 to 32 of A-Z, a-z, "
            + "0-9, '_' and '-'",
        'vvserver.ini:14: [plan:Pro_X] and [plan:pro-x] are too much alike; rename one',
        "vvserver.ini:17: [plan:c] 'secret_file' names '/nowhere', which cannot be read: No such file or directory",
        "vvserver.ini:2: [plan:a] 'name' is required (What people call it); add it to [plan:a] in vvserver.ini",
        "vvserver.ini:5: [plan:b] unknown key 'prcie'; did you mean 'price'?",
        "vvserver.ini:6: [plan:b] 'price' must be a whole number, from 0 to 1000, not 'many'",
        "vvserver.ini:8: [plan:no/slash] what stands behind 'plan:' must be 1 to 32 of A-Z, a-z, 0-9, '_' and '-'",
    ].sort());
});

test('--dump-config prints sections, which mean the same when read again', async (t) => {
    const first = await look(t, `${PLANS}secret = hush\n`, { args: ['--dump-config'] });
    assert.equal(first.code, 0, first.mistakes.join('\n'));
    assert.match(first.stdout, /^# One for each plan\n\[plan:pro-yearly\]\n# What people call it\nname = Pro, yearly\n# What it costs\nprice = 200\n/m);
    assert.match(first.stdout, /^\[plan:Basic\]\n(#.*\n)*name = Basic\n#.*\nprice = 5\n/m);
    assert.match(first.stdout, /^\[plan:pro_2\]\n(?:.*\n)*secret = \*+$/m);
    assert.doesNotMatch(first.stdout, /hush/);
    const again = await check(t, first.stdout, ['--dump-config']);
    const strip = (text) => text.slice(text.indexOf('[database]'));
    assert.equal(strip(again.stdout), strip(first.stdout));
});

test('while the plugin is off its sections are checked, and not missed', async (t) => {
    const off = await look(t, '[plan:a]\nprice = 3\n', { on: 'false' });
    assert.deepEqual([off.code, off.mistakes, off.warnings], [0, [], []]);
    const wrong = await look(t, '[plan:a]\nprice = x\nnmae = y\n', { on: 'false' });
    assert.deepEqual(wrong.mistakes.sort(), ["vvserver.ini:2: [plan:a] 'price' must be a whole number, from 0 to 1000, not 'x'",
        "vvserver.ini:3: [plan:a] unknown key 'nmae'; did you mean 'name'?"]);
    const typo = await look(t, '[pln:a]\nprice = 3\n');
    assert.match(typo.warnings.join('\n'), /\[pln:a\] is ignored: no plugin describes it; did you mean \[plan:a\]\?/);
});

test('two plugins with one family are a mistake', async (t) => {
    const { mistakes } = await look(t, '', { plugins: ['caller', 'rival'] });
    assert.deepEqual(mistakes, ["plugins 'caller' and 'rival' both have a section '[plan:...]'; enable only one of them"]);
});
