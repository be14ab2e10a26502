// Every command of the operators' guide works as it stands there.
import path from 'node:path';
import { assert, register, startServer, test } from '../lib/harness.mjs';
import { BUILD, run } from '../lib/process.mjs';
import { shellOf } from '../lib/readme.mjs';

const commands = shellOf('etc/README.md').flatMap((block) => block.trim().split('\n'));

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
