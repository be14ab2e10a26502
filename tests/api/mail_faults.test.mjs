// Mail against servers that are slow, silent, dishonest or gone: nothing is lost, and nothing waits for its neighbour.
import { assert, cleanup, startFaultyMail, startPostgres, startServer, test, until, vvctl } from '../lib/harness.mjs';
import { freshDatabase } from '../lib/postgres.mjs';

async function start(t, faults, mail = {}, more = {}) {
    const peer = await startFaultyMail(t, faults);
    const server = await startServer(t, { plugins: ['mail', 'mailtest'], mail: peer, config: { mail }, ...more });
    cleanup(t, () => peer.release());
    return { peer, server };
}

async function send(server, to) {
    const reply = await server.post('/mailtest', { to, template: 'mail/test', variables: '{"time": "now"}' });
    assert.equal(reply.status, 200, reply.text);
}

const messages = (server) => server.db.query('select * from mail_messages order by id');
const status = (server, wanted, index = 0, timeout = 10_000) => until(async () => {
    const row = (await messages(server))[index];
    return row?.status === wanted && row;
}, { timeout, what: `message ${index} is ${wanted}` });
const idOf = (raw) => raw.match(/^Message-ID: (<.*>)\r?$/m)[1];

/** Waits until the first message is being retried, mends the server, and expects the message to arrive. */
async function retriedThenDelivered(peer, server, reply, code = null) {
    const row = await status(server, 'retrying');
    assert.match(row.reply, reply);
    if (code) assert.ok(row.reply.startsWith(String(code)), row.reply);
    assert.deepEqual(peer.accepted, []);
    peer.faults = {};
    await until(() => peer.accepted.length === 1, { timeout: 15_000, what: 'the message arrives' });
    await status(server, 'sent');
}

test('a server without STARTTLS gets neither password nor message, unless tls = none', async (t) => {
    const { peer, server } = await start(t, { starttls: false });
    await send(server, 'zoe@vv.test');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /offers no STARTTLS/);
    assert.ok(!peer.stages.includes('auth') && !peer.stages.includes('mail'), `${peer.stages}`);
    server.writeConfig({ mail: { tls: 'none' } });
    await server.reload();
    await until(() => peer.accepted.length === 1, { timeout: 20_000, what: 'the message arrives' });
});

test('a certificate of another name is refused', async (t) => {
    const { peer, server } = await start(t, { certificate: 'DNS:other.test' });
    await send(server, 'zoe@vv.test');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /certificate|SSL/i);
    assert.ok(!peer.stages.includes('auth'), `${peer.stages}`);
});

test('a certificate of an unknown authority is refused', async (t) => {
    const other = await startFaultyMail(t);
    const { peer, server } = await start(t, {}, { ca_file: other.caFile });
    await send(server, 'zoe@vv.test');
    assert.match((await status(server, 'retrying')).reply, /certificate|SSL/i);
    assert.ok(!peer.stages.includes('auth'), `${peer.stages}`);
    const doctor = await vvctl(server, ['doctor']);
    assert.match(doctor.stdout + doctor.stderr, /smtp.*certificate/i);
});

test('with a wrong password mail waits until the operator has mended it', async (t) => {
    const { peer, server } = await start(t, {}, { smtp_password: 'wrong-on-purpose' });
    await send(server, 'zoe@vv.test');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /^535 /);
    const tested = await vvctl(server, ['mail', 'test', 'me@vv.test']);
    assert.equal(tested.code, 1);
    assert.match(tested.stderr, /535 5\.7\.8/);
    server.writeConfig({ mail: { smtp_password: peer.password } });
    await server.reload();
    await until(() => peer.accepted.length === 1, { timeout: 20_000, what: 'the message arrives' });
    assert.ok(!server.logText.includes('wrong-on-purpose') && !server.logText.includes(peer.password));
    const b64 = Buffer.from(`\0${peer.user}\0${peer.password}`).toString('base64');
    const [dump] = await server.db.query('select jsonb_agg(to_jsonb(m))::text as text from mail_messages m');
    assert.ok(!server.logText.includes(b64) && !dump.text.includes(b64) && !dump.text.includes(peer.password));
});

for (const [stage, reply] of Object.entries({ connect: '421 4.3.2 busy', mail: '451 4.3.0 later', rcpt: '450 4.2.1 busy',
    data: '452 4.3.1 full', body: '451 4.3.0 disk' })) {
    test(`4xx at ${stage} is tried again`, async (t) => {
        const { peer, server } = await start(t, { reply: { [stage]: reply } });
        await send(server, 'zoe@vv.test');
        await retriedThenDelivered(peer, server, /4\d\d /);
    });
}

for (const [stage, reply] of Object.entries({ mail: '550 5.7.1 sender', rcpt: '550 5.1.1 unknown', data: '554 5.5.0 no',
    body: '554 5.6.0 spam' })) {
    test(`5xx at ${stage} is final`, async (t) => {
        const { peer, server } = await start(t, { reply: { [stage]: reply } });
        await send(server, 'zoe@vv.test');
        const row = await status(server, 'failed');
        assert.equal(row.reply, reply);
        assert.equal(row.attempts, 1);
        await until(async () => (await server.db.query('select * from jobs')).length === 0);
        assert.deepEqual(peer.accepted, []);
    });
}

test('5xx as a greeting is about the server, not the message', async (t) => {
    const { peer, server } = await start(t, { reply: { connect: '554 5.3.2 not today' } });
    await send(server, 'zoe@vv.test');
    await retriedThenDelivered(peer, server, /554|not today/);
});

for (const stage of ['connect', 'ehlo', 'starttls', 'auth', 'mail', 'rcpt', 'data']) {
    test(`a connection that is dropped at ${stage} is tried again`, async (t) => {
        const { peer, server } = await start(t, { drop: stage });
        await send(server, 'zoe@vv.test');
        await retriedThenDelivered(peer, server, /./);
    });
}

test('when the answer to the message is lost, it comes again with the same Message-ID', async (t) => {
    const { peer, server } = await start(t, { drop: 'body' });
    await send(server, 'zoe@vv.test');
    const row = await status(server, 'retrying');
    peer.faults = {};
    await until(() => peer.accepted.length === 1, { timeout: 15_000, what: 'the message arrives' });
    assert.equal(idOf(peer.accepted[0].raw), row.message_id);
});

test('a slow server delays its own message only', async (t) => {
    const { peer, server } = await start(t, { when: (s) => s.number === 1, delay: { mail: 3000, quit: 3000 } });
    await send(server, 'slow@vv.test');
    await peer.waitStage('mail');
    const began = Date.now();
    await send(server, 'quick@vv.test');
    await until(() => peer.accepted.some((m) => m.to[0] === 'quick@vv.test'));
    assert.ok(Date.now() - began < 2000, `it took ${Date.now() - began} ms`);
    assert.equal((await server.get('/health/live')).status, 200);
    await status(server, 'sent', 0);
});

test('a server that says nothing is left alone after the timeout', async (t) => {
    const { peer, server } = await start(t, { hang: 'rcpt' }, { timeout: '1s' });
    await send(server, 'zoe@vv.test');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /did not answer in time/);
    peer.faults = {};
    await until(() => peer.accepted.length === 1, { timeout: 15_000, what: 'the message arrives' });
});

for (const [how, faults] of Object.entries({
    'are deferred': { reply: { rcpt: '451 4.3.0 later' } }, 'are refused': { reply: { rcpt: '550 5.1.1 no' } },
    hang: { hang: 'rcpt' }, 'lose the connection': { drop: 'rcpt' },
})) {
    test(`poison_mail: eight messages at the head that ${how} do not delay the ninth`, async (t) => {
        const { peer, server } = await start(t, { ...faults, when: (s) => s.to.some((a) => a.startsWith('poison')) });
        for (let i = 0; i < 8; i++) await send(server, `poison${i}@vv.test`);
        await peer.waitStage('rcpt', 8);
        const began = Date.now();
        await send(server, 'ninth@vv.test');
        await until(() => peer.accepted.some((m) => m.to[0] === 'ninth@vv.test'));
        assert.ok(Date.now() - began < 2000, `it took ${Date.now() - began} ms`);
    });
}

test('mail_kill: with the job worker killed during DATA a message comes at most twice, and never not', async (t) => {
    const { peer, server } = await start(t, { hang: 'body' });
    await send(server, 'zoe@vv.test');
    await peer.waitStage('body');
    server.kill(server.processes('jobs')[0].pid);
    peer.faults = {};
    peer.release();
    await status(server, 'sent', 0, 20_000);
    const row = (await messages(server))[0];
    assert.ok(peer.accepted.length >= 1 && peer.accepted.length <= 2, `${peer.accepted.length} copies`);
    for (const { raw } of peer.accepted) assert.equal(idOf(raw), row.message_id);
    assert.equal(row.attempts, 2);
});

test('with the whole server killed while mail is queued, it arrives after the next start', async (t) => {
    const { peer, server } = await start(t, { reply: { rcpt: '451 4.3.0 later' } });
    for (let i = 0; i < 5; i++) await send(server, `m${i}@vv.test`);
    await peer.waitStage('rcpt', 3);
    await server.crash();
    peer.faults = {};
    await server.start();
    await until(() => new Set(peer.accepted.map((m) => m.to[0])).size === 5, { timeout: 30_000, what: 'all five arrive' });
});

test('a message that was taken while PostgreSQL is away is not sent a second time', async (t) => {
    const postgres = await startPostgres(t);
    const database = await freshDatabase(t, postgres);
    const { peer, server } = await start(t, { hang: 'body' }, {}, { database });
    await send(server, 'zoe@vv.test');
    await peer.waitStage('body');
    await postgres.stop('kill');
    peer.faults = {};
    peer.release();
    await until(() => peer.accepted.length === 1);
    await postgres.start();
    await status(server, 'sent', 0, 20_000);
    await until(async () => (await server.db.query('select * from jobs')).length === 0, { timeout: 40_000 });
    assert.equal(peer.accepted.length, 1);
    assert.equal((await messages(server))[0].attempts, 1);
});
