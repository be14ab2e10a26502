// Who calls in the benches: many users who all pay, each with a key and a history, put straight into the tables.
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { login, newUser, PASSWORD } from '../lib/accounts.mjs';
import { tempDir } from '../lib/process.mjs';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const PART = 10_000;
const SAMPLE = 100_000; // wrk holds a request for each key

/** A key of the server's own form: 37 characters at random, and their checksum. */
export function makeKey() {
    const body = Array.from(randomBytes(37), (byte) => DIGITS[byte % 62]).join('');
    let sum = '';
    for (let rest = crc32(body), i = 0; i < 6; i++, rest = Math.floor(rest / 62)) sum = DIGITS[rest % 62] + sum;
    return `vv_${body}${sum}`;
}

const addressOf = (n) => `user${n}@bench.test`;

/** So many users, numbered from 0, who are verified and all have one password. */
export async function fillAccounts(s, users) {
    const first = await newUser(s, { email: addressOf(0) });
    await s.db.query(`insert into users (email, password_hash, first_name, last_name, email_verified)
        select 'user' || n || '@bench.test', (select password_hash from users where id = $1), 'Ada', 'Lovelace', true
        from generate_series(1, $2::int - 1) n`, [first.id, users]);
    await s.db.query('analyze users');
}

/** Signs in the first of them. → a file of their tokens, one a line */
export async function signIn(s, count) {
    const tokens = [];
    let next = 0;
    await Promise.all(Array.from({ length: 32 }, async () => {
        while (next < count) tokens.push((await login(s, { email: addressOf(next++), password: PASSWORD })).token);
    }));
    const file = path.join(tempDir(s.t), 'tokens');
    writeFileSync(file, `${tokens.join('\n')}\n`);
    return file;
}

/** Gives each user a key. → a file of at most SAMPLE of them, those of users here and there; one a line */
async function fillKeys(s) {
    const keys = [];
    // Those that came with the registrations are nobody's by now.
    await s.db.query('delete from api_keys');
    const users = (await s.db.query('select id from users order by id')).map(({ id }) => id);
    for (let at = 0; at < users.length; at += PART) {
        const part = users.slice(at, at + PART).map((user) => ({ user, key: makeKey() }));
        await s.db.query(`insert into api_keys (user_id, api_key, key_prefix, name)
            select user_id, decode(digest, 'hex'), prefix, 'Default'
            from unnest($1::bigint[], $2::text[], $3::text[]) as t (user_id, digest, prefix)`,
        [part.map(({ user }) => user), part.map(({ key }) => createHash('sha256').update(key).digest('hex')),
            part.map(({ key }) => key.slice(0, 9))]);
        for (const { key } of part) keys.push(key);
    }
    const sample = users.length <= SAMPLE ? keys : keys.filter((_, n) => n % Math.ceil(users.length / SAMPLE) === 0);
    const file = path.join(tempDir(s.t), 'keys');
    writeFileSync(file, `${sample.join('\n')}\n`);
    return file;
}

/** Calls of the last 30 days, and the hours that the roll-up would have made of them meanwhile. */
async function fillLog(s, users, calls) {
    const client = await s.db.connect();
    try {
        await client.query('begin');
        await client.query("select usage_make_partition(now() - interval '30 days'), until from usage_rollup for update");
        await client.query(`insert into usage_logs (user_id, api_endpoint, timestamp)
            select (select min(id) from users) + floor(random() * $1::int), '/search', now() - random() * interval '30 days'
            from generate_series(1, $2::int) order by 3`, [users, calls]);
        await client.query("update usage_rollup set until = '-infinity'");
        await client.query("select usage_roll_up(now() - interval '1 minute')");
        await client.query('commit');
    } finally {
        client.release();
    }
}

/** So many users who all pay for Pro, with a key each, and a log of what they did in the last 30 days. → a file of the keys */
export async function fillSubscribers(s, users, calls) {
    await fillAccounts(s, users);
    await s.db.query(`insert into subscriptions (user_id, stripe_subscription_id, stripe_price_id, plan_name, status, anchor,
            current_period_start, current_period_end)
        select id, 'sub_' || id, 'price_pro_monthly', 'Pro', 'active', now() - interval '40 days', now() - interval '9 days',
            now() + interval '21 days' from users`);
    await s.db.query(`insert into entitlements (user_id, email, verified, plan_id, status, access_until, anchor)
        select u.id, u.email, true, 'pro', 'active', s.current_period_end + interval '24 hours', s.anchor
        from users u join subscriptions s on s.user_id = u.id
        on conflict (user_id) do update set plan_id = excluded.plan_id, status = excluded.status,
            access_until = excluded.access_until, anchor = excluded.anchor`);
    const keys = await fillKeys(s);
    await fillLog(s, users, calls);
    for (const table of ['users', 'subscriptions', 'entitlements', 'api_keys', 'usage_logs', 'usage_hours'])
        await s.db.query(`vacuum analyze ${table}`);
    return keys;
}
