// Accounts with an API key each, by SQL where how one comes by them is not the subject, and what became of their calls.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { merge } from './config.mjs';
import { strangeKey } from './keys.mjs';
import { startServer } from './server.mjs';
import { until } from './process.mjs';

let number = 0;

/** A server for calls without mail: who registers counts as verified. `more` as for startServer; quota: of everybody. */
export function startCalls(t, { config, quota = 'unlimited', plugins = [], ...more } = {}) {
    return startServer(t, {
        plugins: ['auth', 'usage', 'apikeys', ...plugins], ...more,
        config: merge({
            auth: { require_verification: 'false', issuer: 'tests' }, usage: { rate_limit: 'off', default_quota: quota },
        }, config),
    });
}

/** Another server on the same database. */
export function startBeside(t, s, options) {
    return startCalls(t, { ...options, database: s.db, mail: s.mail, stripe: s.stripe });
}

/** n accounts that nobody registered: [{id, email, key}]. */
export async function newCallers(s, n) {
    const people = Array.from({ length: n }, () => ({ email: `caller${++number}.${process.pid}@vv.test`, key: strangeKey() }));
    const digest = (key) => createHash('sha256').update(key).digest('hex');
    const rows = await s.db.query(`with asked as materialized (select * from unnest($1::text[], $2::text[]) t (email, digest)),
        people as (insert into users (email, password_hash, first_name, last_name, email_verified)
            select email, 'none', 'Ada', 'Lovelace', true from asked order by email returning id, email),
        entitled as (insert into entitlements (user_id, email, verified) select id, email, true from people)
        insert into api_keys (user_id, api_key, key_prefix, name) select p.id, decode(a.digest, 'hex'), 'vv_', 'Default'
            from people p join asked a using (email) returning user_id, encode(api_key, 'hex') as digest`,
    [people.map((p) => p.email), people.map((p) => digest(p.key))]);
    const ids = new Map(rows.map((row) => [row.digest, Number(row.user_id)]));
    return people.map((p) => ({ ...p, id: ids.get(digest(p.key)) }));
}

export const newCaller = async (s) => (await newCallers(s, 1))[0];

/** How many replies have each status: {200: 3, 429: 1}. */
export function statuses(replies) {
    return Object.fromEntries([...Map.groupBy(replies, (r) => r.status)].map(([status, all]) => [status, all.length]));
}

/** What the log has of a person: {calls, cost}. */
export async function logged(s, person) {
    const [row] = await s.db.query('select count(*) as calls, coalesce(sum(cost), 0) as cost from usage_logs where user_id = $1',
        [person.id]);
    return { calls: Number(row.calls), cost: Number(row.cost) };
}

/** What a person has used, by the row that decides. */
export async function usedBy(s, person) {
    const [row] = await s.db.query('select used from entitlements where user_id = $1', [person.id]);
    return Number(row.used);
}

/** The counter says what the log says, and both say so. */
export async function assertUsed(s, person, cost, calls = cost) {
    assert.deepEqual({ ...await logged(s, person), used: await usedBy(s, person) }, { calls, cost, used: cost });
}

/** Runs fn while the test holds a lock: sql in a transaction that ends when fn has. */
export async function holding(s, sql, params, fn) {
    const client = await s.db.connect();
    try {
        await client.query('begin');
        await client.query(sql, params);
        return await fn(async () => { await client.query('commit'); });
    } finally {
        await client.query('rollback').catch(() => {});
        client.release();
    }
}

/** Holds a person's row, as whoever changes it does. */
export function holdingRow(s, person, fn) {
    return holding(s, 'select from entitlements where user_id = $1 for update', [person.id], fn);
}

/** Waits until n backends of this database wait for a lock. */
export function waiting(s, n = 1) {
    return until(async () => {
        const [{ count }] = await s.db.query(`select count(distinct pid) from pg_locks where not granted
            and pid in (select pid from pg_stat_activity where datname = current_database())`);
        return Number(count) >= n;
    }, { step: 5, what: `${n} wait for a lock` });
}

export async function deadlocks(s) {
    const [row] = await s.db.query('select deadlocks from pg_stat_database where datname = current_database()');
    return Number(row.deadlocks);
}

/** Waits until no job of usage is left: the start's makes rows what accounts and subscriptions say, a deletion's forgets. */
export function usageIdle(s) {
    return until(async () => (await s.db.query("select from jobs where kind like 'usage.%'")).length === 0,
        { what: 'no job of usage is left' });
}
