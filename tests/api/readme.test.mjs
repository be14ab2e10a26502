// The documents can be believed: each of their commands is run by some test, their settings, names and links are real.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, check, mustRun, ROOT, run, startServer, tempDir, test, vvctl } from '../lib/harness.mjs';
import { blocksOf, shellOf } from '../lib/readme.mjs';

const files = await mustRun('git', ['-C', ROOT, 'ls-files', '-co', '--exclude-standard', '*.md']);
const DOCUMENTS = files.stdout.trim().split('\n');
const read = (file) => readFileSync(path.join(ROOT, file), 'utf8');
const withoutBlocks = (file) => read(file).replace(/^```[^]*?^```/gm, '');

test('every shell block of every document is asked for by a test', () => {
    const asked = readdirSync(path.join(ROOT, 'tests/api')).flatMap((file) => [...read(`tests/api/${file}`)
        .matchAll(/\bshellOf\('([^']+)'(?:, '([^']+)')?\)/g)].map(([, of, section]) => ({ of, section })));
    const unknown = DOCUMENTS.flatMap((file) => blocksOf(file).filter(({ language, section }) => language === 'sh'
        && !asked.some((a) => a.of === file && (a.section === undefined || a.section === section)))
        .map(({ section, text }) => `${file}, ${section}: ${text.split('\n')[0]}`));
    assert.deepEqual(unknown, [], 'commands that no test runs: take them with shellOf() and run them');
});

test('a block says what it is, and commands are nowhere but in shell blocks', () => {
    const bad = DOCUMENTS.flatMap((file) => blocksOf(file).filter(({ language, text }) =>
        !['c', 'ini', 'json', 'nginx', 'sh', 'sql', 'text', 'yaml'].includes(language)
        || (language === 'text' && /^\s*(\$ |\.\/dev|vvctl|vvserverd|curl|sudo|openssl) ?/m.test(text)))
        .map(({ section, language }) => `${file}, ${section}: ${language}`));
    assert.deepEqual(bad, []);
});

test('every configuration that is shown passes --check', async (t) => {
    const etc = tempDir(t);
    // What a document only goes on with is laid over what it began with.
    const base = {
        'plugins/apikeys/README.md': '[usage]\nenabled = true\n[apikeys]\nenabled = true\n',
        'plugins/mail/README.md': '[mail]\nenabled = true\n', 'sdk/README.md': null, // guide.test.mjs serves with that one
    };
    // What a plugin cannot be without, and its document does not repeat.
    const auth = `[auth]\nenabled = true\njwt_secret = ${'x'.repeat(40)}\nrequire_verification = off\n`;
    const below = {
        'plugins/apikeys/README.md': auth, 'plugins/usage/README.md': auth,
        'plugins/aws/README.md': `${auth}[usage]\nenabled = true\n`,
    };
    let checked = 0;
    for (const file of DOCUMENTS) {
        for (const { text, section } of blocksOf(file).filter((b) => b.language === 'ini')) {
            if (base[file] === null) continue;
            const ini = (below[file] ?? '') + (/^\[/.test(text) ? '' : base[file] ?? '')
                + text.replaceAll('/etc/vvserver/', `${etc}/`);
            for (const [, secret] of ini.matchAll(/_file = (\S+)/g)) {
                mkdirSync(path.dirname(secret), { recursive: true });
                writeFileSync(secret, 'a-secret-of-some-length-0123456789abcdef');
            }
            const { code, stderr } = await check(t, ini);
            assert.equal(code, 0, `${file}, ${section}:\n${stderr}`);
            assert.doesNotMatch(stderr, /ignored|unknown/, `${file}, ${section}`);
            checked++;
        }
    }
    assert.ok(checked >= 4, 'there were some');
});

test('every command that is named exists, and every command of ./dev is named', async (t) => {
    const usage = (await run(path.join(ROOT, 'dev'), ['help'])).stdout;
    const ours = [...usage.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name);
    const table = [...read('README.md').matchAll(/^\| `\.\/dev (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(table.toSorted(), ours.toSorted());

    const s = await startServer(t, { plugins: ['auth', 'mail', 'stripe', 'usage', 'apikeys', 'aws'] });
    const known = (await vvctl(s, ['--help'])).stdout;
    const options = (await run(path.join(BUILD, 'bin/vvserverd'), ['--help'])).stdout;
    for (const file of DOCUMENTS) {
        for (const [, code] of withoutBlocks(file).matchAll(/`([^`\n]+)`/g)) {
            const [, dev] = code.match(/^\.\/dev (\w+)/) ?? [];
            const [, ctl] = code.match(/^vvctl (?:-c \S+ )?([a-z]+(?: [a-z]+)?)/) ?? [];
            assert.ok(!dev || ours.includes(dev), `${file}: ${code}`);
            assert.ok(!ctl || new RegExp(`^  ${ctl}\\b`, 'm').test(known), `${file}: ${code}`);
            for (const [option] of code.matchAll(/^--[a-z-]+/g))
                assert.ok((options + known).includes(option), `${file}: ${code}`);
        }
    }
});

test('every link leads somewhere', () => {
    const anchor = (heading) => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-');
    const broken = DOCUMENTS.flatMap((file) => [...withoutBlocks(file).matchAll(/\]\(([^)#\s]*)(?:#([^)\s]+))?\)/g)]
        .filter(([, target]) => !/^https?:/.test(target)).filter(([, target, fragment]) => {
            const there = target ? path.join(path.dirname(file), target) : file;
            if (!existsSync(path.join(ROOT, there))) return true;
            return fragment && !read(there).split('\n').some((line) => line.startsWith('#')
                && anchor(line.replace(/^#+ /, '')) === fragment);
        }).map(([link]) => `${file}: ${link}`));
    assert.deepEqual(broken, []);
});
