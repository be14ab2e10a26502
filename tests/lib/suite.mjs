// Runs the unit tests and the API tests against one PostgreSQL that lives as long as the run.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { startPostgres } from './postgres.mjs';
import { BUILD, ROOT } from './process.mjs';

const pattern = process.argv[2] ?? '';
const env = {
    ...process.env, VV_BUILD: BUILD,
    ASAN_OPTIONS: 'abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=0',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
};

/** The test files of tests/SUB (and its folders) whose name has the pattern. */
function find(sub, form) {
    const dir = path.join(ROOT, 'tests', sub);
    if (!existsSync(dir)) return [];
    return readdirSync(dir, { recursive: true })
        .filter((file) => form.test(path.basename(file)) && path.basename(file).includes(pattern))
        .map((file) => path.join(dir, file)).sort();
}

function start(file, args, extra = {}) {
    const child = spawn(file, args, { cwd: ROOT, stdio: 'inherit', env: { ...env, ...extra } });
    return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

const unit = find('unit', /^test_.*\.c$/).map((file) => path.basename(file, '.c'));
const api = find('.', /\.test\.mjs$/).filter((file) => !file.includes('node_modules'));
if (!unit.length && !api.length) {
    console.error(`no test file's name has "${pattern}"`);
    process.exit(1);
}

let failed = 0;
if (unit.length)
    failed |= await start('ctest', ['--test-dir', path.join(BUILD, 'tests'), '--output-on-failure', '-j2',
        '-R', `^(${unit.join('|')})$`]);

if (api.length) {
    const ends = [];
    const run = { after: (fn) => ends.push(fn) };
    const cluster = await startPostgres(run, { shared_buffers: '256MB' });
    // Ctrl-C reaches the runner as well; we only have to outlive it to end the cluster.
    process.on('SIGINT', () => {});
    failed |= await start(process.execPath,
        ['--test', '--test-concurrency=3', '--test-timeout=180000', ...api], { VV_PG_URL: cluster.url() });
    for (const end of ends) await end();
}
process.exit(failed ? 1 : 0);
