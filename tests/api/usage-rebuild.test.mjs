// Entitlements and counters are brought in line: at the start, by vvctl usage rebuild, and when accounts go.
import { after, assert, login, newUser, register, test, until, vvctl } from '../lib/harness.mjs';
import { newCustomer, settled } from '../lib/subscribers.mjs';
import { decide, entitlements, logCalls, rollUp, startUsage, usageOf } from '../lib/calls.mjs';

const s = await startUsage({ after }, { plugins: ['stripe'], config: { server: { drain_timeout: '500ms' } } });
const HOUR = 3600_000;
const idle = () => until(async () => (await s.db.query("select from jobs where kind like 'usage.%'")).length === 0,
    { what: 'no job of usage is left' });
const counters = async () => ({
    entitlements: await s.db.query('select * from entitlements order by user_id'),
    hours: await s.db.query('select * from usage_hours order by 1, 2, 3'),
    totals: await s.db.query('select * from usage_totals order by 1'),
});

async function rebuild() {
    const { code, stdout, stderr } = await vvctl(s, ['usage', 'rebuild']);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
}

async function subscriber(price = 'price_pro_monthly') {
    const person = await newCustomer(s);
    s.stripe.card(person.customer, 'good');
    person.subscription = s.stripe.subscribe(person.customer, price);
    await until(async () => (await entitlements(s, person)).status === 'active', { what: 'the subscription is known' });
    return person;
}

test('an account that nothing is known of is a row at the start', async () => {
    const [one, two, three] = [await newUser(s), await register(s), await newUser(s)];
    const paying = await subscriber();
    await settled(s);
    const before = await counters();
    await s.db.query('delete from entitlements where user_id = any ($1)', [[one.id, paying.id]]);
    await s.db.query("update entitlements set email = 'old@vv.test', verified = true, disabled = true where user_id = $1",
        [two.id]);
    await s.db.query(`update entitlements set plan_id = 'enterprise', status = 'active', access_until = 'infinity',
        anchor = '2026-01-31T10:00:00Z' where user_id = $1`, [three.id]);
    await s.reload();
    await s.waitLog(/entitlements were behind: 2 users added, 1 corrected, 2 subscriptions taken over/);
    await idle();
    const restored = await counters();
    for (const rows of [before.entitlements, restored.entitlements]) for (const row of rows) {
        // A period is begun when something is counted.
        row.period_start = row.period_end = null;
        if (row.access_until < new Date(1)) row.access_until = -Infinity;
    }
    assert.deepEqual(restored.entitlements, before.entitlements);
    assert.equal((await usageOf(s, paying)).limit, 5000);
    assert.equal((await usageOf(s, three)).limit, 0);
});

test('what happened while the plugin was off is caught up with', async () => {
    const [one, two] = [await newUser(s), await subscriber('price_basic_monthly')];
    const gone = await subscriber();
    await decide(s, two, { times: 3 });
    await decide(s, gone, { times: 3 });
    await rollUp(s);
    s.writeConfig({ usage: { enabled: 'false' }, decider: { enabled: 'false' } });
    await s.reload();
    await s.patch('/profile', { email: `new.${one.email}`, current_password: one.password }, { token: one.token });
    const mail = await s.mail.waitFor(`new.${one.email}`);
    assert.equal((await s.post('/auth/verify-email', { token: mail.token })).status, 200);
    s.stripe.changePrice(two.subscription, 'price_pro_monthly');
    const late = await subscriberUnseen();
    await s.request('DELETE', '/profile', { token: gone.token, body: { password: gone.password } });
    await settled(s);
    s.writeConfig({ usage: { enabled: 'true' }, decider: { enabled: 'true' } });
    await s.reload();
    await until(async () => (await entitlements(s, late))?.plan_id === 'enterprise', { what: 'the newcomer is known' });
    await idle();
    assert.equal((await entitlements(s, one)).email, `new.${one.email}`);
    const { plan_id: plan, used } = await entitlements(s, two);
    assert.deepEqual([plan, Number(used)], ['pro', 3]);
    for (const table of ['usage_logs', 'usage_hours', 'usage_totals', 'entitlements'])
        assert.deepEqual(await s.db.query(`select * from ${table} where user_id = $1`, [gone.id]), [], table);
});

test('without stripe nobody has a plan, and with it everybody has theirs again', async () => {
    const person = await subscriber();
    await decide(s, person, { times: 3 });
    const before = await entitlements(s, person);
    s.writeConfig({ stripe: { enabled: 'false' }, usage: { default_quota: 7 } });
    await s.reload();
    await until(async () => (await entitlements(s, person)).status === 'none', { what: 'the plan is gone' });
    const seen = await usageOf(s, person);
    assert.deepEqual([seen.limit, seen.used, seen.period_start.slice(7)], [7, 3, '-01T00:00:00Z']);
    assert.equal((await s.get('/profile', { token: person.token })).json.api_calls_limit, 7);
    await decide(s, person, {});
    s.writeConfig({ stripe: { enabled: 'true' } });
    await s.reload();
    await until(async () => (await entitlements(s, person)).plan_id === 'pro', { what: 'the plan is back' });
    const { used, period_start: begins, ...row } = await entitlements(s, person);
    assert.deepEqual([Number(used), begins, row.anchor, row.access_until],
        [4, before.period_start, before.anchor, before.access_until]);
});

async function subscriberUnseen() {
    const person = await newCustomer(s);
    s.stripe.card(person.customer, 'good');
    s.stripe.subscribe(person.customer, 'price_enterprise_monthly');
    return person;
}

test('a rebuild finds nothing to do where nothing is wrong, and mends what was tampered with', async () => {
    const people = [await subscriber(), await subscriber('price_basic_monthly'), await subscriber('price_enterprise_monthly')];
    const now = Date.now();
    for (const [i, person] of people.entries()) {
        await logCalls(s, person, Array.from({ length: 40 }, (_, n) => ({
            at: new Date(now - n * (i + 1) * 7.3 * HOUR), endpoint: n % 3 ? `/${n % 3}` : null, cost: 1 + n % 5,
        })));
        await decide(s, person, { times: 5, cost: 2 });
    }
    await rollUp(s, "now() - interval '3 hours'");
    await rebuild();
    const right = await counters();
    const quiet = await rebuild();
    assert.match(quiet, /entitlements: 0 added, 0 corrected, 0 subscriptions taken over, 0 users/);
    assert.match(quiet, /roll-ups: 0 rows were wrong\nused: of \d+ users 0 were wrong/);
    assert.deepEqual(await counters(), right);

    const [a, b, c] = people;
    await s.db.query('update entitlements set used = used + 17 where user_id = $1', [a.id]);
    await s.db.query("update entitlements set period_start = '2020-01-01Z', used = 0 where user_id = $1", [b.id]);
    await s.db.query("update entitlements set email = 'x', disabled = true, plan_id = 'pro' where user_id = $1", [c.id]);
    await s.db.query('delete from usage_hours where user_id = $1', [a.id]);
    await s.db.query('update usage_hours set calls = calls + 1, cost = 0 where user_id = $1', [b.id]);
    await s.db.query("update usage_hours set hour = hour - interval '1 hour' where user_id = $1", [c.id]);
    await s.db.query('delete from usage_totals where user_id = $1', [b.id]);
    await s.db.query('update usage_totals set calls = 1 where user_id = $1', [c.id]);
    await s.db.query("insert into usage_totals values ($1, 5, 5)", [(await newUser(s)).id]);
    const mended = await rebuild();
    assert.match(mended, /0 added, 1 corrected, 1 subscriptions taken over/);
    assert.match(mended, /used: of \d+ users 2 were wrong/);
    const { entitlements: rows, ...sums } = await counters();
    assert.deepEqual(sums, { hours: right.hours, totals: right.totals });
    assert.deepEqual(rows.filter((row) => right.entitlements.some((r) => r.user_id === row.user_id)), right.entitlements);
});

test('calls go on during a rebuild, and are counted once', async () => {
    const people = await Promise.all([1, 2, 3, 4].map(() => subscriber('price_enterprise_monthly')));
    let done = false;
    const rebuilding = (async () => {
        for (let n = 0; n < 6; n++) {
            await rebuild();
            await rollUp(s, 'usage_settled()');
        }
        done = true;
    })();
    const counts = await Promise.all(people.map(async (person) => {
        let allowed = 0;
        while (!done) allowed += (await decide(s, person, { times: 10, endpoint: '/x' })).times_allowed;
        return allowed;
    }));
    await rebuilding;
    for (const [i, person] of people.entries()) {
        const { used, total_requests: total } = await usageOf(s, person);
        assert.deepEqual([used, total], [counts[i], counts[i]]);
    }
    assert.match(await rebuild(), /used: of \d+ users 0 were wrong/);
});

test('a deleted account leaves no row, however many there were', async () => {
    const person = await subscriber();
    await s.db.query(`insert into usage_logs (user_id, api_endpoint, timestamp)
        select $1, 'e' || n % 7, now() - n * interval '1 minute' from generate_series(1, 5000) n`, [person.id]);
    await s.db.query(`insert into usage_hours (user_id, hour, calls, cost)
        select $1, date_trunc('hour', now()) - n * interval '1 hour', 1, 1 from generate_series(1, 3000) n`, [person.id]);
    await decide(s, person, { times: 3 });
    const calls = Array.from({ length: 20 }, () => decide(s, person, { times: 5 }));
    const reply = await s.request('DELETE', '/profile', { token: person.token, body: { password: person.password } });
    assert.equal(reply.status, 200, reply.text);
    await Promise.all(calls);
    assert.equal((await decide(s, person, {})).outcome, 'unknown_caller');
    await idle();
    await rollUp(s);
    for (const table of ['usage_logs', 'usage_hours', 'usage_totals', 'entitlements'])
        assert.deepEqual(await s.db.query(`select * from ${table} where user_id = $1`, [person.id]), [], table);
});

test('vvctl usage show tells of one account, by its id or address', async () => {
    const person = await login(s, await subscriber());
    await decide(s, person, { cost: 7 });
    await decide(s, person, { cost: 2 });
    for (const name of [person.email.toUpperCase(), String(person.id)]) {
        const { code, stdout } = await vvctl(s, ['usage', 'show', name]);
        assert.equal(code, 0, stdout);
        assert.match(stdout, new RegExp(`email +${person.email}\nplan +pro \\(active\\)\naccess +yes\nused +9 of 5000\n`));
        assert.match(stdout, /requests +2 in all, the latest 20\d\d-/);
    }
    await s.db.query('update entitlements set access_until = now() where user_id = $1', [person.id]);
    assert.match((await vvctl(s, ['usage', 'show', person.email])).stdout, /access +no: nothing that is paid for gives it/);
    await vvctl(s, ['user', 'disable', person.email]);
    assert.match((await vvctl(s, ['usage', 'show', person.email])).stdout, /access +no: not verified, or disabled/);
    const none = await vvctl(s, ['usage', 'show', 'nobody@vv.test']);
    assert.deepEqual([none.code, /There is no account nobody@vv.test/.test(none.stderr)], [1, true]);
    assert.equal((await vvctl(s, ['usage', 'show'])).code, 1);
    assert.equal((await vvctl(s, ['usage', 'rebuild', 'now'])).code, 1);
    const { stdout } = await vvctl(s, ['--help']);
    assert.match(stdout, /usage show +ADDRESS\|ID/);
});
