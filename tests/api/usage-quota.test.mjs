// Quotas follow plans at once and never start anew in between; their months have an anchor; mails tell of them once.
import { after, assert, newUser, test, until } from '../lib/harness.mjs';
import { newCustomer } from '../lib/subscribers.mjs';
import { decide, entitlements, logCalls, startUsage, usageOf } from '../lib/calls.mjs';

const s = await startUsage({ after }, {
    plugins: ['stripe'],
    config: {
        server: { drain_timeout: '500ms' },
        'plan:pro_yearly': { name: 'Pro', price_id: 'price_pro_yearly', price: '199.90', currency: 'usd', interval: 'year',
            api_calls: 6000 },
    },
});
const know = (person, plan) => until(async () => (await entitlements(s, person)).plan_id === plan, { what: `plan ${plan}` });

async function subscriber(plan = 'pro', { began } = {}) {
    const person = await newCustomer(s);
    s.stripe.card(person.customer, 'good');
    person.subscription = s.stripe.subscribe(person.customer, `price_${plan}_monthly`);
    if (began) s.stripe.update(person.subscription, { start_date: Date.parse(began) / 1000 }, 'customer.subscription.updated');
    const anchor = () => s.db.query('select extract(epoch from anchor)::bigint as at from entitlements where user_id = $1',
        [person.id]).then(([row]) => Number(row.at));
    await until(async () => (await anchor()) === s.stripe.get(person.subscription).start_date, { what: 'the anchor is known' });
    await know(person, plan);
    return person;
}

test('quota_edit_plan: an edited limit counts at the next call, and no balance moves', async () => {
    const [one, two] = [await subscriber(), await subscriber('basic')];
    await decide(s, one, { cost: 4000 });
    await decide(s, two, { cost: 10 });
    const before = await s.db.query('select * from entitlements order by user_id');
    s.writeConfig({ 'plan:pro': { api_calls: '4001' } });
    await s.reload();
    assert.deepEqual(await s.db.query('select * from entitlements order by user_id'), before);
    const seen = await usageOf(s, one);
    assert.deepEqual([seen.used, seen.limit, seen.remaining], [4000, 4001, 1]);
    assert.equal((await s.get('/profile', { token: one.token })).json.api_calls_limit, 4001);
    assert.equal((await decide(s, one, {})).outcome, 'allowed');
    assert.equal((await decide(s, one, {})).outcome, 'over_quota');
    assert.deepEqual([(await usageOf(s, two)).used, (await usageOf(s, two)).limit], [10, 1000]);
    s.writeConfig({ 'plan:pro': { api_calls: 'unlimited' } });
    await s.reload();
    assert.equal((await decide(s, one, {})).outcome, 'allowed');
    const free = await usageOf(s, one);
    assert.deepEqual([free.used, free.limit, free.remaining], [4002, null, null]);
    s.writeConfig({ 'plan:pro': { api_calls: '5000' } });
    await s.reload();
    assert.deepEqual([(await usageOf(s, one)).used, (await usageOf(s, one)).remaining], [4002, 998]);
});

test('the profile says what the decision would say', async () => {
    const person = await subscriber();
    const profile = async () => {
        const { json } = await s.get('/profile', { token: person.token });
        return [json.subscription_status, json.api_calls_used, json.api_calls_limit];
    };
    await decide(s, person, { cost: 12 });
    assert.deepEqual(await profile(), ['active', 12, 5000]);
    await s.db.query('update entitlements set access_until = now() where user_id = $1', [person.id]);
    assert.equal((await decide(s, person, {})).outcome, 'no_access');
    assert.deepEqual(await profile(), ['active', 12, 0]);
});

test('quota_replan: a smaller plan in the middle of a period denies the next call', async () => {
    const person = await subscriber('enterprise');
    await decide(s, person, { cost: 1000000, times: 2 });
    s.stripe.changePrice(person.subscription, 'price_basic_monthly');
    await know(person, 'basic');
    const denied = await decide(s, person, {});
    assert.deepEqual([denied.outcome, denied.used, denied.limit], ['over_quota', 2000000, 1000]);
    const seen = await usageOf(s, person);
    assert.deepEqual([seen.used, seen.limit, seen.remaining], [2000000, 1000, 0]);
    s.stripe.changePrice(person.subscription, 'price_enterprise_monthly');
    await know(person, 'enterprise');
    assert.deepEqual([(await decide(s, person, {})).outcome, (await usageOf(s, person)).used], ['allowed', 2000001]);
});

test('monthly to yearly and back: nothing starts anew', async () => {
    const person = await subscriber();
    await decide(s, person, { cost: 70 });
    const before = await usageOf(s, person);
    for (const [price, plan, limit] of [['price_pro_yearly', 'pro_yearly', 6000], ['price_pro_monthly', 'pro', 5000]]) {
        s.stripe.changePrice(person.subscription, price);
        await know(person, plan);
        const now = await usageOf(s, person);
        assert.deepEqual([now.used, now.limit, now.period_start, now.period_end],
            [70, limit, before.period_start, before.period_end], plan);
    }
    s.stripe.renewPeriod(person.subscription);
    await s.stripe.webhooks.idle();
    assert.deepEqual([(await decide(s, person, {})).used, (await usageOf(s, person)).period_end], [71, before.period_end]);
});

/** The first time after `now` that is whole months from `began`, and the one before it. */
function period(began, now) {
    const a = new Date(began);
    const at = (n) => {
        const last = new Date(Date.UTC(a.getUTCFullYear(), a.getUTCMonth() + n + 1, 0)).getUTCDate();
        return Date.UTC(a.getUTCFullYear(), a.getUTCMonth() + n, Math.min(a.getUTCDate(), last)) + began % 86_400_000;
    };
    let n = 0;
    while (at(n + 1) <= now) n++;
    return [at(n), at(n + 1)];
}

test('months are counted from the day a subscription began, a 31st too', async () => {
    const began = '2025-12-31T10:11:12Z';
    const person = await subscriber('pro', { began });
    const [begins, ends] = period(Date.parse(began), Date.now());
    await logCalls(s, person, [{ at: new Date(begins - 1), cost: 3 }, { at: new Date(begins), cost: 20 }]);
    const seen = await usageOf(s, person);
    assert.deepEqual([Date.parse(seen.period_start), Date.parse(seen.period_end)], [begins, ends]);
    const sql = `select usage_period_start($1, $2) as begins, usage_period_end($1, $2) as ends`;
    for (const [year, month, day] of [[2026, 0, 31], [2024, 1, 29], [2026, 2, 30], [2025, 11, 1]]) {
        const from = Date.UTC(year, month, day, 23, 59, 59);
        for (let days = 0; days < 800; days += 13) {
            const now = from + days * 86_400_000 - days % 2;
            if (now < from) continue;
            const [row] = await s.db.query(sql, [new Date(from), new Date(now)]);
            assert.deepEqual([row.begins.getTime(), row.ends.getTime()], period(from, now), `${new Date(now).toISOString()}`);
        }
    }
});

test('what was used before a subscription began is not of its first period, what was used since is', async () => {
    const person = await newCustomer(s);
    const began = Math.floor(Date.now() / 1000) - 3 * 86_400;
    await logCalls(s, person, [-86_400, -1, 0, 1, 86_400].map((n) => ({ at: new Date((began + n) * 1000), cost: 10 })));
    s.stripe.card(person.customer, 'good');
    const subscription = s.stripe.subscribe(person.customer, 'price_basic_monthly');
    s.stripe.update(subscription, { start_date: began }, 'customer.subscription.updated');
    await until(async () => (await usageOf(s, person)).used === 30, { what: 'the period counts' });
    assert.equal(Date.parse((await usageOf(s, person)).period_start), began * 1000);
    s.stripe.cancel(subscription);
    await until(async () => (await usageOf(s, person)).limit === 0, { what: 'access ends' });
    assert.deepEqual([(await decide(s, person, {})).outcome, (await usageOf(s, person)).remaining], ['no_access', 0]);
});

// ---- mails -----------------------------------------------------------------------------------------------------------

const small = await startUsage({ after }, { mail: s.mail, config: { usage: { default_quota: 10 } } });
const quiet = () => until(async () => (await small.db.query(`select from jobs where kind in ('usage.notice', 'mail.send')
    union all select from mail_messages where status not in ('sent', 'failed')`)).length === 0, { what: 'all mails are out' });

async function mails(person) {
    await quiet();
    const all = await s.mail.messages();
    return all.filter((m) => m.to === person.email && /calls/.test(m.subject)).map((m) => m.subject);
}

test('at 80 and at 100 % of a quota there is a mail, each once a period', async () => {
    const person = await newUser(small);
    await decide(small, person, { times: 7 });
    assert.deepEqual(await mails(person), []);
    await decide(small, person, {});
    const warning = await small.mail.waitFor(person.email, { subject: /Most of your/ });
    assert.match(warning.text, /Hello Ada,[^]*used 8 of the 10 calls[^]*\/dashboard/);
    await Promise.all(Array.from({ length: 5 }, () => decide(small, person, {})));
    const reached = await small.mail.waitFor(person.email, { subject: /used up/ });
    assert.match(reached.text, /used 10 of the 10 calls[^]*refused until \d+ \w+ 20\d\d/);
    await Promise.all(Array.from({ length: 5 }, () => decide(small, person, {})));
    assert.equal((await mails(person)).length, 2);
    // The next period.
    await small.db.query(`update entitlements set period_start = period_start - interval '32 days',
        period_end = now() - interval '1 s' where user_id = $1`, [person.id]);
    await small.db.query("delete from mail_messages where unique_name is not null");
    await decide(small, person, { cost: 8 });
    await until(async () => (await mails(person)).length === 3, { what: 'the next period has its mail' });
});

test('whoever turned mails off gets none, and none late', async () => {
    const person = await newUser(small);
    await small.patch('/usage', { notify: false }, { token: person.token });
    await decide(small, person, { cost: 8 });
    await small.patch('/usage', { notify: true }, { token: person.token });
    assert.deepEqual(await mails(person), []);
    await decide(small, person, { times: 3 });
    assert.equal((await small.mail.waitFor(person.email, { subject: /used up/ })).text.includes('10 of the 10'), true);
    assert.equal((await mails(person)).length, 1);
});

test('a notice is of what is true when it is written', async () => {
    const [grown, gone, further] = [await newUser(small), await newUser(small), await newUser(small)];
    const notice = (user, level) => small.db.query(`insert into jobs (kind, payload)
        values ('usage.notice', jsonb_build_object('user', $1::bigint, 'level', $2::integer))`, [user, level]);
    await small.db.query('update entitlements set noticed = 80, used = 5, period_end = now() + interval \'1 day\''
        + ' where user_id = $1', [grown.id]);
    await small.db.query('update entitlements set noticed = 100, used = 10, period_end = now() + interval \'1 day\''
        + ' where user_id = $1', [further.id]);
    await notice(grown.id, 80);
    await notice(further.id, 80);
    await notice(999999, 100);
    await small.request('DELETE', '/profile', { token: gone.token, body: { password: gone.password } });
    await notice(gone.id, 100);
    await quiet();
    for (const person of [grown, gone, further]) assert.deepEqual(await mails(person), []);
});
