// An Idempotency-Key makes a call one, whatever breaks on the way: between the claim and the count, and after both.
import { after, assert, SERVICE_TOKEN, test, until } from '../lib/harness.mjs';
import { assertUsed, holding, holdingRow, newCaller, newCallers, startBeside, startCalls, statuses, waiting }
    from '../lib/callers.mjs';
import { validate } from '../lib/keys.mjs';

const s = await startCalls({ after });
const servers = [s, await startBeside({ after }, s, { config: { server: { workers: 3 } } })];
const ask = (server, person, key, fields = {}) => validate(server, person.key, fields, { headers: { 'idempotency-key': key } });
const many = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));

/** Asks until there is a final answer, as the documents say. */
const askOn = (server, person, key) => until(async () => {
    const reply = await ask(server, person, key).catch(() => null);
    return reply && ![409, 503].includes(reply.status) && reply;
}, { what: 'an answer' });

test('of 50 parallel calls on two servers one is counted, and all that are answered are answered the same', async () => {
    for (let round = 0; round < 4; round++) {
        const person = await newCaller(s);
        const replies = await many(50, (i) => ask(servers[i % 2], person, 'fifty', { cost: 3, endpoint: '/x' }));
        const good = replies.filter((r) => r.status === 200);
        assert.ok(good.length >= 1);
        for (const reply of replies) {
            if (reply.status === 200) continue;
            assert.deepEqual([reply.status, reply.json.code], [409, 'request_running']);
            assert.ok(Number(reply.headers.get('retry-after')) >= 1);
        }
        assert.equal(new Set(good.map((r) => r.text)).size, 1);
        assert.equal(good.filter((r) => !r.headers.get('idempotent-replayed')).length, 1, 'one was the first');
        await assertUsed(s, person, 3, 1);
        const late = await many(10, (i) => ask(servers[i % 2], person, 'fifty', { cost: 3, endpoint: '/x' }));
        assert.deepEqual([...new Set(late.map((r) => r.text))], [good[0].text]);
        await assertUsed(s, person, 3, 1);
        await s.db.query("delete from api_key_answers where key = 'fifty'");
    }
});

test('many keys of one person at once, each twice, are so many calls', async () => {
    const person = await newCaller(s);
    const replies = await many(60, (i) => ask(servers[i % 2], person, `key ${i % 30}`));
    for (const reply of replies) assert.ok([200, 409].includes(reply.status), reply.text);
    const last = await many(30, (i) => askOn(servers[i % 2], person, `key ${i}`));
    assert.deepEqual(statuses(last), { 200: 30 });
    assert.deepEqual(new Set(last.map((r) => r.json.usage.used)).size, 30);
    await assertUsed(s, person, 30);
});

// meter_claim
const breaks = {
    'its worker is killed': () => s.kill(s.processes('worker')[0].pid),
    'its connection is lost': () => s.db.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`),
    'its server is killed': async () => {
        await s.crash();
        await s.start();
    },
};

for (const [what, strike] of Object.entries(breaks)) {
    test(`when ${what} between the claim and the count, asking again counts once`, async () => {
        const [person, other] = await newCallers(s, 2);
        await holdingRow(s, person, async (release) => {
            const first = ask(s, person, what).catch(() => ({ status: 'lost' }));
            await waiting(s);
            await strike();
            assert.ok(['lost', 503].includes((await first).status));
            // It was not counted, and others go on; the same again is told to wait, or waits.
            assert.equal((await askOn(servers[1], other, `${what}, other`)).status, 200);
            const second = await ask(servers[1], person, what);
            assert.ok([409, 503].includes(second.status), second.text);
            await release();
        });
        await assertUsed(s, person, 0);
        const reply = await askOn(servers[1], person, what);
        assert.deepEqual([reply.status, reply.json.usage.used], [200, 1]);
        const again = await askOn(s, person, what);
        assert.deepEqual([again.text, again.headers.get('idempotent-replayed')], [reply.text, 'true']);
        await assertUsed(s, person, 1);
    });

    test(`when ${what} between the count and the answer's keeping, asking again counts once`, async () => {
        const person = await newCaller(s), late = `${what}, late`;
        await holding(s, 'lock table usage_logs in share row exclusive mode', [], async (release) => {
            const first = ask(s, person, late).catch(() => ({ status: 'lost' }));
            await waiting(s);
            await strike();
            assert.ok(['lost', 503].includes((await first).status));
            await release();
        });
        const reply = await askOn(servers[1], person, late);
        assert.deepEqual([reply.status, reply.json.usage.used], [200, 1]);
        assert.equal((await askOn(s, person, late)).text, reply.text);
        await assertUsed(s, person, 1);
    });
}

test('whose answer did not arrive is answered again, and not counted again', async () => {
    const person = await newCaller(s);
    for (let round = 0; round < 20; round++) {
        const key = `lost ${round}`;
        const controller = new AbortController();
        const call = s.post('/api-keys/validate', { api_key: person.key }, {
            token: SERVICE_TOKEN, headers: { 'idempotency-key': key }, signal: controller.signal,
        }).catch(() => null);
        setTimeout(() => controller.abort(), round % 10);
        await call;
        assert.equal((await askOn(servers[1], person, key)).status, 200);
    }
    await assertUsed(s, person, 20);
});
