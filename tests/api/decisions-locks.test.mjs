// Somebody holds one user's row: that user's calls wait for it, for so long and no longer, and nobody else's do.
import { after, assert, describe, test, until } from '../lib/harness.mjs';
import { assertUsed, holding, holdingRow, newCaller, newCallers, startBeside, startCalls, statuses, waiting }
    from '../lib/callers.mjs';
import { authorize, validate } from '../lib/keys.mjs';

const s = await startCalls({ after });
const beside = await startBeside({ after }, s, { config: { server: { workers: 2 } } });
const servers = [s, beside];

test("while one user's row is held, others are answered at once, and the user when it is let go", async () => {
    const [held, ...others] = await newCallers(s, 21);
    await holdingRow(s, held, async (release) => {
        const waits = Promise.all([validate(s, held.key), authorize(s, held.key), validate(beside, held.key, { cost: 5 })]);
        await waiting(s, 2);
        // Each of these is sent while the row is held, and so is the release until all are answered.
        for (let round = 0; round < 5; round++) {
            const replies = await Promise.all(others.map((other, i) => validate(servers[i % 2], other.key)));
            assert.deepEqual(statuses(replies), { 200: 20 });
        }
        await release();
        assert.deepEqual(statuses(await waits), { 200: 3 });
    });
    await assertUsed(s, held, 7, 3);
    for (const other of others) await assertUsed(s, other, 5);
});

test('one whose row is held for long is told to come again, and nothing is counted', async () => {
    const [held, other] = await newCallers(s, 2);
    await holdingRow(s, held, async () => {
        const began = Date.now();
        const replies = await Promise.all(servers.flatMap((server) =>
            [validate(server, held.key), authorize(server, held.key)]));
        assert.ok(Date.now() - began >= 990, 'a second is waited for');
        assert.deepEqual(statuses(replies), { 503: 4 });
        for (const reply of replies) {
            assert.ok(Number(reply.headers.get('retry-after')) >= 1);
            assert.ok(!/lock|select|entitlements/i.test(reply.text), reply.text);
        }
        assert.equal((await validate(s, other.key)).status, 200);
    });
    await assertUsed(s, held, 0);
    assert.equal((await validate(s, held.key)).status, 200);
    await assertUsed(s, held, 1);
});

test('a second user who is held for moments only does not wait for the first, who is held for long', async () => {
    const [long, ...busy] = await newCallers(s, 4);
    let done = false;
    // These meet one another all the time: two servers and three workers ask about the same three users.
    const load = servers.flatMap((server) => [...busy, ...busy].map(async (person) => {
        const slow = [];
        while (!done) {
            const began = performance.now();
            const reply = await validate(server, person.key);
            slow.push([performance.now() - began, reply.status]);
        }
        return slow;
    }));
    await holdingRow(s, long, async () => {
        for (let round = 0; round < 2; round++) {
            const replies = await Promise.all(servers.map((server) => validate(server, long.key)));
            assert.deepEqual(statuses(replies), { 503: 2 });
        }
    });
    done = true;
    const seen = (await Promise.all(load)).flat();
    assert.ok(seen.length > 500, `${seen.length} calls`);
    assert.deepEqual(seen.filter(([, status]) => status !== 200), []);
    const worst = Math.max(...seen.map(([ms]) => ms));
    assert.ok(worst < 900, `somebody waited for ${worst} ms`);
});

describe('a row that goes while a call waits for it', () => {
    for (const ask of [validate, authorize]) test(`is an unknown caller's: ${ask.name}`, async () => {
        const person = await newCaller(s);
        await holdingRow(s, person, async (release) => {
            const call = ask(s, person.key);
            await waiting(s);
            await s.db.query('select 1');
            await release();
            assert.equal((await call).status, 200);
        });
        await holding(s, 'delete from entitlements where user_id = $1', [person.id], async (release) => {
            const call = ask(s, person.key);
            await waiting(s);
            await release();
            const reply = await call;
            assert.deepEqual([reply.status, reply.json.code], [401, 'invalid_api_key'], reply.text);
        });
        await until(async () => (await ask(s, person.key)).status === 401, { what: 'and so is the next call' });
    });

    test('disabled or out of quota is refused by what the row says then', async () => {
        const [one, two] = await newCallers(s, 2);
        await holding(s, 'update entitlements set disabled = true where user_id = $1', [one.id], async (release) => {
            const calls = Promise.all([validate(s, one.key), validate(s, two.key)]);
            await waiting(s);
            await release();
            assert.deepEqual((await calls).map((r) => r.status), [401, 200]);
        });
        await assertUsed(s, one, 0);
    });
});
