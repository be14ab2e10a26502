// How fast events of Stripe are taken in, against pgbench's single-row INSERT: each is a row and a job, durably.
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { startStripe } from '../peers/stripe/index.mjs';
import { pgBin } from '../lib/postgres.mjs';
import { mustRun, ROOT, tempDir } from '../lib/process.mjs';
import { startServer } from '../lib/server.mjs';
import { compare, pgbench, report, ROUNDS, SCALE } from './tools.mjs';

const EVENTS = 200_000 * SCALE;
const CUSTOMERS = 20_000;
const CONNECTIONS = 64;
const PATIENCE = 200; // seconds for a round; signatures are good for 300
const here = path.join(ROOT, 'tests/load');

const INSERT = `\\set user random(1, 100000)
insert into bench_single (user_id, what) values (:user, 'customer.subscription.updated');
`;

/** A file of `count` events from number `from` on, all different, signed by the official SDK just now. */
function sign(stripe, file, like, from, count) {
    const out = openSync(file, 'w');
    const timestamp = Math.floor(Date.now() / 1000);
    for (let n = from; n < from + count; n++) {
        const event = { ...like, id: `evt_bench${n}`, data: { object: { ...like.data.object, customer: `cus_bench${n % CUSTOMERS}` } } };
        const { body, headers } = stripe.webhooks.signed(event, { body: JSON.stringify(event), timestamp });
        writeSync(out, `${headers['Stripe-Signature']}\t${body}\n`);
    }
    closeSync(out);
}

async function intake(s, file, count) {
    const { stdout } = await mustRun('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${PATIENCE}s`, '-s', path.join(here, 'webhooks.lua'),
        s.url, '--', file, String(count), String(CONNECTIONS)], { timeout: (PATIENCE + 30) * 1000 });
    const [, answered, refused, seconds] = stdout.match(/answered (\d+) refused (\d+) seconds (-?[\d.]+)/) ?? [];
    if (!answered || Number(refused) > 0 || Number(answered) < count) throw new Error(`not every event was taken:\n${stdout}`);
    return count / Number(seconds);
}

/** Intake of 200,000 events in as many rounds as everything is measured in; Stripe's API is away meanwhile. */
export async function benchWebhooks(t, cluster) {
    const stripe = await startStripe(t);
    const s = await startServer(t, {
        plugins: ['auth', 'mail', 'stripe'], postgres: cluster, stripe, config: { server: { log_level: 'error' } },
    });
    const dir = tempDir(t);
    const script = path.join(dir, 'insert.sql');
    const events = path.join(dir, 'events');
    writeFileSync(script, INSERT);
    await mustRun(`${pgBin()}/psql`, ['-q', cluster.url(), '-c', `create table bench_single (id bigserial primary key,
        user_id bigint not null, what text not null, at timestamptz not null default now())`]);
    stripe.webhooks.hold();
    const customer = stripe.call('POST /v1/customers', {});
    stripe.subscribe(customer, 'price_pro_monthly');
    const like = structuredClone(stripe.events.find((e) => e.type === 'customer.subscription.created'));
    await stripe.stop();
    const each = Math.ceil(EVENTS / ROUNDS);
    let from = 0;
    const figures = await compare({
        pgbench: () => pgbench(cluster.url(), ['-f', script]),
        vvserver: async () => {
            sign(stripe, events, like, from, each);
            from += each;
            return intake(s, events, each);
        },
    });
    const [{ count }] = await s.db.query("select count(*) from stripe_events where id like 'evt_bench%'");
    if (Number(count) !== from) throw new Error(`${from} events were answered 200, ${count} are stored`);
    report(`${from} webhooks of Stripe against pgbench's single-row INSERT`, figures.vvserver / figures.pgbench, 0.4,
        `${Math.round(figures.vvserver)}/s against ${Math.round(figures.pgbench)}/s`);
    await s.stop();
}
