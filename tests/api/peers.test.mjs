// The stand-ins the other tests rely on do what they claim, seen by a client that is not ours: curl.
import assert from 'node:assert/strict';
import test from 'node:test';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run, tempDir } from '../lib/process.mjs';
import { freshDatabase, startPostgres } from '../lib/postgres.mjs';
import { startFaultyMail, startMail } from '../peers/mail/index.mjs';

const MESSAGE = 'From: <a@vv.test>\r\nTo: <b@vv.test>\r\nSubject: hello\r\nMessage-ID: <1@vv.test>\r\n\r\n'
    + 'See http://127.0.0.1/verify-email?token=abc123\r\n';

async function send(t, mail, url, to, { auth = true, tls = true } = {}) {
    const file = path.join(tempDir(t), 'message');
    writeFileSync(file, MESSAGE);
    const args = ['-sS', '--url', url, '--mail-from', 'a@vv.test', '--mail-rcpt', to, '--upload-file', file,
        '--cacert', mail.caFile, '--max-time', '10'];
    if (tls) args.push('--ssl-reqd');
    if (auth) args.push('--user', `${mail.user}:${mail.password}`);
    return run('curl', args);
}

test('mail arrives over STARTTLS and over implicit TLS', async (t) => {
    const mail = await startMail(t);
    assert.equal((await send(t, mail, mail.smtpUrl, 'b@vv.test')).code, 0);
    const first = await mail.waitFor('b@vv.test');
    assert.equal(first.subject, 'hello');
    assert.equal(first.token, 'abc123');
    assert.equal((await send(t, mail, mail.smtpsUrl, 'c@vv.test')).code, 0);
    await mail.waitFor('c@vv.test');
    assert.equal((await mail.messages()).length, 2);
    const receivers = ['1@vv.test', '2@vv.test', '3@vv.test', '4@vv.test', '5@vv.test'];
    for (const to of receivers) {
        assert.equal((await send(t, mail, mail.smtpUrl, to)).code, 0);
        await mail.waitFor(to);
    }
    assert.deepEqual((await mail.messages()).map((m) => m.to).slice(2), receivers, 'oldest first');
});

test('the mail server refuses what it should', async (t) => {
    const mail = await startMail(t);
    const refused = async (url, to, how) => (await send(t, mail, url, to, how)).stderr;
    assert.match(await refused(mail.smtpUrl, 'x@bounce.test'), /550/);
    assert.match(await refused(mail.smtpUrl, 'x@defer.test'), /451/);
    assert.match(await refused(mail.smtpUrl, 'x@vv.test', { auth: false }), /550/);
    assert.notEqual(await refused(mail.smtpUrl, 'x@vv.test', { tls: false }), '');
    assert.deepEqual(await mail.messages(), []);
    mail.refuse({ defer: [] });
    assert.equal((await send(t, mail, mail.smtpUrl, 'x@defer.test')).code, 0);
    await mail.stop();
    assert.match(await refused(mail.smtpUrl, 'x@vv.test'), /connect/i);
    await mail.start();
    assert.equal((await send(t, mail, mail.smtpUrl, 'x@vv.test')).code, 0);
});

test('the faulty mail server is a good one until it is told otherwise', async (t) => {
    const plain = await startFaultyMail(t);
    assert.equal((await send(t, plain, plain.smtpUrl, 'b@vv.test')).code, 0);
    assert.match((await plain.messages())[0].raw, /token=abc123/);
    const implicit = await startFaultyMail(t, { implicit: true });
    assert.equal((await send(t, implicit, implicit.smtpUrl, 'b@vv.test')).code, 0);
});

test('the faulty mail server does wrong what it is told', async (t) => {
    const dropping = await startFaultyMail(t, { drop: 'body' });
    assert.notEqual((await send(t, dropping, dropping.smtpUrl, 'b@vv.test')).code, 0);
    assert.deepEqual(await dropping.messages(), []);

    const naked = await startFaultyMail(t, { starttls: false });
    assert.equal((await send(t, naked, naked.smtpUrl, 'b@vv.test')).code, 64);

    const replying = await startFaultyMail(t, { reply: { rcpt: '550 5.1.1 nobody' } });
    assert.match((await send(t, replying, replying.smtpUrl, 'b@vv.test')).stderr, /550/);

    const hanging = await startFaultyMail(t, { hang: 'body' });
    const sending = send(t, hanging, hanging.smtpUrl, 'b@vv.test');
    await hanging.waitStage('body');
    assert.deepEqual(await hanging.messages(), []);
    hanging.release();
    assert.equal((await sending).code, 0);
    assert.equal((await hanging.messages()).length, 1);
});

test('a PostgreSQL that was killed comes back with what it had committed', async (t) => {
    const cluster = await startPostgres(t);
    const db = await freshDatabase(t, cluster);
    await db.query('create table t (a int)');
    await db.query('insert into t values (7)');
    await cluster.stop('kill');
    await assert.rejects(db.query('select a from t'));
    await cluster.start();
    assert.deepEqual(await db.query('select a from t'), [{ a: 7 }]);
});
