// The rate of a user is exact over all workers and servers, and what is said of it is true.
import { after, assert, describe, test, until } from '../lib/harness.mjs';
import { assertUsed, holding, newCaller, newCallers, startBeside, startCalls, statuses, waiting } from '../lib/callers.mjs';
import { authorize, validate } from '../lib/keys.mjs';

const config = { usage: { rate_limit: '20/m' }, apikeys: { authorize_over_limit: '429' }, server: { workers: 2 } };
const s = await startCalls({ after }, { config });
const servers = [s, await startBeside({ after }, s, { config })];
const many = (n, fn) => Promise.all(Array.from({ length: n }, (_, i) => fn(i)));

/** What the headers say: {r, t} of the rate, and whole Retry-After. */
function told(reply) {
    const [, r, t] = reply.headers.get('ratelimit').match(/"rate";r=(\d+);t=(\d+)/);
    assert.match(reply.headers.get('ratelimit-policy'), /"rate";q=\d+;w=\d+/);
    return { r: Number(r), t: Number(t), retry: Number(reply.headers.get('retry-after')) };
}

/** As if so much time had passed for a person's rate; in milliseconds. */
const passed = (person, ms) => s.db.query(`update entitlements set rate_time = rate_time - $2 * interval '1 ms'
    where user_id = $1`, [person.id, ms]);

test('of 200 parallel calls to two servers exactly 20 pass, and refused ones cost nothing', async () => {
    const [person, other] = await newCallers(s, 2);
    const replies = await many(200, (i) => (i % 4 ? validate : authorize)(servers[i % 2], person.key));
    // In the time that this takes one more may have come free, every three seconds.
    const took = 200 - statuses(replies)[429];
    assert.ok(took === 20 || took === 21, JSON.stringify(statuses(replies)));
    for (const reply of replies.filter((r) => r.status !== 200)) {
        assert.deepEqual([reply.status, reply.json.code], [429, 'rate_limited']);
        const { r, t, retry } = told(reply);
        assert.equal(r, 0);
        assert.ok(t >= 55 && t <= 60 && retry >= 1 && retry <= 3, `t=${t}, retry-after=${retry}`);
    }
    await assertUsed(s, person, took);
    assert.equal((await validate(servers[1], other.key)).status, 200);
});

test('headers count down to nothing, and up again with time', async () => {
    const person = await newCaller(s);
    for (let left = 19; left >= 0; left--) {
        const reply = await validate(servers[left % 2], person.key);
        assert.equal(reply.status, 200);
        const { r, t } = told(reply);
        // A call takes its time: what came free meanwhile counts.
        assert.ok(r === left || r === left + 1, `${r} of ${left} are left`);
        assert.ok(t <= 3 * (20 - left) && t >= 3 * (20 - left) - 4, `${t} s`);
    }
    await passed(person, 30_000);
    const { r } = told(await validate(s, person.key));
    assert.ok(r === 9 || r === 10, `${r} after half a minute`);
    await passed(person, 3600_000);
    assert.equal(told(await validate(s, person.key)).r, 19, 'never more than the burst');
});

// limit_ttl
test('at its border a call comes free at the very moment that was told, and only one', async () => {
    const person = await newCaller(s);
    // The first is free in two seconds.
    await s.db.query("update entitlements set rate_time = clock_timestamp() + interval '59 s' where user_id = $1", [person.id]);
    const began = performance.now();
    const first = await validate(s, person.key);
    const { retry } = told(first);
    assert.deepEqual([first.status, retry], [429, 2]);
    // Many ask all the time: one of them passes, no sooner than was told, and then nobody.
    let at;
    await until(async () => {
        const replies = await many(8, (i) => validate(servers[i % 2], person.key));
        const good = statuses(replies)[200] ?? 0;
        assert.ok(good <= 1, `${good} passed at once`);
        if (good) at = performance.now() - began;
        return good;
    }, { step: 1, what: 'one passes' });
    assert.ok(at <= retry * 1000 + 1500, `Retry-After was enough: ${at} ms`);
    assert.ok(at > 1900, `not before its time: ${at} ms`);
    assert.deepEqual(statuses(await many(40, (i) => validate(servers[i % 2], person.key))), { 429: 40 });
    await assertUsed(s, person, 1);
});

test('whoever comes back after Retry-After passes', async () => {
    for (let round = 0; round < 8; round++) {
        const person = await newCaller(s);
        await many(20, (i) => validate(servers[i % 2], person.key));
        await passed(person, Math.random() * 2900);
        const { retry } = told(await validate(s, person.key));
        await passed(person, retry * 1000);
        assert.equal((await validate(s, person.key)).status, 200, `after ${retry} s`);
    }
});

test('a user who was far ahead of the rate is never refused for longer than the burst takes', async () => {
    const person = await newCaller(s);
    await s.db.query("update entitlements set rate_time = '2200-01-01Z' where user_id = $1", [person.id]);
    const refused = await validate(s, person.key);
    const { t, retry } = told(refused);
    assert.deepEqual([refused.status, t, retry], [429, 60, 3]);
});

test('what waits for a lock is judged by the rate there is then', async () => {
    const person = await newCaller(s);
    const full = "update entitlements set rate_time = clock_timestamp() + interval '57 s' where user_id = $1";
    await holding(s, full, [person.id], async (release) => {
        const calls = many(12, (i) => validate(servers[i % 2], person.key));
        await waiting(s);
        await release();
        assert.deepEqual(statuses(await calls), { 200: 1, 429: 11 });
    });
    await assertUsed(s, person, 1);
});

describe('the quota and the rate together', () => {
    test('what is over the quota takes nothing of the rate', async (t) => {
        const small = await startCalls(t, { quota: 15, config });
        const person = await newCaller(small);
        assert.deepEqual(statuses(await many(60, () => validate(small, person.key))), { 200: 15, 429: 45 });
        const over = await validate(small, person.key);
        assert.deepEqual([over.json.code, told(over).r >= 5], ['quota_exceeded', true]);
        assert.match(over.headers.get('ratelimit'), /"rate";r=\d+;t=\d+, "quota";r=0;t=\d+/);
        assert.match(over.headers.get('ratelimit-policy'), /"rate";q=20;w=60, "quota";q=15;w=\d+/);
        await assertUsed(small, person, 15);
    });

    test('what is over the rate takes nothing of the quota', async (t) => {
        const small = await startCalls(t, { quota: 100, config });
        const person = await newCaller(small);
        const replies = await many(80, () => validate(small, person.key, { cost: 2 }));
        const good = statuses(replies)[200];
        assert.ok(good === 20 || good === 21);
        await assertUsed(small, person, good * 2, good);
        assert.match((await validate(small, person.key)).headers.get('ratelimit'), new RegExp(`"quota";r=${100 - good * 2};`));
    });
});
