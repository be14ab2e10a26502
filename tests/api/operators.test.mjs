// Every command of the operators' guide works as it stands there.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { assert, startServer, test } from '../lib/harness.mjs';
import { register } from '../lib/accounts.mjs';
import { BUILD, ROOT, run } from '../lib/process.mjs';

const guide = readFileSync(path.join(ROOT, 'etc/README.md'), 'utf8');
const commands = [...guide.matchAll(/```sh\n([^]*?)```/g)].flatMap(([, block]) => block.trim().split('\n'));

test('the commands of the guide succeed and say something', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail'] });
    await register(s);
    const env = { ...process.env, CONF: s.ini, URL: s.url, PATH: `${path.join(BUILD, 'bin')}:${process.env.PATH}` };
    assert.ok(commands.length >= 12, 'the guide has its commands');
    for (const command of commands) {
        const { code, stdout, stderr } = await run('sh', ['-c', command], { env });
        assert.equal(code, 0, `${command}\n${stdout}${stderr}`);
        assert.ok(stdout.length > 0, `${command} prints something`);
        assert.ok(!stdout.includes('FAIL'), stdout);
    }
});
