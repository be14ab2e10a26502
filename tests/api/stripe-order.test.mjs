// Any order, duplicates, losses, crashes: what is here in the end is what Stripe has.
import { assert, test, until } from '../lib/harness.mjs';
import { runSchedule, settled, startShop } from '../lib/subscribers.mjs';

const RUNS = 300;
const AT_ONCE = 30;

/** A generator of numbers from 0 to 1 that a failed run can be repeated with. */
function random(seed) {
    let state = seed >>> 0;
    return () => {
        state = (state + 0x6D2B79F5) >>> 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
}

function shuffled(list, rand) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i--) {
        const j = Math.floor(rand() * (i + 1));
        [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
}

/** What happens to a subscription; each step makes events, and a GET gives the state of that moment. */
const LIFE = [
    (stripe, life) => { life.sub = stripe.subscribe(life.customer, 'price_basic_monthly'); },
    (stripe, life) => stripe.cancelLater(life.sub),
    (stripe, life) => stripe.resume(life.sub),
    (stripe, life) => stripe.failPayment(life.sub),
    (stripe, life) => stripe.recover(life.sub),
    (stripe, life) => stripe.setStatus(life.sub, 'paused'),
    (stripe, life) => stripe.setStatus(life.sub, 'active'),
    (stripe, life) => stripe.changePrice(life.sub, 'price_pro_monthly'),
    (stripe, life) => stripe.renewPeriod(life.sub),
    (stripe, life) => stripe.cancelLater(life.sub),
];
const ENDED = [...LIFE, (stripe, life) => stripe.cancel(life.sub)];

/** Customers that are there already, as the job makes them after registration. */
async function people(s, count) {
    const made = Array.from({ length: count }, () => s.stripe.call('POST /v1/customers', {}));
    const found = await s.db.query(`insert into users (email, password_hash, first_name, email_verified, stripe_customer_id)
        select c || '@vv.test', 'none', 'Ada', true, c from unnest($1::text[]) with ordinality t (c, n) order by n
        returning id, stripe_customer_id as customer`, [made.map((c) => c.id)]);
    s.stripe.webhooks.lose();
    return found;
}

/** Lives a life, delivering its events as a bad network would. */
async function live(s, life, steps, seed) {
    const rand = random(seed);
    const { webhooks } = s.stripe;
    let waiting = [];
    const delivered = [];
    const mine = (event) => event.data.object.customer === life.customer || event.data.object.id === life.customer;
    const deliver = async (event) => {
        const { status } = await webhooks.deliver(event);
        if (status === 200) delivered.push(event);
        else waiting.push(event); // Stripe comes again
    };
    for (const step of steps) {
        step(s.stripe, life);
        life.events += webhooks.held.filter(mine).length;
        waiting.push(...webhooks.lose(mine).filter(() => rand() > 0.12));
        const now = shuffled(waiting, rand).slice(0, Math.floor(rand() * (waiting.length + 1)));
        waiting = waiting.filter((event) => !now.includes(event));
        if (delivered.length && rand() < 0.3) now.push(delivered[Math.floor(rand() * delivered.length)]);
        await Promise.all(now.map(deliver));
    }
    // The last may have been lost as well: reconciliation is what is left then.
    for (let tries = 0; waiting.length && tries < 100; tries++) {
        const now = shuffled(waiting, rand);
        waiting = [];
        for (const event of now) await deliver(event);
        if (waiting.length) await until(async () => (await s.get('/health/ready')).status === 200, { what: 'it is back' });
    }
    assert.deepEqual(waiting, [], 'every event was taken in the end');
}

const seconds = (time) => (time === null ? null : time.getTime() / 1000);

/** The row as it has to be: what Stripe has now. */
function expected(s, life) {
    const sub = s.stripe.get(life.sub);
    const [item] = sub.items.data;
    return {
        user_id: life.id, stripe_subscription_id: sub.id, stripe_customer_id: life.customer, stripe_price_id: item.price.id,
        plan_name: { price_basic_monthly: 'Basic', price_pro_monthly: 'Pro' }[item.price.id], status: sub.status, revoked: null,
        current_period_start: item.current_period_start, current_period_end: item.current_period_end, anchor: sub.start_date,
        cancel_at_period_end: sub.cancel_at_period_end, cancel_at: sub.cancel_at, ended_at: sub.ended_at,
        trial_start: null, trial_end: null, created_at: sub.created,
    };
}

async function actual(s, lives) {
    const found = await s.db.query(`select user_id, stripe_subscription_id, stripe_customer_id, stripe_price_id, plan_name,
        status, revoked, current_period_start, current_period_end, anchor, cancel_at_period_end, cancel_at, ended_at,
        trial_start, trial_end, created_at from subscriptions where user_id = any ($1::bigint[])`, [lives.map((l) => l.id)]);
    return found.map((row) => Object.fromEntries(Object.entries(row)
        .map(([key, value]) => [key, value instanceof Date ? seconds(value) : value])))
        .sort((a, b) => Number(a.user_id) - Number(b.user_id));
}

async function allLive(s, lives, steps, seed) {
    let next = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (next < lives.length) {
            const index = next++;
            await live(s, lives[index], steps, seed + index);
        }
    }));
}

/** Everything that is lost is found by reconciliation, and then nothing moves any more. */
async function compare(s, lives) {
    await settled(s, 30_000);
    for (const schedule of ['stripe.events', 'stripe.reconcile']) await runSchedule(s, schedule);
    const wanted = lives.map((life) => expected(s, life)).sort((a, b) => Number(a.user_id) - Number(b.user_id));
    const wantedText = JSON.stringify(wanted);
    const same = async () => JSON.stringify(await actual(s, lives)) === wantedText;
    await until(same, { timeout: 40_000, step: 200, what: 'all rows are as Stripe has them' }).catch(async () => {
        assert.deepEqual(await actual(s, lives), wanted);
    });
    await settled(s, 30_000);
    assert.deepEqual(await actual(s, lives), wanted);
}

test(`${RUNS} lives in random order, with duplicates, losses and kills, end in the same row`, async (t) => {
    const seed = Number(process.env.VV_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`VV_SEED=${seed}`);
    const s = await startShop(t, { config: { server: { job_workers: 2 } } });
    s.stripe.webhooks.hold();
    const lives = (await people(s, RUNS)).map((person) => ({ ...person, events: 0 }));
    let killing = true;
    const killer = (async () => {
        for (let i = 0; killing; i++) {
            await until(() => !killing || s.processes('jobs').length === 2, { timeout: 30_000, what: 'both job workers' });
            await new Promise((resolve) => setTimeout(resolve, 1500));
            if (!killing) break;
            const role = i % 4 === 3 ? 'worker' : 'jobs';
            const victims = s.processes(role);
            if (victims.length) s.kill(victims[i % victims.length].pid);
        }
    })();
    await allLive(s, lives.filter((_, i) => i % 3), LIFE, seed);
    await allLive(s, lives.filter((_, i) => i % 3 === 0), ENDED, seed + 1000);
    killing = false;
    await killer;
    assert.ok(lives.every((life) => life.events >= 12), 'each makes 12 events at least');
    await compare(s, lives);
    const states = new Set((await actual(s, lives)).map((row) => `${row.status} ${row.plan_name} ${row.cancel_at_period_end}`));
    assert.deepEqual([...states].sort(), ['active Pro true', 'canceled Pro true'].sort());
    assert.deepEqual(s.log.filter((line) => /deadlock|duplicate key/.test(line.message)), []);
});
