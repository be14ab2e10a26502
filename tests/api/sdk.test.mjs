// The SDK, seen from outside: the hello example, and a tiny plugin for each area, driven over HTTP.
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, assert, before, describe, freshDatabase, startServer, tempDir, test, until, vvctl } from '../lib/harness.mjs';

const PLUGINS = ['hello', 'fields', 'knobs', 'events', 'listener', 'store', 'batches', 'tasks', 'orders', 'pulse', 'tally',
    'giver', 'taker', 'waits', 'badge'];
const TABLES = [
    `create table things (id bigint generated always as identity primary key, name text unique, price bigint check (price >= 0),
     tags jsonb default '["a"]', made timestamptz default '2026-11-22T18:30:00Z', raw bytea default '\\x00ff')`,
    'create table visits (id bigint generated always as identity, who text unique, share bigint)',
    'create table noted (word text, attempt bigint)',
];

/** A server with these plugins, on a database that has the tables of the test plugins. */
async function start(t, { plugins = PLUGINS, config = {}, ...rest } = {}) {
    const db = await freshDatabase(t);
    for (const table of TABLES) await db.query(table);
    const pulse = path.join(tempDir(t), 'pulse');
    writeFileSync(pulse, '');
    const server = await startServer(t, { plugins, database: db, ...rest, config: {
        metrics: { token: 'a-token-for-metrics' },
        ...(plugins.includes('knobs') && { knobs: { secret: 'hush' } }),
        ...(plugins.includes('pulse') && { pulse: { file: pulse } }), ...config } });
    return Object.assign(server, { pulse });
}

describe('on one server', () => {
    let s;
    const ends = [];
    before(async () => { s = await start({ after: (fn) => ends.push(fn) }); });
    after(async () => { for (const end of ends) await end(); });

    test('hello', async () => {
        assert.deepEqual((await s.get('/hello')).json, { message: 'Hello, world!' });
        assert.deepEqual((await s.get('/hello?name=%20Ada%20')).json, { message: 'Hello, Ada!' });
        assert.equal((await s.get(`/hello?name=${'x'.repeat(51)}`)).status, 422);
    });

    test('fields: handlers see path, query and body as the tables type them', async () => {
        const body = { text: ' aé ', number: -5, real: 0.5, flag: true, email: ' a@b.test ', mood: 'bad',
            when: '2026-11-22T18:30:00Z', item: { name: ' x ' }, items: [{ name: 'y', count: 2 }] };
        const { status, json } = await s.post('/fields/7?q=word', body);
        assert.equal(status, 201);
        assert.deepEqual(json.args, { id: 7, q: 'word' });
        assert.equal(json.method, 'POST');
        assert.equal(json.path, '/fields/7');
        assert.deepEqual({ ...json.body, when: undefined }, { ...body, email: 'a@b.test', item: { name: 'x', count: 1 },
            when: undefined });
        const least = (await s.post('/fields/8', { text: 'ab', email: null })).json;
        assert.deepEqual(least.args, { id: 8, q: 'nothing' });
        assert.equal(least.body.mood, 'good');
        assert.ok(!('email' in least.body) || least.body.email === null);
    });

    test('fields: every bad one is named in one answer', async () => {
        const { status, json } = await s.post('/fields/1', { text: 'a', number: 6, real: 2, flag: 'yes', email: 'nobody',
            mood: 'so so', when: 'now', item: { name: '', more: 1 }, items: [{}], other: 1 });
        assert.equal(status, 422);
        const named = json.errors.map((e) => e.field).sort();
        for (const field of ['email', 'flag', 'mood', 'number', 'other', 'real', 'text', 'when'])
            assert.ok(named.includes(field), `${field} in ${named}`);
        assert.ok(named.some((name) => name.startsWith('item') && !name.startsWith('items')), `${named}`);
        assert.ok(named.some((name) => name.startsWith('items')), `${named}`);
        assert.equal((await s.post('/fields/0', { text: 'ab' })).status, 422);
        assert.equal((await s.post('/fields/x', { text: 'ab' })).status, 422);
    });

    test('fields: bytes, optional bodies, failures, limits', async () => {
        const raw = await s.request('PUT', '/fields/raw', { body: 'any\u0001thing', headers: { 'x-shown': 'seen',
            'content-type': 'text/weird' } });
        assert.deepEqual([raw.status, raw.text, raw.headers.get('x-seen')], [200, 'any\u0001thing', 'seen']);
        assert.equal((await s.post('/fields/optional')).json.message, 'none');
        assert.equal((await s.post('/fields/optional', { mood: 'bad' })).json.message, 'bad');
        const taken = await s.get('/fields/refuse?q=tin');
        assert.deepEqual([taken.status, taken.json.code, taken.json.detail], [409, 'taken', "The word 'tin' is taken"]);
        const fields = await s.get('/fields/refuse');
        assert.equal(fields.status, 422);
        assert.deepEqual(fields.json.errors, [{ field: 'one', detail: 'is bad' }, { field: 'two', detail: 'is worse' }]);
        const statuses = [];
        for (let i = 0; i < 4; i++) statuses.push((await s.get('/fields/limited')).status);
        assert.deepEqual(statuses, [200, 200, 200, 429]);
    });

    test('options: each type in the plugin\'s struct', async () => {
        assert.deepEqual((await s.get('/knobs')).json, { text: 'a text', nothing: null, secret_length: 4, path: '/',
            url: 'https://example.com', number: 7, size: 65536, duration: 900000, choice: 1, rate_count: 600,
            rate_period: 60000, flag: true, list: ['a', 'b'], workers: '1', unknown: null });
    });

    test('hooks: by priority, then by start; they may wait, settle and refuse', async () => {
        assert.deepEqual((await s.get('/events?name=Ada')).json,
            { asked: ['events first', 'listener', 'events last'], verdict: 'next' });
        assert.deepEqual((await s.get('/events?name=enough')).json, { asked: ['events first', 'listener'], verdict: 'done' });
        const refused = await s.get('/events?name=nobody');
        assert.deepEqual([refused.status, refused.json.code], [403, 'not_greeted']);
        const line = await s.waitLog((l) => l.message === 'heard of Ada');
        assert.equal(line.plugin, 'listener');
    });

    test('the database: rows in their types, transactions whole or not at all', async () => {
        assert.deepEqual((await s.post('/store', { name: 'tea', price: 10 })).json, { id: 1, name: 'tea', price: 10 });
        assert.equal((await s.post('/store', { name: 'cup' })).status, 201);
        const taken = await s.post('/store', { name: 'tea' });
        assert.deepEqual([taken.status, taken.json.detail], [409, 'There is a tea already']);
        const [tea] = (await s.get('/store')).json.things;
        assert.deepEqual({ ...tea, made: Date.parse(tea.made) }, { id: 1, name: 'tea', price: 10, tags: ['a'],
            made: Date.UTC(2026, 10, 22, 18, 30), raw: 'AP8' });
        const prices = async () => (await s.get('/store')).json.things.map((thing) => thing.price);
        assert.equal((await s.post('/store/move', { name: 'now', price: 4 })).status, 200);
        assert.deepEqual(await prices(), [6, 4]);
        assert.equal((await s.post('/store/move', { name: 'fail', price: 4 })).status, 418);
        assert.equal((await s.post('/store/move', { name: 'sleep', price: 4 })).status, 500);
        await s.waitLog(/plugin 'store' tried to sleep while holding a transaction/);
        assert.equal((await s.post('/store/move', { name: 'much', price: 400 })).status, 500);
        assert.deepEqual(await prices(), [6, 4]);
        assert.equal((await s.get('/store/wrong')).json.detail, 'SQLSTATE 22012');
        assert.equal((await s.get('/store/slow')).json.message, '2 things');
    });

    test('batches: each request gets its own row, and a bad one fails alone', async () => {
        const words = Array.from({ length: 40 }, (_, i) => 'w'.repeat(i + 1));
        const lengths = await Promise.all(words.map(async (word) => (await s.get(`/batches/${word}`)).json.length));
        assert.deepEqual(lengths, words.map((word) => word.length));
        const replies = await Promise.all(words.map((word, i) => s.post(`/batches/${word}?share=${i % 10}`)));
        for (const [i, { status, json }] of replies.entries()) {
            if (i % 10 === 0) assert.equal(status, 500, `${i}: division by zero`);
            else assert.deepEqual([status, json.share], [200, Math.floor(100 / (i % 10))]);
        }
        assert.equal((await s.db.query('select count(*)::int as n from visits'))[0].n, 36);
    });

    test('jobs and schedules: run, tried again, given up, never without their transaction', async () => {
        const noted = async (word) => s.db.query('select attempt::int from noted where word = $1', [word]);
        await s.post('/tasks', { word: 'once' });
        await s.post('/tasks', { word: 'third', failures: 2 });
        await s.post('/tasks', { word: 'never', failures: 3 });
        assert.equal((await s.post('/tasks', { word: 'gone', abandon: true })).status, 418);
        await until(async () => (await noted('once')).length === 1);
        await until(async () => (await noted('third')).length === 1);
        assert.deepEqual(await noted('third'), [{ attempt: 3 }]);
        await s.waitLog(/Attempt 3 of 3/);
        assert.deepEqual([await noted('never'), await noted('gone')], [[], []]);
        await until(async () => (await noted('tick')).length >= 1);
    });

    test('commands: vvctl runs them, with the database', async () => {
        const repeat = await vvctl(s, ['orders', 'repeat', 'one', '--two']);
        assert.deepEqual([repeat.code, repeat.stdout], [0, '0: one\n1: --two\n'], repeat.stderr);
        const none = await vvctl(s, ['orders', 'repeat']);
        assert.equal(none.code, 1);
        assert.match(none.stderr, /Say which words to repeat/);
        assert.match((await vvctl(s, ['orders', 'database'])).stdout, /^PostgreSQL \d+\n$/);
    });

    test('checks: /health has the quick ones, the doctor all', async () => {
        const well = await s.get('/health');
        assert.equal(well.status, 200);
        assert.deepEqual(well.json.checks.pulse, { status: 'healthy', detail: 'beating' });
        assert.ok(!('teeth' in well.json.checks));
        const doctor = await vvctl(s, ['doctor']);
        assert.match(doctor.stdout, /ok .*pulse/);
        assert.match(doctor.stdout, /ok .*teeth/);
        rmSync(s.pulse);
        const ill = await s.get('/health');
        assert.equal(ill.status, 503);
        assert.equal(ill.json.checks.pulse.detail, 'There is no pulse; create the file again');
        assert.match((await vvctl(s, ['doctor'])).stdout, /FAIL .*pulse/);
        writeFileSync(s.pulse, '');
        assert.equal((await s.get('/health')).status, 200);
    });

    test('metrics: counters and gauges of a plugin', async () => {
        for (const what of ['good', 'good', 'bad']) await s.get(`/tally/${what}`);
        const { text } = await s.get('/metrics', { token: 'a-token-for-metrics' });
        assert.match(text, /^tally_calls_total\{result="good"\} 2$/m);
        assert.match(text, /^tally_calls_total\{result="bad"\} 1$/m);
        assert.match(text, /^tally_level 3$/m);
        assert.equal(text.match(/^# TYPE tally_calls_total counter$/mg).length, 1);
    });

    test('services: what is published can be used, what is not declared cannot', async () => {
        assert.deepEqual((await s.get('/taker')).json, { number: 1, undeclared: false });
        assert.deepEqual((await s.get('/taker')).json, { number: 2, undeclared: false });
        await s.waitLog((l) => l.plugin === 'taker' && /vv_service\("other\/1"\): name it in \.depends/.test(l.message));
        await s.waitLog((l) => l.plugin === 'giver' && /vv_publish\("secrets\/1"\): name it in \.provides/.test(l.message));
    });

    test('waiting: threads, sleeps, deadlines, start functions, deferred calls', async () => {
        assert.deepEqual((await s.get('/waits/offload')).json, { hash_on_the_loop: false, block_on_the_loop: false });
        const first = (await s.get('/waits/nap/1')).json;
        const began = Date.now();
        assert.equal((await s.get('/waits/nap/60000')).status, 503);
        assert.ok(Date.now() - began < 5000, 'the deadline of 300 ms ended it');
        const last = (await s.get('/waits/nap/1')).json;
        assert.equal(last.deferred - first.deferred, 22, 'two requests ended in between, each with two deferred calls');
        assert.ok(last.ticks > first.ticks, 'the start function goes on');
    });

    test('identifying: routes know who calls', async () => {
        assert.deepEqual((await s.get('/badge/user', { token: 'user-7' })).json, { who: 1, user: 7, session: 77, key: 0,
            name: null });
        assert.deepEqual((await s.get('/badge/key', { key: 'key-9' })).json, { who: 2, user: 9, session: 0, key: 9, name: null });
        assert.deepEqual((await s.get('/badge/service', { token: 'back-end' })).json.name, 'back-end');
        assert.equal((await s.get('/badge/user')).status, 401);
        assert.equal((await s.get('/badge/user', { token: 'nonsense' })).json.code, 'bad_badge');
        assert.equal((await s.get('/badge/key', { token: 'user-7' })).status, 401);
    });
});

test('an optional service may be missing, and routes that need a caller are closed when nobody identifies', async (t) => {
    const s = await start(t, { plugins: ['taker', 'fields'] });
    assert.deepEqual((await s.get('/taker')).json, { number: null, undeclared: false });
    assert.equal((await s.get('/badge/user')).status, 404);
});

test('a plugin\'s options are checked and shown like the core\'s', async (t) => {
    const s = await start(t, { plugins: ['knobs'], config: { knobs: { secret: 'hush', number: 3, list: 'x,, y', rate: 'off',
        choice: 'three', text: '', flag: 'no' } } });
    const { json } = await s.get('/knobs');
    assert.deepEqual([json.number, json.list, json.rate_count, json.choice, json.text, json.flag],
        [3, ['x', 'y'], 0, 2, null, false]);
    await s.waitLog(/\[knobs\] 'flag' is deprecated: A flag; use something else/);
});

test('stop is called when the server ends, and a start function is told', async (t) => {
    const s = await start(t, { plugins: ['waits'] });
    await s.stop();
    assert.ok(s.log.some((line) => line.message === 'stopped after some ticks'), s.logText);
    assert.ok(!s.log.some((line) => line.level === 'error'), s.logText);
});
