// Formatting, clang-tidy and cppcheck over all C files; what has not changed since it last passed is not looked at again.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ROOT, run } from './process.mjs';
import { DEV } from './state.mjs';

const BUILD = path.join(ROOT, 'build-clang');
// The analyzer's last paths through a function cost most and find least: a quarter of its nodes takes a fifth of the time.
const ANALYZER = ['-analyzer-config', 'max-nodes=40000'].flatMap((word) => ['--extra-arg=-Xclang', `--extra-arg=${word}`]);
const PASSED = path.join(DEV, 'lint');

function sum(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part).update('\0');
    return hash.digest('hex');
}

const contents = new Map();

function content(file) {
    if (!contents.has(file)) contents.set(file, readFileSync(file));
    return contents.get(file);
}

/** Runs work over all items, as many at once as there are cores; prints what failed. → how many did */
async function inParallel(items, work) {
    const queue = [...items];
    let failures = 0;
    await Promise.all(os.cpus().map(async () => {
        for (let item = queue.shift(); item; item = queue.shift()) {
            const { code, stdout, stderr } = await work(item);
            if (code === 0) continue;
            failures++;
            process.stdout.write(stdout + stderr);
        }
    }));
    return failures;
}

/** Like inParallel, but skips items whose key (a digest of all that decides the outcome) has passed before. */
function onlyChanged(tool, items, key, work) {
    const dir = path.join(PASSED, tool);
    mkdirSync(dir, { recursive: true });
    const todo = items.filter((item) => !existsSync(path.join(dir, key(item))));
    if (todo.length) console.log(`lint: ${tool}, ${todo.length} of ${items.length} files`);
    return inParallel(todo, async (item) => {
        const result = await work(item);
        if (result.code === 0) writeFileSync(path.join(dir, key(item)), '');
        return result;
    });
}

/** source file → the project's files it was compiled from, as ninja knows them. */
function dependencies() {
    const { stdout } = spawnSync('ninja', ['-C', BUILD, '-t', 'deps'], { encoding: 'utf8', maxBuffer: 256 << 20 });
    const found = new Map();
    for (const block of stdout.split('\n\n')) {
        const files = block.split('\n').slice(1).map((line) => path.resolve(BUILD, line.trim()))
            .filter((file) => file.startsWith(`${ROOT}/`) && existsSync(file));
        const source = files.find((file) => file.endsWith('.c'));
        if (source) found.set(source, files.sort());
    }
    return found;
}

const tracked = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.c', '*.h'],
    { cwd: ROOT, encoding: 'utf8' }).stdout.split('\n').filter(Boolean).map((file) => path.join(ROOT, file))
    .filter(existsSync);

async function clangFormat() {
    const rules = content(path.join(ROOT, '.clang-format'));
    return onlyChanged('clang-format', tracked, (file) => sum(rules, file, content(file)),
        (file) => run('clang-format', ['--dry-run', '-Werror', file]));
}

async function clangTidy() {
    const rules = content(path.join(ROOT, '.clang-tidy'));
    const needs = dependencies();
    // What ships; tests are compiled with all warnings and seen by cppcheck, which is quick.
    const compiled = tracked.filter((file) => needs.has(file) && !file.startsWith(path.join(ROOT, 'tests/')));
    return onlyChanged('clang-tidy', compiled,
        (file) => sum(rules, ...needs.get(file).flatMap((one) => [one, content(one)])),
        (file) => run('clang-tidy', ['-p', BUILD, '--quiet', ...ANALYZER, file], { timeout: 300_000 }));
}

async function cppcheck() {
    const options = ['--enable=warning,performance,portability', '--inline-suppr', '--error-exitcode=1', '--quiet',
        '--std=c11', '--suppress=missingIncludeSystem', '--suppress=missingInclude', '--library=posix', '--library=gnu',
        `--suppressions-list=${path.join(ROOT, 'tests/lib/cppcheck.txt')}`, '-D_GNU_SOURCE', '-DVV_VERSION="0"',
        `-I${path.join(ROOT, 'core')}`, `-I${path.join(ROOT, 'sdk/include')}`, '--template=gcc'];
    const headers = sum(...tracked.filter((file) => file.endsWith('.h')).map(content));
    const sources = tracked.filter((file) => file.endsWith('.c') && !file.includes('/tests/hostile/'));
    return onlyChanged('cppcheck', sources, (file) => sum(options.join(' '), headers, file, content(file)),
        (file) => run('cppcheck', [...options, file], { timeout: 300_000 }));
}

const failures = await clangFormat() + await clangTidy() + await cppcheck();
if (failures) console.log(`lint: ${failures} files have to be mended (./dev fmt formats)`);
process.exit(failures ? 1 : 0);
