// People who subscribe, for tests of what Stripe tells: their rows, and waiting until everything has been taken in.
import assert from 'node:assert/strict';
import { login, register, verify } from './accounts.mjs';
import { startServer } from './server.mjs';
import { until } from './process.mjs';

/** A server with Stripe's stand-in beside it: server.stripe. */
export function startShop(t, { config, ...more } = {}) {
    return startServer(t, { plugins: ['auth', 'mail', 'stripe'], ...more, config });
}

/** Somebody signed in who has a customer at Stripe: {…person, token, customer} */
export async function newCustomer(s, fields) {
    const person = await register(s, fields);
    await verify(s, person);
    const signedIn = await login(s, person);
    const customer = await until(async () => {
        const [row] = await s.db.query('select stripe_customer_id from users where id = $1', [person.id]);
        return row.stripe_customer_id;
    }, { what: 'the customer is made' });
    return { ...signedIn, id: person.id, customer };
}

export const auth = (person) => ({ headers: { authorization: `Bearer ${person.token}` } });

/** Their subscriptions here, without what says only how often and when we looked. */
export function rows(s, person) {
    return s.db.query(`select stripe_subscription_id, stripe_customer_id, stripe_price_id, user_id, plan_name, status,
        revoked, current_period_start, current_period_end, anchor, cancel_at_period_end, cancel_at, ended_at, trial_start,
        trial_end, created_at from subscriptions where user_id = $1 order by created_at, stripe_subscription_id`, [person.id]);
}

/** Waits until no job is due any more and every event is settled. */
export function settled(s, timeout = 20_000) {
    return until(async () => {
        const [{ open }] = await s.db.query(`select (select count(*) from jobs where kind like 'stripe.%' and state <> 'dead')
            + (select count(*) from stripe_events where processed_at is null) as open`);
        return Number(open) === 0;
    }, { timeout, what: 'everything of Stripe is taken in' });
}

/** Lets a schedule run now. */
export async function runSchedule(s, name) {
    const [{ now }] = await s.db.query('select clock_timestamp() as now');
    await s.db.query("update schedules set next_run = now() - interval '1 second' where name = $1", [name]);
    await until(async () => {
        const [row] = await s.db.query('select last_run from schedules where name = $1', [name]);
        return row?.last_run >= now;
    }, { what: `${name} ran` });
}

/** The one row of a person with what is expected of it. */
export async function expectRow(s, person, expected, timeout = 20_000) {
    let found;
    await until(async () => {
        found = await rows(s, person);
        return found.length === 1 && Object.entries(expected).every(([key, value]) => found[0][key] === value);
    }, { timeout, what: `a row with ${JSON.stringify(expected)}` }).catch((error) => {
        assert.deepEqual(found, [expected], error.message);
    });
    return found[0];
}
