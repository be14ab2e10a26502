// What was answered 200 outlives the death of any part: no registered user and no queued mail is lost.
import { assert, startMail, startPostgres, startServer, test, until } from '../lib/harness.mjs';
import { PASSWORD } from '../lib/accounts.mjs';

/** Registers one person after the other until `done()`; only what was answered 200 counts. */
async function registerOn(server, lane, answered, done) {
    for (let n = 0; !done(); n++) {
        const email = `lane${lane}.${n}@vv.test`;
        const reply = await server.post('/auth/register',
            { email, password: PASSWORD, first_name: 'Ada', last_name: 'Lovelace' }, { timeout: 10_000 })
            .catch(() => null);
        if (reply?.status === 200) answered.push({ email, id: reply.json.user_id });
        else if (reply) assert.equal(reply.status, 503, reply.text);
        // A refused connection answers at once: give the others the processor.
        else await new Promise((resolve) => setImmediate(resolve));
    }
}

test('killing any part at any moment loses no registered user and no queued mail', async (t) => {
    const postgres = await startPostgres(t);
    const mail = await startMail(t);
    const server = await startServer(t, {
        plugins: ['auth', 'mail'], postgres, mail, config: { database: { connect_timeout: '1s' } },
    });
    const answered = [];
    let ended = false;
    const lanes = Promise.all([0, 1, 2, 3].map((lane) => registerOn(server, lane, answered, () => ended)));
    const more = async (count) => {
        const from = answered.length;
        await until(() => answered.length >= from + count, { timeout: 30_000, what: `${count} more registrations` });
    };

    await more(10);
    server.kill(server.processes('worker')[0].pid);
    await more(10);
    server.kill(server.processes('jobs')[0].pid);
    await more(10);
    await postgres.stop('kill');
    await postgres.start();
    await more(10);
    await mail.stop('SIGKILL');
    await more(10);
    await mail.start();
    server.kill(server.processes('leader')[0].pid);
    await more(10);
    await server.crash();
    await server.start();
    await more(10);
    ended = true;
    await lanes;

    const users = await server.db.query('select id, email from users');
    const stored = new Map(users.map((user) => [user.email, Number(user.id)]));
    for (const { email, id } of answered) assert.equal(stored.get(email), Number(id), `${email} is stored`);

    const byAddress = await until(async () => {
        const found = Map.groupBy(await mail.messages(), (message) => message.to);
        return answered.every(({ email }) => found.has(email)) && found;
    }, { timeout: 90_000, what: 'every registered person has a mail' });
    for (const { email } of answered) {
        const messages = byAddress.get(email);
        assert.equal(new Set(messages.map((message) => message.messageId)).size, 1, `${email} got two messages`);
        assert.ok(messages.length <= 3, `${email} got ${messages.length} copies`);
    }
});
