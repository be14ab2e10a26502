// How fast calls are decided about and recorded, against pgbench's single-row durable INSERT; and the profile with every plugin on.
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { pgBin } from '../lib/postgres.mjs';
import { mustRun, ROOT, tempDir } from '../lib/process.mjs';
import { startServer } from '../lib/server.mjs';
import { compare, pgbench, report, wrk } from './tools.mjs';

const here = path.join(ROOT, 'tests/load');
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN = 'a-service-token-of-the-bench-0123456789';
const INSERT = `\\set user random(1, 100000)
insert into bench_usage (user_id, what) values (:user, '/search');
`;

/** A key of the server's own form: 37 characters at random, and their checksum. */
export function makeKey() {
    const body = Array.from(randomBytes(37), (byte) => DIGITS[byte % 62]).join('');
    let sum = '';
    for (let rest = crc32(body), i = 0; i < 6; i++, rest = Math.floor(rest / 62)) sum = DIGITS[rest % 62] + sum;
    return `vv_${body}${sum}`;
}

/** Users who all pay for Pro, with a key each, and a log of what they did in the last 30 days. */
export async function fillUsers(s, users, calls) {
    const sql = (text, params) => s.db.query(text, params);
    await sql(`insert into users (email, password_hash, first_name, last_name, email_verified)
        select 'user' || n || '@bench.test', 'none', 'Ada', 'Lovelace', true from generate_series(1, $1::int) n`, [users]);
    await sql(`insert into subscriptions (user_id, stripe_subscription_id, stripe_price_id, plan_name, status, anchor,
            current_period_start, current_period_end)
        select id, 'sub_' || id, 'price_pro_monthly', 'Pro', 'active', now() - interval '40 days', now() - interval '9 days',
            now() + interval '21 days' from users`);
    await sql(`insert into entitlements (user_id, email, verified, plan_id, status, access_until, anchor)
        select u.id, u.email, true, 'pro', 'active', s.current_period_end + interval '24 hours', s.anchor
        from users u join subscriptions s on s.user_id = u.id
        on conflict (user_id) do update set plan_id = excluded.plan_id, status = excluded.status,
            access_until = excluded.access_until, anchor = excluded.anchor`);
    const keys = Array.from({ length: users }, makeKey);
    for (let at = 0; at < users; at += 10_000) {
        const part = keys.slice(at, at + 10_000);
        await sql(`insert into api_keys (user_id, api_key, key_prefix, name)
            select u.id, decode(k.digest, 'hex'), left(k.key, 9), 'Default'
            from unnest($1::text[], $2::text[]) with ordinality k (key, digest, n)
            join (select id, row_number() over (order by id) as n from users) u on u.n = k.n + $3`,
        [part, part.map((key) => createHash('sha256').update(key).digest('hex')), at]);
    }
    await sql(`insert into usage_logs (user_id, api_endpoint, timestamp)
        select 1 + floor(random() * $1::int), '/search', now() - random() * interval '30 days'
        from generate_series(1, $2::int) order by 3`, [users, calls]);
    for (const table of ['users', 'subscriptions', 'entitlements', 'api_keys', 'usage_logs']) await sql(`analyze ${table}`);
    const file = path.join(tempDir(s.t), 'keys');
    writeFileSync(file, `${keys.slice(0, 100_000).join('\n')}\n`);
    return file;
}

/** Everything on, `users` users and `calls` rows in the log. */
export async function benchValidate(t, cluster, { users, calls, bar }) {
    const s = await startServer(t, {
        plugins: ['auth', 'mail', 'stripe', 'usage', 'apikeys'], postgres: cluster, ...(process.env.VV_BENCH_PLUGINS && { pluginDir: process.env.VV_BENCH_PLUGINS }),
        config: { server: { log_level: 'warning' }, apikeys: process.env.VV_BENCH_PLUGINS ? {} : { service_tokens: TOKEN } },
    });
    const keys = await fillUsers(s, users, calls);
    await mustRun(`${pgBin()}/psql`, ['-q', cluster.url(), '-c', `create table if not exists bench_usage (
        id bigserial primary key, user_id bigint not null, what text not null, at timestamptz not null default now())`]);
    const script = path.join(tempDir(t), 'insert.sql');
    writeFileSync(script, INSERT);
    const latency = [];
    let answered = 0;
    const figures = await compare({
        pgbench: () => pgbench(cluster.url(), ['-f', script]),
        vvserver: async () => {
            const run = await wrk(s.url, { script: path.join(here, 'validate.lua'), args: [keys, TOKEN] });
            latency.push(run);
            answered += run.requests;
            return run.rate;
        },
    });
    const [{ count, used }] = await s.db.query(`select (select count(*) from usage_logs where api_endpoint = '/search'
        and id > $1::bigint) as count, (select sum(used) from entitlements) as used`, [calls]);
    if (Number(used) < answered) throw new Error(`${answered} calls were allowed, ${used} are counted`);
    const what = `POST /api-keys/validate, ${users} users, ${calls} logged calls`;
    report(`${what}, against pgbench's single-row INSERT`, figures.vvserver / figures.pgbench, bar,
        `${Math.round(figures.vvserver)}/s against ${Math.round(figures.pgbench)}/s`);
    const [{ p50, p99 }] = latency.sort((a, b) => a.p99 / a.p50 - b.p99 / b.p50).slice(Math.floor(latency.length / 2));
    report('5 times its p50 against its p99', 5 * p50 / p99, 1, `p50 ${p50} ms, p99 ${p99} ms`);
    return { s, keys };
}
