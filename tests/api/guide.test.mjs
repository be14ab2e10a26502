// The plugin author's guide does what it says: its code compiles with its command and serves as it promises.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { assert, startServer, tempDir, test } from '../lib/harness.mjs';
import { newUser, PASSWORD } from '../lib/accounts.mjs';
import { linkPlugins } from '../lib/config.mjs';
import { mustRun, ROOT } from '../lib/process.mjs';
import { blocksOf, shellOf } from '../lib/readme.mjs';

const guide = blocksOf('sdk/README.md');
const block = (language) => guide.find((b) => b.language === language).text;
const [build] = shellOf('sdk/README.md', 'In five minutes');

/** A copy of sql/ or templates/ to which a third party has added a folder. */
function extend(dir, what, name, from) {
    const copy = path.join(dir, what);
    cpSync(path.join(ROOT, what), copy, { recursive: true });
    cpSync(from, path.join(copy, name), { recursive: true });
    return copy;
}

test('the plugin of the guide is built, loaded and driven as it says', async (t) => {
    const dir = tempDir(t);
    symlinkSync(path.join(ROOT, 'sdk'), path.join(dir, 'sdk'));
    writeFileSync(path.join(dir, 'stars.c'), block('c'));
    await mustRun('sh', ['-ec', build], { cwd: dir });
    mkdirSync(path.join(dir, 'migration'));
    writeFileSync(path.join(dir, 'migration/0001_stars.sql'), block('sql'));
    const pluginDir = linkPlugins(path.join(dir, 'plugins'), ['auth', 'mail']);
    symlinkSync(path.join(dir, 'stars.so'), path.join(pluginDir, 'stars.so'));
    const [, section, key, value] = block('ini').match(/\[(\w+)\]\n(\w+) = (\w+)/);
    const s = await startServer(t, {
        plugins: ['auth', 'mail'], pluginDir, config: {
            [section]: { [key]: value },
            database: { migrations_dir: extend(dir, 'sql', 'stars', path.join(dir, 'migration')) },
        },
    });

    assert.deepEqual((await s.get('/stars')).json, { stars: 0 });
    assert.equal((await s.post('/stars', {})).status, 401);
    const ada = await newUser(s);
    assert.equal((await s.post('/stars', undefined, { token: ada.token })).status, 200);
    const again = await s.post('/stars', undefined, { token: ada.token });
    assert.equal(again.status, 409);
    assert.equal(again.json.code, 'starred_already');
    assert.deepEqual((await s.get('/stars')).json, { stars: 1 });
    assert.equal((await s.delete('/profile', { body: { password: PASSWORD }, token: ada.token })).status, 200);
    assert.deepEqual((await s.get('/stars')).json, { stars: 0 });
});

test('the guest book keeps the entry and mails the moderator, or neither', async (t) => {
    const dir = tempDir(t);
    const example = path.join(ROOT, 'sdk/examples/guestbook');
    const s = await startServer(t, {
        plugins: ['auth', 'mail', 'guestbook'], config: {
            guestbook: { moderator: 'moderator@vv.test' },
            database: { migrations_dir: extend(dir, 'sql', 'guestbook', path.join(example, 'sql')) },
            mail: { template_dir: extend(dir, 'templates', 'guestbook', path.join(example, 'templates')) },
        },
    });
    const ada = await newUser(s);
    assert.equal((await s.post('/guestbook', { body: 'Hi' })).status, 401);
    assert.equal((await s.post('/guestbook', { body: '' }, { token: ada.token })).status, 422);
    const signed = await s.post('/guestbook', { body: 'Grüße & <b>Küsse</b>' }, { token: ada.token });
    assert.equal(signed.status, 200, signed.text);
    const { json } = await s.get('/guestbook?limit=5');
    assert.deepEqual(json.entries, [signed.json]);
    assert.equal(json.entries[0].author, ada.id);
    const mail = await s.mail.waitFor('moderator@vv.test');
    assert.match(mail.text, /Grüße & <b>Küsse<\/b>/);
    assert.match(mail.html, /Grüße &amp; &lt;b&gt;Küsse/);
    assert.equal((await s.get('/guestbook?limit=101')).status, 422);
});
