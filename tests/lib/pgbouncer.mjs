// PgBouncer in transaction mode between a server under test and its database.
import { chownSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { once, PG_USER } from './postgres.mjs';
import { cleanup, freePort, idsOf, spawnBound, tempDir, until } from './process.mjs';

/** A pooler in front of a database of freshDatabase() → {url, stop(), start()} */
export async function startPgbouncer(t, db, settings = {}) {
    const direct = new URL(db.url);
    const dir = tempDir(t, 'vv-bouncer-');
    const port = await freePort();
    const all = {
        listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: '', auth_type: 'any', pool_mode: 'transaction',
        default_pool_size: 4, max_client_conn: 200, ...settings,
    };
    const ini = path.join(dir, 'pgbouncer.ini');
    writeFileSync(ini, ['[databases]',
        `* = host=127.0.0.1 port=${direct.port} user=${direct.username}`, '[pgbouncer]',
        ...Object.entries(all).map(([key, value]) => `${key} = ${value}`), ''].join('\n'));
    if (PG_USER) for (const file of [dir, ini]) chownSync(file, ...idsOf(PG_USER));
    const url = new URL(db.url);
    url.port = port;
    const pooler = {
        url: url.href,
        async start() {
            const log = openSync(path.join(dir, 'pgbouncer.log'), 'a');
            this.child = spawnBound('/usr/sbin/pgbouncer', [ini], { user: PG_USER, cwd: '/', stdio: ['ignore', log, log] });
            await until(() => once(url.href, 'select 1').then(() => true, () => false), { what: 'PgBouncer answers' });
        },
        async stop() {
            this.child.kill('SIGTERM');
            await this.child.ended;
        },
    };
    await pooler.start();
    cleanup(t, () => pooler.stop());
    return pooler;
}
