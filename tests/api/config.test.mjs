// The configuration as an operator meets it: where values come from, what mistakes look like, what the server tells of itself.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, BUILD, ROOT, run, tempDir, test } from '../lib/harness.mjs';
import { linkPlugins } from '../lib/config.mjs';

const VVSERVERD = path.join(BUILD, 'bin/vvserverd');

/** A folder with vvserver.ini (and what else is given, by relative path) → run(args, env). */
function place(t, files) {
    const dir = tempDir(t, 'vv-cfg-');
    const plugins = linkPlugins(path.join(dir, 'plugins'), ['hello']);
    for (const [name, text] of Object.entries(typeof files === 'string' ? { 'vvserver.ini': files } : files)) {
        mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
        writeFileSync(path.join(dir, name), text.replaceAll('DIR', dir));
    }
    const start = async (args = ['--check'], env = {}) => {
        const result = await run(VVSERVERD, ['-c', path.join(dir, 'vvserver.ini'), '--set', `server.plugin_dir=${plugins}`,
            '--set', `database.migrations_dir=${path.join(ROOT, 'sql')}`, ...args], { env: { ...process.env, ...env } });
        return { ...result, mistakes: result.stderr.split('\n').filter((l) => l && !/ warning /.test(l)),
            warnings: result.stderr.split('\n').filter((l) => / warning /.test(l)).map((l) => l.replace(/^.*?\]: /, '')) };
    };
    return Object.assign(start, { dir });
}

/** The value of section.key in what --dump-config printed. */
function dumped(text, section, key) {
    const body = text.split(`[${section}]\n`)[1]?.split('\n[')[0] ?? '';
    return body.match(new RegExp(`^${key} = ?((?:.*)(?:\\n    .*)*)`, 'm'))?.[1].replaceAll('\n    ', ' ');
}

test('the smallest configuration is valid', async (t) => {
    const vv = place(t, '');
    const { code, stdout, stderr } = await vv();
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'configuration is valid\n', stderr: '' });
});

test('all mistakes come at once, each with its file and line', async (t) => {
    const vv = place(t, {
        'vvserver.ini': ['[server]', 'listen = 127.0.0.1', 'worker = 2', 'log_format = xml', 'max_body = 2T', '[hello]',
            'enabled = perhaps', '[nothere]', 'enabled = true', '[database]', 'pool_size = 1', 'migrate = maybe', 'url =',
            '[http]', 'ca_file = DIR/none.pem', '[limits]', 'auth = 30', 'contakt = 1/m', ''].join('\n'),
        'conf.d/20-more.ini': '[server]\nworkers = many\n',
    });
    const { code, stdout, mistakes } = await vv(['--check', '--set', 'server.drain_timeout=5', '--set', 'nonsense'],
        { VV_DATABASE__LOCK_TIMEOUT: '1y', VV_SERVER__JOB_WORKER: '1' });
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.deepEqual(mistakes.map((line) => line.replaceAll(vv.dir, 'DIR')).sort(), [
        '--set nonsense: write --set section.key=value',
        "--set server.drain_timeout: [server] 'drain_timeout' must be a duration such as 500ms, 30s, 15m, 12h or 30d, "
            + "from 0ms to 10m, not '5'",
        "[database] 'url' is required (The database, as libpq takes it; several hosts mean fail-over); add it to "
            + '[database] in vvserver.ini, or name a file with url_file',
        "conf.d/20-more.ini:2: [server] 'workers' must be auto or a number from 0 to 64, not 'many'",
        "environment VV_DATABASE__LOCK_TIMEOUT: [database] 'lock_timeout' must be a duration such as 500ms, 30s, 15m, 12h "
            + "or 30d, from 10ms to 10m, not '1y'",
        "environment VV_SERVER__JOB_WORKER: [server] unknown key 'job_worker'; did you mean 'job_workers'?",
        "vvserver.ini:11: [database] 'pool_size' must be a whole number, from 2 to 1000, not '1'",
        "vvserver.ini:12: [database] 'migrate' must be true or false (or on, off, yes, no), not 'maybe'",
        "vvserver.ini:15: [http] 'ca_file' names 'DIR/none.pem', which cannot be read: No such file or directory",
        "vvserver.ini:17: [limits] 'auth' must be a rate such as 20/s, 600/m or 5/h, or off, not '30'",
        "vvserver.ini:18: [limits] unknown key 'contakt'; did you mean 'contact'?",
        "vvserver.ini:2: [server] 'listen' must be addresses with a port, such as 127.0.0.1:8000 or [::1]:8000, not "
            + "'127.0.0.1'",
        "vvserver.ini:3: [server] unknown key 'worker'; did you mean 'workers'?",
        "vvserver.ini:4: [server] 'log_format' must be json or text, not 'xml'",
        "vvserver.ini:5: [server] 'max_body' must be a size such as 64K or 2M, from 1K to 1G, not '2T'",
        "vvserver.ini:7: [hello] 'enabled' must be true or false (or on, off, yes, no), not 'perhaps'",
        'vvserver.ini:9: [nothere] enabled = true, but there is no nothere.so in DIR/plugins; install that plugin, or take '
            + 'the section out',
    ].sort());
});

test('what the INI reader would cut is refused with a way out', async (t) => {
    const long = 'x'.repeat(190);
    const vv = place(t, `[metrics]\ntoken = ${long}x\n[http]\nca_file = /a ;b\n[server]\nlisten = 127.0.0.1:1\nlisten = [::1]:1\n`);
    assert.deepEqual((await vv()).mistakes, [
        "vvserver.ini:4: [http] 'ca_file' has a ';' after a space, which would cut its value there; put a comment on a line of "
            + 'its own',
        "vvserver.ini:7: [server] 'listen' was already given in vvserver.ini:6; keep one of the two"]);
    const longer = place(t, `[metrics]\ntoken = ${long}xx\n`);
    assert.deepEqual((await longer()).mistakes, [
        "vvserver.ini:2: [metrics] 'token' is a line of 200 characters, and only 199 can be read; put the rest on indented "
        + 'lines below it, or a secret into a file named by token_file']);
});

test('stronger sources win: file, conf.d in order, environment, --set', async (t) => {
    const vv = place(t, {
        'vvserver.ini': '[server]\nmax_body = 1K\nworkers = 1\npublic_url = https://a.test/\n[hello]\ngreeting = one\nenabled = on\n',
        'conf.d/20.ini': '[server]\nmax_body = 3K\n', 'conf.d/10.ini': '[server]\nmax_body = 2K\nworkers = 2\n',
        'conf.d/ignored.txt': 'nonsense',
    });
    const files = (await vv(['--dump-config'])).stdout;
    assert.equal(dumped(files, 'server', 'max_body'), '3K');
    assert.equal(dumped(files, 'server', 'workers'), '2');
    assert.equal(dumped(files, 'server', 'public_url'), 'https://a.test');
    assert.equal(dumped(files, 'hello', 'greeting'), 'one');
    const env = { VV_SERVER__MAX_BODY: '4K', VV_HELLO__GREETING: 'two' };
    assert.equal(dumped((await vv(['--dump-config'], env)).stdout, 'hello', 'greeting'), 'two');
    const all = (await vv(['--dump-config', '--set', 'server.max_body=5K', '--set', 'server.max_body=6K'], env)).stdout;
    assert.equal(dumped(all, 'server', 'max_body'), '6K');
});

test('lists and long texts go on over indented lines', async (t) => {
    const vv = place(t, '[server]\nlisten = 127.0.0.1:8000,\n  [::1]:8000\n\n  # remark\n\t127.0.0.1:8001\n'
        + '[hello]\nenabled = yes\ngreeting = Good\n    morning\n');
    const { stdout, stderr } = await vv(['--dump-config']);
    assert.equal(stderr, '');
    assert.equal(dumped(stdout, 'server', 'listen'), '127.0.0.1:8000, [::1]:8000, 127.0.0.1:8001');
    assert.equal(dumped(stdout, 'hello', 'greeting'), 'Good morning');
});

test('secrets come from files, and are never shown', async (t) => {
    const vv = place(t, { 'vvserver.ini': '[database]\nurl = postgresql://vv:hunter2@db/vv?sslpassword=hunter2\n'
        + '[metrics]\ntoken_file = DIR/token\n', token: 'hunter2hunter2hunter2\n' });
    const { code, stdout, stderr } = await vv(['--dump-config']);
    assert.equal(code, 0, stderr);
    assert.equal(dumped(stdout, 'metrics', 'token'), '********');
    assert.equal(dumped(stdout, 'database', 'url'), 'postgresql://vv:********@db/vv?sslpassword=********');
    assert.doesNotMatch(stdout + stderr, /hunter2/);

    writeFileSync(path.join(vv.dir, 'vvserver.ini'), `[metrics]\ntoken = hunter2\ntoken_file = ${vv.dir}/none\n`);
    assert.deepEqual((await vv()).mistakes, [
        "vvserver.ini:3: [metrics] 'token_file' and 'token' (vvserver.ini:2) are both given; keep one"]);
    const short = (await vv(['--check', '--set', 'metrics.token_file='])).mistakes;
    assert.deepEqual(short, ["vvserver.ini:2: [metrics] 'token' must have 16 characters or more"]);
    writeFileSync(path.join(vv.dir, 'vvserver.ini'), `[metrics]\ntoken_file = ${vv.dir}/none\n`);
    assert.deepEqual((await vv()).mistakes, [
        `vvserver.ini:2: [metrics] 'token_file' names '${vv.dir}/none', which cannot be read: No such file or directory`]);
    writeFileSync(path.join(vv.dir, 'none'), '\n');
    assert.match((await vv()).mistakes[0], /'token_file' names '.*', which is empty$/);
});

test('what --dump-config prints is a configuration that means the same', async (t) => {
    const origins = Array.from({ length: 12 }, (_, i) => `https://application-number-${i}.example.com`);
    const vv = place(t, `[server]\ncors_origins =\n${origins.map((o) => `  ${o},\n`).join('')}[hello]\nenabled = true\n`
        + 'greeting = Welcome, dear friend from afar, we have long waited for you to come, and now that\n'
        + '  you are here at last, let us sit down together and tell one another what has happened\n');
    const first = (await vv(['--dump-config'])).stdout;
    const again = place(t, first);
    const check = await again();
    assert.deepEqual([check.code, check.stderr], [0, '']);
    const strip = (text) => text.replaceAll(again.dir, 'DIR').replaceAll(vv.dir, 'DIR');
    assert.equal(strip((await again(['--dump-config'])).stdout), strip(first));
    assert.match(first, /# Largest body of a request\nmax_body = 1M\n/);
});

test('sections that nothing describes are warned about, not refused', async (t) => {
    const vv = place(t, '[tariff:pro]\nprice = 19.99\nname = Pro\n[helo]\ngreeting = Hi\n');
    const { code, warnings } = await vv(['--check'], { VV_TARIFF_PRO__PRICE: '3' });
    assert.equal(code, 0);
    assert.deepEqual(warnings, ['vvserver.ini:2: [tariff:pro] is ignored: no plugin describes it',
        'vvserver.ini:5: [helo] is ignored: no plugin describes it; did you mean [hello]?',
        'environment VV_TARIFF_PRO__PRICE: [tariff_pro] is ignored: no plugin describes it']);
});

test('a file that is not there is a mistake', async () => {
    const { code, stderr } = await run(VVSERVERD, ['-c', '/nowhere/vvserver.ini', '--check']);
    assert.equal(code, 1);
    assert.match(stderr, /^cannot read the configuration '\/nowhere\/vvserver.ini': No such file or directory$/m);
});

test('--show-routes and --show-hooks tell what would run', async (t) => {
    const vv = place(t, '[hello]\nenabled = true\n');
    const routes = (await vv(['--show-routes'])).stdout.split('\n');
    assert.match(routes[0], /^method +path +who +limit +plugin +summary$/);
    assert.ok(routes.some((line) => /^GET +\/hello +anyone +- +hello +Greets$/.test(line)), routes.join('\n'));
    assert.ok(routes.some((line) => /^GET +\/health\/live +anyone +- +core /.test(line)), routes.join('\n'));
    assert.match((await vv(['--show-hooks'])).stdout, /^event +priority +plugin\n$/);
});

test('a server that is to run says in its log, too, why it does not', async (t) => {
    const vv = place(t, '[server]\nworkers = many\n');
    const { code, stderr } = await vv([]);
    assert.equal(code, 1);
    const sentence = "vvserver.ini:2: [server] 'workers' must be auto or a number from 0 to 64, not 'many'";
    const lines = stderr.split('\n');
    assert.equal(lines.filter((line) => line === sentence).length, 1, stderr);
    const logged = lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    assert.equal(logged.filter((line) => line.level === 'error' && line.message === sentence).length, 1, stderr);
});

test('the command line explains itself', async () => {
    const help = await run(VVSERVERD, ['--help']);
    assert.equal(help.code, 0);
    for (const word of ['-c', '--set', '--check', '--dump-config', '--show-hooks', '--show-routes', '--version'])
        assert.ok(help.stdout.includes(word), word);
    assert.doesNotMatch(help.stdout, /--leader/);
    assert.match((await run(VVSERVERD, ['--version'])).stdout, /^vvserverd \d+\.\d+\.\d+ \(SDK \d+\.\d+\)\n$/);
    const wrong = await run(VVSERVERD, ['--chek']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /unrecognized option '--chek'/);
    assert.equal((await run(VVSERVERD, ['serve'])).code, 2);
});

test('the shipped configuration is valid as it is', async (t) => {
    const vv = place(t, '');
    const { code, stderr } = await run(VVSERVERD, ['-c', path.join(ROOT, 'etc/vvserver.ini'), '--check'], { cwd: vv.dir });
    assert.deepEqual([code, stderr], [0, '']);
});
