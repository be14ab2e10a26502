// A database that says nothing: a host that never answers, a backend that hangs.
import net from 'node:net';
import { assert, cleanup, freshDatabase, startPostgres, startServer, test, until } from '../lib/harness.mjs';

/** A port that takes connections and never says a word. */
async function silentPort(t) {
    const sockets = new Set();
    const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup(t, () => {
        for (const socket of sockets) socket.destroy();
        server.close();
    });
    return server.address().port;
}

test('with several hosts a silent one costs one connect_timeout', async (t) => {
    const db = await freshDatabase(t);
    const url = new URL(db.url);
    const hosts = `127.0.0.1:${await silentPort(t)},127.0.0.1:${url.port}`;
    const server = await startServer(t, {
        plugins: ['dbtest'], database: db,
        config: {
            database: {
                url: `postgresql://${url.username}@${hosts}${url.pathname}?target_session_attrs=read-write`,
                direct_url: db.url, connect_timeout: '700ms',
            },
        },
    });
    const { json } = await server.post('/dbtest/run', { lane: 1, sql: 'select 1 as n', params: [] });
    assert.deepEqual(json.rows, [{ n: 1 }]);
});

test('a backend that hangs is given up, and others serve meanwhile', async (t) => {
    const postgres = await startPostgres(t);
    const server = await startServer(t, {
        plugins: ['dbtest'], postgres, config: { database: { statement_timeout: '200ms' } },
    });
    const run = async (lane, sql) => (await server.post('/dbtest/run', { lane, sql, params: [] })).json;
    const { pid } = (await run(0, 'select pg_backend_pid() as pid')).rows[0];
    process.kill(pid, 'SIGSTOP');
    cleanup(t, () => { try { process.kill(pid, 'SIGKILL'); } catch { /* it has ended by itself */ } });
    const stuck = run(0, 'select 1');
    assert.equal((await run(1, 'select 1')).code, 0);
    assert.equal((await stuck).code, -4);
    await server.waitLog(/it does not answer any more/);
    await until(async () => (await run(0, 'select 1')).code === 0, { timeout: 2000, what: 'reads work again' });
    process.kill(pid, 'SIGCONT');
});
