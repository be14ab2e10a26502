// Mail as its receiver and its operator see it, with a real mail server.
import { assert, startServer, tempDir, test, until, vvctl } from '../lib/harness.mjs';
import { cpSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/process.mjs';
import { check } from '../lib/server.mjs';

const start = (t, mail = {}, more = {}) => startServer(t, { plugins: ['mail', 'mailtest'], config: { mail }, ...more });

async function send(server, to, more = {}) {
    const { variables = { first_name: 'Zoë', link: 'https://app.vv.test/verify-email?token=abc', expires: '24 hours' },
        ...rest } = more;
    const reply = await server.post('/mailtest',
        { to, template: 'auth/verify-email', variables: JSON.stringify(variables), ...rest });
    return reply;
}

const messages = (server) => server.db.query('select * from mail_messages order by id');
const status = (server, wanted, index = 0) => until(async () => {
    const row = (await messages(server))[index];
    return row?.status === wanted && row;
}, { what: `message ${index} is ${wanted}` });

test('a message arrives, over STARTTLS and AUTH, at once, as text and HTML', async (t) => {
    const server = await start(t, { product_name: 'Verse & Co', reply_to: 'Help <help@vv.test>' });
    assert.equal((await send(server, 'warm@vv.test')).status, 200);
    await server.mail.waitFor('warm@vv.test');
    const began = Date.now();
    assert.equal((await send(server, 'zoe@vv.test', { to_name: 'Zoë Lindqvist' })).status, 200);
    const mail = await server.mail.waitFor('zoe@vv.test');
    assert.ok(Date.now() - began < 2000, `it took ${Date.now() - began} ms`);

    assert.deepEqual([mail.from.name, mail.from.address], ['vvserver', 'noreply@vv.test']);
    assert.equal(mail.header('to'), '=?UTF-8?B?Wm/DqyBMaW5kcXZpc3Q=?= <zoe@vv.test>');
    assert.match(mail.header('reply-to'), /help@vv\.test/);
    assert.equal(mail.subject, 'Verify your email address for Verse & Co');
    assert.match(mail.text, /Hello Zoë,/);
    assert.match(mail.text, /expires in 24 hours/);
    assert.match(mail.html, /Verse &amp; Co/);
    assert.match(mail.html, /href="https:\/\/app\.vv\.test\/verify-email\?token=abc"/);
    assert.equal(mail.token, 'abc');
    assert.equal(mail.header('auto-submitted'), 'auto-generated');
    assert.ok(Math.abs(new Date(mail.header('date')) - Date.now()) < 60_000);
    assert.match(mail.raw, /^Content-Type: multipart\/alternative;/m);
    assert.match(mail.raw, /with esmtpsa/, 'encrypted and authenticated');

    const row = await status(server, 'sent', 1);
    assert.equal(row.message_id, mail.messageId);
    assert.match(row.reply, /^250 OK/);
    assert.equal(row.variables, null, 'the token is forgotten');
    assert.equal(row.attempts, 1);
    await until(async () => (await server.db.query('select * from jobs')).length === 0);
});

test('implicit TLS works as well', async (t) => {
    const server = await startServer(t, { plugins: ['mail', 'mailtest'], start: false });
    server.writeConfig({ mail: { smtp_url: server.mail.smtpsUrl } });
    await server.start();
    await send(server, 'zoe@vv.test');
    await server.mail.waitFor('zoe@vv.test');
});

test('a message whose transaction is rolled back is never sent', async (t) => {
    const server = await start(t);
    await send(server, 'never@vv.test', { roll_back: true });
    await send(server, 'later@vv.test');
    await server.mail.waitFor('later@vv.test');
    assert.equal((await server.mail.messages()).length, 1);
    assert.equal((await messages(server)).length, 1);
});

test('a message with a unique name is sent once', async (t) => {
    const server = await start(t);
    for (let i = 0; i < 3; i++) assert.equal((await send(server, 'zoe@vv.test', { unique: 'welcome:1' })).status, 200);
    await status(server, 'sent');
    assert.equal((await messages(server)).length, 1);
});

test('names in any script arrive as they were written', async (t) => {
    const server = await start(t);
    const names = ['Łukasz Żółć', '名前 太郎', 'עברית', '😀 Smile', 'O\'Neil, "Bob" <x@y>', 'é'.repeat(200), '=?UTF-8?Q?x?='];
    for (const [i, name] of names.entries())
        await send(server, `n${i}@vv.test`, { to_name: name, variables: { first_name: name, link: 'https://x', expires: '1 h' } });
    for (const [i, name] of names.entries()) {
        const mail = await server.mail.waitFor(`n${i}@vv.test`);
        assert.match(mail.raw, /^To: [\x20-\x7e\r\n]+?<n/m, 'ASCII on the wire');
        assert.ok(mail.text.includes(`Hello ${name},`), mail.text);
        const { default: PostalMime } = await import('postal-mime');
        assert.equal((await PostalMime.parse(mail.raw)).to[0].name, name);
        assert.ok(mail.raw.split('\n').every((line) => line.replace('\r', '').length <= 998));
    }
});

test('nothing breaks out of a header, a command or the HTML', async (t) => {
    const server = await start(t, { support_address: 'help@vv.test' });
    for (const to of ['a@vv.test\r\nRCPT TO:<b@vv.test>', 'a@vv.test\nBcc: b@vv.test', '<a@vv.test>', 'a@vv.test, b@vv.test',
        'a b@vv.test', 'a', '"a\r\n"@vv.test', 'ä@vv.test'])
        assert.equal((await send(server, to)).status, 500, to);
    assert.equal((await send(server, 'a@vv.test', { to_name: 'A\r\nBcc: b@vv.test' })).status, 500);
    assert.deepEqual(await messages(server), []);
    await server.waitLog(/address or a name that cannot stand in a message/);

    const evil = '<script>alert(1)</script>\r\nBcc: b@vv.test\r\n.\r\nMAIL FROM:<x@vv.test>\r\n';
    await send(server, 'safe@vv.test', { variables: { first_name: evil, link: 'https://x/"><b>', expires: '1 h' } });
    const mail = await server.mail.waitFor('safe@vv.test');
    assert.ok(mail.text.includes('<script>alert(1)</script>'));
    assert.ok(!mail.html.includes('<script>') && mail.html.includes('&lt;script&gt;'));
    assert.ok(!mail.html.includes('"><b>'));
    assert.equal(mail.header('bcc'), undefined);

    const refused = await server.post('/public/contact', { name: 'A\r\nBcc: b@vv.test', email: 'a@vv.test', message: 'x' });
    assert.equal(refused.status, 422);
    const line = await server.post('/public/contact', { name: 'A', email: 'a@vv.test\r\nBcc: b@vv.test', message: 'x' });
    assert.equal(line.status, 422);
    assert.equal((await server.mail.messages()).length, 1);
});

test('a template that does not exist, or lacks a variable, is refused where the mistake is', async (t) => {
    const server = await start(t);
    assert.equal((await send(server, 'a@vv.test', { template: 'auth/nothing' })).status, 500);
    await server.waitLog(/there is no template 'auth\/nothing'/);
    assert.equal((await send(server, 'a@vv.test', { variables: { first_name: 'Zoë' } })).status, 500);
    await server.waitLog(/needs the variable 'expires'|needs the variable 'link'/);
});

test('when a user goes, so do the messages, sent and queued', async (t) => {
    const server = await start(t);
    await send(server, 'gone@vv.test', { user_id: 7 });
    await status(server, 'sent');
    server.mail.refuse({ defer: ['later.test'] });
    await send(server, 'gone@later.test', { user_id: 7 });
    await send(server, 'stays@vv.test', { user_id: 8 });
    await status(server, 'retrying', 1);
    assert.equal((await server.delete('/mailtest/7')).status, 200);
    const [dump] = await server.db.query("select (select jsonb_agg(to_jsonb(m)) from mail_messages m)::text"
        + " || coalesce((select jsonb_agg(to_jsonb(j)) from jobs j)::text, '') as text");
    assert.ok(!dump.text.includes('gone@'), dump.text);
    assert.ok(dump.text.includes('stays@'));
    server.mail.refuse({ defer: [] });
    await until(async () => (await server.db.query('select * from jobs')).length === 0, { timeout: 15_000 });
    assert.ok(!(await server.mail.messages()).some((m) => m.to === 'gone@later.test'));
});

test('the contact form reaches the support address, and answers go to its sender', async (t) => {
    const server = await start(t, { support_address: 'help@vv.test' });
    const { status: code, json } = await server.post('/public/contact',
        { name: ' Zoë Lindqvist ', email: 'zoe@example.org', message: 'Do you <offer> a yearly plan?\nZoë' });
    assert.equal(code, 200);
    assert.match(json.message, /has been sent/);
    const mail = await server.mail.waitFor('help@vv.test');
    assert.equal(mail.subject, 'Contact form: Zoë Lindqvist');
    assert.equal(mail.header('reply-to'), 'zoe@example.org');
    assert.match(mail.text, /Do you <offer> a yearly plan\?\r?\nZoë/);
    const bad = await server.post('/public/contact', { name: '', email: 'nobody', message: 5 });
    assert.equal(bad.status, 422);
    assert.deepEqual(bad.json.errors.map((e) => e.field).toSorted(), ['email', 'message', 'name']);
});

test('without a support address the contact form says so', async (t) => {
    const server = await start(t);
    const { status: code, json } = await server.post('/public/contact',
        { name: 'Zoë', email: 'zoe@example.org', message: 'Hello' });
    assert.equal(code, 503);
    assert.equal(json.code, 'contact_unavailable');
});

test('the contact form is limited per address', async (t) => {
    const server = await start(t, { support_address: 'help@vv.test' }, { config: {
        mail: { support_address: 'help@vv.test' }, limits: { contact: '2/m' } } });
    const post = () => server.post('/public/contact', { name: 'Zoë', email: 'zoe@example.org', message: 'Hello' });
    assert.equal((await post()).status, 200);
    assert.equal((await post()).status, 200);
    const third = await post();
    assert.equal(third.status, 429);
    assert.ok(Number(third.headers.get('retry-after')) > 0);
});

test('vvctl mail lists, shows, previews and tests', async (t) => {
    const server = await start(t);
    await send(server, 'zoe@vv.test', { user_id: 3 });
    const row = await status(server, 'sent');
    server.mail.refuse({ bounce: ['bounce.test'] });
    await send(server, 'no@bounce.test');
    await status(server, 'failed', 1);

    const list = await vvctl(server, ['mail', 'list']);
    assert.equal(list.code, 0, list.stderr);
    assert.match(list.stdout, /sent +1 +zoe@vv\.test +auth\/verify-email +250 OK/);
    assert.match(list.stdout, /failed +1 +no@bounce\.test/);
    assert.doesNotMatch((await vvctl(server, ['mail', 'list', '--failed'])).stdout, /zoe@/);
    assert.match((await vvctl(server, ['mail', 'list', 'ZOE@vv.test'])).stdout, /^\S+ .*zoe@vv\.test.*\n$/);
    assert.match((await vvctl(server, ['mail', 'list', '--queued'])).stdout, /no messages/);
    const show = await vvctl(server, ['mail', 'show', row.id]);
    assert.match(show.stdout, /^user_id +3$/m);
    assert.match(show.stdout, /^reply +250 OK/m);
    assert.equal((await vvctl(server, ['mail', 'show', '999'])).code, 1);

    const preview = await vvctl(server, ['mail', 'preview', 'auth/reset-password']);
    assert.match(preview.stdout, /^Subject: Reset your VerseVentures password\n\nHello Zoë,/);
    const html = await vvctl(server, ['mail', 'preview', 'auth/reset-password', '--html']);
    assert.match(html.stdout, /^<!DOCTYPE html>[^]*<\/html>\n$/);
    const unknown = await vvctl(server, ['mail', 'preview', 'nothing']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stdout, /auth\/verify-email/);

    const sent = await vvctl(server, ['mail', 'test', 'me@vv.test']);
    assert.equal(sent.code, 0, sent.stderr);
    assert.match(sent.stdout, /^sent: 250 OK/);
    assert.match((await server.mail.waitFor('me@vv.test')).subject, /Test message/);
    const refused = await vvctl(server, ['mail', 'test', 'me@bounce.test']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /550 .*does not exist here/);
});

test('mail_550: an address that is refused is not tried again, and an operator can retry it', async (t) => {
    const server = await start(t);
    server.mail.refuse({ bounce: ['bounce.test'] });
    await send(server, 'no@bounce.test');
    const row = await status(server, 'failed');
    assert.equal(row.attempts, 1);
    assert.match(row.reply, /^550 5\.1\.1 /);
    await until(async () => (await server.db.query('select * from jobs')).length === 0);
    assert.ok(!server.logText.includes('no@bounce.test'), 'addresses are not logged');
    server.mail.refuse({ bounce: [] });
    const retried = await vvctl(server, ['mail', 'retry', row.id]);
    assert.equal(retried.code, 0, retried.stderr);
    const mail = await server.mail.waitFor('no@bounce.test');
    assert.equal(mail.messageId, row.message_id);
    assert.equal((await vvctl(server, ['mail', 'retry', row.id])).code, 1, 'a sent one is not sent again');
});

test('a message that is deferred is tried again until it is taken', async (t) => {
    const server = await start(t);
    server.mail.refuse({ defer: ['later.test'] });
    await send(server, 'zoe@later.test');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /^451 4\.3\.0 come back later/);
    server.mail.refuse({ defer: [] });
    await server.mail.waitFor('zoe@later.test');
    assert.ok((await status(server, 'sent')).attempts >= 2);
});

test('mail goes out by itself when the mail server comes back', async (t) => {
    const server = await start(t);
    await server.mail.stop();
    assert.equal((await send(server, 'zoe@vv.test')).status, 200, 'the request does not notice');
    const row = await status(server, 'retrying');
    assert.match(row.reply, /connect/i);
    await server.mail.start();
    await server.mail.waitFor('zoe@vv.test', { timeout: 20_000 });
    await status(server, 'sent');
});

test('the templates are checked at the start', async (t) => {
    const dir = path.join(tempDir(t), 'templates');
    cpSync(path.join(ROOT, 'templates'), dir, { recursive: true });
    writeFileSync(path.join(dir, 'auth/verify-email/body.txt'), 'Hello {{first_nmae}}\n');
    const server = await startServer(t, { plugins: ['mail'], start: false });
    server.writeConfig({ mail: { template_dir: dir } });
    const result = await check(t, server.config);
    assert.notEqual(result.code, 0);
    assert.match(result.stdout + result.stderr, /verify-email\/body\.txt:1: unknown variable 'first_nmae'/);
    const fine = await check(t, { ...server.config, mail: { ...server.config.mail, template_dir: null } });
    assert.equal(fine.code, 0, fine.stderr);
    const from = await check(t, { ...server.config, mail: { ...server.config.mail, from: 'nobody' } });
    assert.match(from.stdout + from.stderr, /\[mail\] from: neither an address/);
});
