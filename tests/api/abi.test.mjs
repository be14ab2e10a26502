// The promise to plugin authors: every macro compiles strictly in both languages, and what comes out loads and runs.
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, check, mustRun, ROOT, run, tempDir, test } from '../lib/harness.mjs';

const INCLUDE = path.join(ROOT, 'sdk/include');
const EVERY = path.join(ROOT, 'tests/abi/every.c');
const WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror'];
const STRICT = [...WARNINGS, `-I${INCLUDE}`];
const FORMS = [['gcc', '-xc', '-std=c11'], ['clang', '-xc', '-std=c11'], ['g++', '-xc++', '-std=c++17'],
    ['clang++', '-xc++', '-std=c++17']];

test('a plugin that uses everything compiles as C11 and as C++17, exports one symbol, and loads', async (t) => {
    for (const [i, [compiler, ...form]] of FORMS.entries()) {
        const dir = path.join(tempDir(t), `plugins-${i}`);
        mkdirSync(dir);
        const file = path.join(dir, 'every.so');
        await mustRun(compiler, [...form, ...STRICT, i % 2 ? '-O2' : '-O0', '-shared', '-fPIC', EVERY, '-o', file]);
        const { stdout } = await mustRun('nm', ['-D', '--defined-only', file]);
        assert.deepEqual(stdout.trim().split('\n').map((line) => line.split(' ').at(-1)), ['vv_plugin'], compiler);
        const config = { server: { plugin_dir: dir }, every: { enabled: 'true', list: 'x', rate: '3/h' } };
        const routes = await check(t, config, ['--show-routes']);
        assert.equal(routes.code, 0, `${compiler}: ${routes.stderr}`);
        assert.match(routes.stdout, /^POST +\/every +anyone +every +every +Everything$/m);
        assert.match(routes.stdout, /^GET +\/every\/user +user +every_user +every +Every user$/m);
        assert.match((await check(t, config, ['--show-hooks'])).stdout, /^every\.event +0 +every$/m);
        assert.match((await check(t, config, ['--dump-config'])).stdout, /^\[every\]\nenabled = true\n(?:.*\n)*rate = 3\/h$/m);
    }
});

test('the plugin that uses everything does use everything', () => {
    const headers = readdirSync(path.join(INCLUDE, 'vv')).map((name) => readFileSync(path.join(INCLUDE, 'vv', name), 'utf8'))
        .join('\n').replace(/\/\*[\s\S]*?\*\//g, '');
    const macros = [...headers.matchAll(/^#define (VV_[A-Z_]+)\(/gm)].map((m) => m[1]);
    const functions = [...headers.matchAll(/^(?:VV_\w+(?:\([^)]*\))? )*static (?:inline )?[\w *]*?\b((?:vv|VV)_\w+)\(/gm)]
        .map((m) => m[1]);
    // What ends in '_' is inside; these are for headers, not for authors.
    const inside = (name) => name.endsWith('_') || /^VV_(PRINTF|ARGS_\w+)$/.test(name);
    const names = [...new Set([...macros, ...functions])].filter((name) => !inside(name));
    assert.ok(names.length > 100, `${names}`);
    const source = readFileSync(EVERY, 'utf8');
    assert.deepEqual(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(source)), []);
});

test('example and test plugins are plain C11', async () => {
    const sources = ['sdk/examples', 'tests/plugins'].flatMap((base) => readdirSync(path.join(ROOT, base), { recursive: true })
        .filter((name) => name.endsWith('.c')).map((name) => path.join(ROOT, base, name)));
    assert.ok(sources.length > 10);
    for (const compiler of ['gcc', 'clang']) {
        const { code, stderr } = await run(compiler, ['-std=c11', '-D_GNU_SOURCE', ...STRICT, '-fsyntax-only', ...sources]);
        assert.equal(code, 0, stderr);
    }
    assert.ok(readFileSync(path.join(ROOT, 'sdk/examples/hello/hello.c'), 'utf8').split('\n').length <= 60);
});

/** The SDK of a later minor: every struct that may grow has grown by a member. */
function grownHeaders(t) {
    const dir = path.join(tempDir(t), 'include');
    cpSync(INCLUDE, dir, { recursive: true });
    const growing = ['option', 'field', 'route', 'hook', 'job', 'schedule', 'command', 'check', 'metric', 'limit', 'plugin',
        'host', 'event', 'caller', 'enqueue', 'batch', 'section'];
    for (const name of readdirSync(path.join(dir, 'vv'))) {
        const file = path.join(dir, 'vv', name);
        writeFileSync(file, readFileSync(file, 'utf8').replace(/^(struct vv_(\w+) \{[\s\S]*?)^\};/mg, (whole, body, struct) =>
            (growing.includes(struct) ? `${body}    const char *appended_1;\n    uint64_t appended_2;\n};` : whole)));
    }
    return dir;
}

test('a plugin built with elements that have grown still loads: tables are walked by its own strides', async (t) => {
    const include = grownHeaders(t);
    for (const [i, [compiler, ...form]] of FORMS.entries()) {
        const dir = path.join(tempDir(t), `plugins-${i}`);
        mkdirSync(dir);
        // Old sources compile without a warning against newer headers, too.
        await mustRun(compiler, [...form, ...WARNINGS, `-I${include}`, '-shared', '-fPIC', EVERY, '-o', path.join(dir, 'every.so')]);
        const config = { server: { plugin_dir: dir }, every: { enabled: 'true', number: '9', duration: '3h' } };
        const routes = await check(t, config, ['--show-routes']);
        assert.equal(routes.code, 0, `${compiler}: ${routes.stderr}`);
        assert.match(routes.stdout, /^POST +\/every +anyone +every +every +Everything$/m);
        assert.match(routes.stdout, /^GET +\/every +anyone +- +every +Every statement$/m);
        const dump = (await check(t, config, ['--dump-config'])).stdout;
        for (const line of ['number = 9', 'duration = 3h', 'list = a,\n    b', 'flag = true', 'every = 30/m',
            'every_user = 5/h'])
            assert.ok(dump.includes(`\n${line}\n`), `${line} in ${dump}`);
    }
});
