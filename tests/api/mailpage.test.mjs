// The mail catcher's pages in a real browser: a person finds a mail and follows its link; a hostile mail does nothing.
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { assert, cleanup, login, mustRun, raw, register, startMail, startServer, tempDir, test } from '../lib/harness.mjs';
import { openBrowser } from '../lib/browser.mjs';
import { MailPages } from '../peers/mail/pages.mjs';

async function startPages(t, mail) {
    const pages = new MailPages(mail);
    await pages.start();
    cleanup(t, () => pages.stop());
    return pages;
}

/** Puts a mail as it stands before the mail server. */
async function send(t, mail, text, to = 'reader@vv.test') {
    const file = path.join(tempDir(t), 'message');
    writeFileSync(file, text.replaceAll('\n', '\r\n'));
    await mustRun('curl', ['-sS', '--url', mail.smtpUrl, '--mail-from', 'a@vv.test', '--mail-rcpt', to, '--upload-file', file,
        '--cacert', mail.caFile, '--ssl-reqd', '--user', `${mail.user}:${mail.password}`]);
    return mail.waitFor(to);
}

test('a person finds the newest mail on top, and its link verifies the address', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail'] });
    const pages = await startPages(t, s.mail);
    const page = await openBrowser(t);
    await page.goto(pages.url);
    await page.getByText('None has arrived yet').waitFor();

    const first = await register(s);
    await s.mail.waitFor(first.email);
    const person = await register(s);
    // The list looks again by itself.
    await page.getByText(person.email).waitFor();
    const rows = await page.getByRole('listitem').allTextContents();
    assert.equal(rows.length, 2);
    assert.ok(rows[0].includes(person.email) && rows[1].includes(first.email), 'the newest is on top');

    await page.getByText(person.email).click();
    const mail = await s.mail.waitFor(person.email);
    assert.equal(await page.getByRole('heading').textContent(), mail.subject);
    assert.equal((await page.getByLabel('The mail as text').textContent()).trim(), mail.text.trim());
    const frame = page.frameLocator('iframe');
    const [opened] = await Promise.all([page.waitForEvent('popup'), frame.getByRole('link').first().click()]);
    await opened.getByRole('button', { name: 'Verify my address' }).click();
    await opened.getByText('Your email address is verified.').waitFor();
    await login(s, person);

    const [other] = await Promise.all([page.waitForEvent('popup'), page.locator('pre a').first().click()]);
    assert.equal(new URL(other.url()).pathname, '/verify-email');
    assert.deepEqual(page.complaints, []);
});

test('what a hostile mail brings along neither runs, loads nor leaves its frame', async (t) => {
    const mail = await startMail(t);
    const pages = await startPages(t, mail);
    const asked = [];
    const outside = http.createServer((request, response) => {
        asked.push(request.url);
        response.end();
    });
    await new Promise((go) => outside.listen(0, '127.0.0.1', go));
    cleanup(t, () => outside.closeAllConnections() ?? outside.close());
    const there = `http://127.0.0.1:${outside.address().port}`;
    const found = await send(t, mail, `From: "<script>1</script>" <a@vv.test>
To: <reader@vv.test>
Subject: <script>document.title = 'taken'</script> & co
Content-Type: multipart/alternative; boundary=part

--part
Content-Type: text/plain; charset=utf-8

Grüße <script>document.title = 'taken'</script> ${there}/text
--part
Content-Type: text/html; charset=utf-8

<title>inside</title><p>Hello</p><script>fetch('${there}/script'); top.document.title = 'taken'</script>
<img src="${there}/pixel" onerror="top.location = '${there}/error'"><link rel="stylesheet" href="${there}/style">
<iframe src="${there}/frame"></iframe><meta http-equiv="refresh" content="0; url=${there}/refresh">
<form action="${there}/form" target="_top"><button>Send</button></form><a href="${there}/top" target="_top">Out</a>
--part--
`);
    const page = await openBrowser(t);
    const where = pages.urlOf(found);
    await page.goto(where);
    const frame = page.frameLocator('iframe[title="The mail as HTML"]');
    await frame.getByText('Hello').waitFor();
    assert.equal(await page.getByRole('heading').textContent(), "<script>document.title = 'taken'</script> & co");
    assert.match(await page.getByLabel('The mail as text').textContent(), /Grüße <script>/);
    await frame.getByRole('button', { name: 'Send' }).click();
    await frame.getByRole('link', { name: 'Out' }).click();
    // The same mail as a page of its own has no more rights.
    await page.goto(`${where}/html`);
    await page.getByText('Hello').waitFor();
    assert.notEqual(await page.title(), 'taken');
    await page.goto(where);
    assert.equal(page.url(), where);
    assert.deepEqual(asked, []);
    assert.match((await (await fetch(`${where}/source`)).text()), /boundary=part/);
});

test('only a browser that means these pages is let in, and only to what there is', async (t) => {
    const mail = await startMail(t);
    const pages = await startPages(t, mail);
    const ask = (target, host, method = 'GET') =>
        raw(pages.port, `${method} ${target} HTTP/1.1\r\nHost: ${host ?? `localhost:${pages.port}`}\r\n\r\n`);
    assert.equal((await ask('/')).status, 200);
    assert.equal((await ask('/', 'rebound.example')).status, 403);
    assert.equal((await ask('/', undefined, 'POST')).status, 405);
    for (const target of ['/mails/..%2f..%2fports.json', '/mails/../../ports.json', '/mails/', '//elsewhere', '/mails/%00', '*'])
        assert.equal((await ask(target)).status, 404, target);
    await send(t, mail, 'From: <a@vv.test>\n\nwithout a subject\n');
    assert.match((await ask('/')).body, /\(no subject\)/);
    const [found] = await mail.messages();
    assert.match((await ask(new URL(pages.urlOf(found)).pathname)).body, /without a subject/);
});
