// Accounts and plans that change while calls are made: each change counts at the next call, deletions block nobody.
import { after, assert, describe, login, register, startMail, startPostgres, startStripe, test, until, vvctl }
    from '../lib/harness.mjs';
import { deadlocks, holdingRow, logged, newCallers, startBeside, startCalls, statuses, usageIdle, usedBy }
    from '../lib/callers.mjs';
import { newCustomer, settled } from '../lib/subscribers.mjs';
import { authorize, validate } from '../lib/keys.mjs';

const TABLES = ['entitlements', 'api_keys', 'usage_logs', 'usage_hours', 'usage_totals', 'api_key_answers'];

/** Somebody who can log in, with a key. */
async function newPerson(s) {
    const person = await register(s);
    return { ...await login(s, person), id: person.id, key: person.reply.json.api_key };
}

/** Calls without a pause by so many lanes until stop() is called, which gives all replies. */
function load(lanes, call) {
    let done = false;
    const replies = [];
    const all = Promise.all(Array.from({ length: lanes }, async (_, i) => {
        while (!done) replies.push(await call(i));
    }));
    return async () => {
        done = true;
        await all;
        return replies;
    };
}

test('accounts are deleted under load: no deadlock, no 5xx, nothing left behind', async (t) => {
    const postgres = await startPostgres(t, { log_lock_waits: 'on', deadlock_timeout: '50ms' });
    const s = await startCalls(t, { postgres, config: { server: { workers: 2 } } });
    const beside = await startBeside(t, s, { config: { server: { workers: 2 } } });
    const servers = [s, beside];
    const leaving = [];
    for (let i = 0; i < 16; i++) leaving.push(await newPerson(s));
    const staying = await newCallers(s, 8);
    const all = [...leaving, ...staying];
    const stop = load(16, (i) => {
        const person = all[Math.floor(Math.random() * all.length)];
        const headers = i % 4 ? {} : { 'idempotency-key': `${Math.random()}` };
        return validate(servers[i % 2], person.key, { endpoint: '/x' }, { headers })
            .then((reply) => ({ ...reply, person, at: performance.now() }));
    });
    const keys = load(2, (i) => servers[i].post('/api-keys/regenerate', {}, { token: leaving[15].token }));
    const gone = new Map();
    for (const [i, person] of leaving.slice(0, 15).entries()) {
        if (i % 3 === 2) {
            const { code, stderr } = await vvctl(servers[i % 2], ['user', 'delete', person.email]);
            assert.equal(code, 0, stderr);
        } else {
            const reply = await servers[i % 2].request('DELETE', '/profile',
                { token: person.token, body: { password: person.password } });
            assert.equal(reply.status, 200, reply.text);
        }
        gone.set(person, performance.now());
    }
    const replies = await stop();
    assert.deepEqual(Object.keys(statuses(await keys())), ['200']);
    for (const reply of replies) {
        assert.ok([200, 401].includes(reply.status), reply.text);
        if (reply.status === 401) assert.ok(leaving.includes(reply.person), 'those who stay are known');
    }
    assert.ok(replies.some((r) => r.status === 401) && replies.length > 200);
    for (const person of gone.keys()) assert.equal((await validate(s, person.key)).status, 401);
    await usageIdle(s);
    await s.db.query('select usage_roll_up(now())');
    for (const table of TABLES) assert.deepEqual(await s.db.query(`select * from ${table} where user_id = any ($1)`,
        [[...gone.keys()].map((p) => p.id)]), [], table);
    assert.equal(await deadlocks(s), 0);
    assert.ok(!/deadlock/.test(postgres.logText));
    for (const person of staying) assert.equal(await usedBy(s, person), (await logged(s, person)).cost);
});

describe('a change counts at the next call, on every worker of every server', async () => {
    const mail = await startMail({ after });
    const stripe = await startStripe({ after });
    const options = { plugins: ['mail', 'stripe'], mail, stripe, config: { server: { workers: 2 } } };
    const s = await startCalls({ after }, options);
    const servers = [s, await startBeside({ after }, s, options)];
    // The second has told Stripe where it listens; either takes the news.
    const subscriber = async (price) => {
        const person = await newCustomer(s);
        stripe.card(person.customer, 'good');
        person.subscription = stripe.subscribe(person.customer, price);
        person.key = (await s.post('/api-keys/regenerate', {}, { token: person.token })).json.api_key;
        await until(async () => (await validate(s, person.key)).status === 200, { what: 'the subscription is known' });
        return person;
    };
    const everywhere = (person) => Promise.all(Array.from({ length: 12 }, (_, i) =>
        (i % 3 ? validate(servers[i % 2], person.key) : authorize(servers[i % 2], person.key))));
    const statusesOf = async (person) => statuses(await everywhere(person));

    test('keys that are regenerated', async () => {
        const person = await subscriber('price_pro_monthly');
        const stop = load(8, (i) => validate(servers[i % 2], person.key));
        for (let round = 0; round < 5; round++) {
            const old = { key: person.key };
            person.key = (await servers[round % 2].post('/api-keys/regenerate', {}, { token: person.token })).json.api_key;
            assert.deepEqual([await statusesOf(old), await statusesOf(person)], [{ 401: 12 }, { 200: 12 }]);
        }
        for (const reply of await stop()) assert.ok([200, 401].includes(reply.status), reply.text);
        assert.equal(await usedBy(s, person), (await logged(s, person)).cost);
    });

    test('accounts that are disabled and enabled', async () => {
        const person = await subscriber('price_pro_monthly');
        const stop = load(8, (i) => validate(servers[i % 2], person.key));
        for (let round = 0; round < 3; round++) for (const [what, expected] of [['disable', 401], ['enable', 200]]) {
            const { code, stderr } = await vvctl(servers[round % 2], ['user', what, person.email]);
            assert.equal(code, 0, stderr);
            assert.deepEqual(await statusesOf(person), { [expected]: 12 });
        }
        for (const reply of await stop()) assert.ok([200, 401].includes(reply.status), reply.text);
        assert.equal(await usedBy(s, person), (await logged(s, person)).cost);
    });

    test('plans that grow, shrink and end, without a reset of what was used', async () => {
        const person = await subscriber('price_pro_monthly');
        await s.db.query('update entitlements set used = 2000 where user_id = $1', [person.id]);
        const before = (await logged(s, person)).cost;
        const counted = async () => 2000 + (await logged(s, person)).cost - before;
        const stop = load(8, (i) => validate(servers[i % 2], person.key));
        const arrive = async () => {
            await stripe.webhooks.idle();
            await settled(s);
        };
        // quota_replan
        stripe.changePrice(person.subscription, 'price_basic_monthly');
        await arrive();
        for (const reply of await everywhere(person)) assert.match(reply.text, /quota_exceeded/);
        stripe.changePrice(person.subscription, 'price_enterprise_monthly');
        await arrive();
        assert.deepEqual(await statusesOf(person), { 200: 12 });
        stripe.setStatus(person.subscription, 'unpaid');
        await arrive();
        for (const reply of await everywhere(person))
            assert.deepEqual([reply.status, reply.json.code], [403, 'subscription_required']);
        stripe.setStatus(person.subscription, 'active');
        stripe.changePrice(person.subscription, 'price_pro_monthly');
        await arrive();
        for (const reply of await everywhere(person)) assert.equal(reply.status, 200, reply.text);
        for (const reply of await stop()) {
            assert.ok([200, 403, 429].includes(reply.status), reply.text);
            const { remaining, limit } = reply.json.usage ?? { remaining: 0, limit: 0 };
            assert.ok(limit === null || (remaining >= 0 && remaining <= limit), reply.text);
        }
        assert.equal(await usedBy(s, person), await counted());
    });

    test('a plan that ends while a call waits', async () => {
        const person = await subscriber('price_pro_monthly');
        const used = await usedBy(s, person);
        await holdingRow(s, person, async (release) => {
            const call = validate(s, person.key);
            await s.db.query('select 1');
            // As the hook does, behind the same lock.
            const change = s.db.query("update entitlements set status = 'canceled', access_until = now() where user_id = $1",
                [person.id]);
            await release();
            await change;
            assert.ok([200, 403].includes((await call).status));
        });
        assert.deepEqual(await statusesOf(person), { 403: 12 });
        assert.ok(await usedBy(s, person) - used <= 1);
    });
});
