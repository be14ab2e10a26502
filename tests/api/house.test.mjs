// The rules of the house, kept by a test instead of by reviewers.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { BUILD, mustRun, ROOT, run, tempDir } from '../lib/process.mjs';

const files = (await mustRun('git', ['-C', ROOT, 'ls-files', '-co', '--exclude-standard'])).stdout
    .split('\n').filter((file) => file && existsSync(path.join(ROOT, file)));
const written = files.filter((file) => /\.(c|h|cc|cpp|mjs|js|sh|sql|txt|ini|md|py)$/.test(file) || file === 'dev');
const cFiles = files.filter((file) => /\.[ch]$/.test(file));
const read = (file) => readFileSync(path.join(ROOT, file), 'utf8');

/** The code of a C file, with comments and the insides of string literals blanked, line numbers kept. */
function codeOf(text) {
    return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"/g, (found) =>
        (found[0] === '"' ? '""' : found.replace(/[^\n]/g, ' ')));
}

/** Lines of the files whose code matches a pattern, as file:line. */
function offenders(list, pattern) {
    return list.flatMap((file) => codeOf(read(file)).split('\n')
        .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])));
}

async function inParallel(items, work) {
    const queue = [...items];
    await Promise.all(os.cpus().map(async () => {
        while (queue.length) await work(queue.shift());
    }));
}

test('no file is longer than 600 lines', () => {
    const long = written.filter((file) => read(file).split('\n').length > 601);
    assert.deepEqual(long, []);
});

test('every C file begins with a sentence on what it is for', () => {
    assert.deepEqual(cFiles.filter((file) => !/^\/\*\s*\S/.test(read(file))), []);
});

test('every script begins with a sentence on what it is for', () => {
    const scripts = files.filter((file) => file.endsWith('.mjs'));
    assert.deepEqual(scripts.filter((file) => !read(file).startsWith('// ')), []);
});

test('functions that nobody uses safely are not used', () => {
    const banned = /\b(strcpy|strcat|strncat|sprintf|vsprintf|gets|atoi|atol|atoll|alloca|strtok|tmpnam|mktemp)\s*\(/;
    assert.deepEqual(offenders(cFiles, banned), []);
});

test('structs are not hidden behind a typedef', () => {
    assert.deepEqual(offenders(cFiles, /\btypedef\s+(struct|union|enum)\b/), []);
});

test('nothing is left for later', () => {
    const later = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'].join('|')})\\b`);
    const hits = written.filter((file) => /\.([ch]|mjs|sh|sql)$/.test(file)).filter((file) => later.test(read(file)));
    assert.deepEqual(hits, []);
});

test('plugins and the SDK know the SDK and themselves, never the core or one another', () => {
    const outside = [];
    for (const file of cFiles.filter((f) => /^(plugins|sdk|tests\/plugins)\//.test(f))) {
        for (const [, name] of read(file).matchAll(/^\s*#\s*include\s*"([^"]+)"/gm)) {
            const target = path.join(path.dirname(file), name);
            if (name.includes('/') || !existsSync(path.join(ROOT, target))) outside.push(`${file} includes "${name}"`);
        }
        for (const [, name] of read(file).matchAll(/^\s*#\s*include\s*<((?:\.|core)[^>]*)>/gm))
            outside.push(`${file} includes <${name}>`);
    }
    assert.deepEqual(outside, []);
});

test('the core includes no plugin', () => {
    const inside = cFiles.filter((file) => file.startsWith('core/'))
        .filter((file) => /#\s*include\s*["<][^">]*plugins\//.test(read(file)));
    assert.deepEqual(inside, []);
});

async function definedSymbols(file) {
    const { stdout } = await mustRun('nm', ['-D', '--defined-only', file]);
    // Sanitized builds and the C library's start-up code define names that are not ours to hide.
    // Variables of the C library that the linker copied into an executable carry its version.
    return stdout.split('\n').filter((line) => line && !line.includes('@GLIBC'))
        .map((line) => line.split(' ').at(-1).split('@')[0])
        .filter((name) => !/^(_init|_fini|_IO_stdin_used|__(asan|ubsan|odr_asan|tsan|lsan|sanitizer)\w*)/.test(name));
}

test('every plugin exports the one symbol, and the server none', async () => {
    const plugins = ['lib/vvserver/plugins', 'lib/vvserver/examples', 'tests/plugins'].map((dir) => path.join(BUILD, dir))
        .filter(existsSync).flatMap((dir) => readdirSync(dir).filter((f) => f.endsWith('.so')).map((f) => path.join(dir, f)));
    assert.ok(plugins.length > 0, 'there are plugins');
    for (const file of plugins) assert.deepEqual(await definedSymbols(file), ['vv_plugin'], file);
    // The sanitizers' run time lies in a sanitized executable and has to be seen by its libraries.
    if (!BUILD.endsWith('asan')) assert.deepEqual(await definedSymbols(path.join(BUILD, 'bin/vvserverd')), []);
});

test('every public header compiles alone, as C11 and as C++17', async (t) => {
    const dir = path.join(ROOT, 'sdk/include');
    const strict = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', `-I${dir}`];
    const forms = [['gcc', '-xc', '-std=c11'], ['clang', '-xc', '-std=c11'], ['g++', '-xc++', '-std=c++17'],
        ['clang++', '-xc++', '-std=c++17']];
    const jobs = readdirSync(path.join(dir, 'vv')).flatMap((header) => forms.map((form) => [header, form]));
    const bad = [];
    await inParallel(jobs, async ([header, [compiler, ...form]]) => {
        const { code, stderr } = await run(compiler, [...form, ...strict, '-include', `vv/${header}`, '/dev/null'],
            { cwd: tempDir(t) });
        if (code !== 0) bad.push(`${header} with ${compiler}:\n${stderr}`);
    });
    assert.deepEqual(bad, []);
});
