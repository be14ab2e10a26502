// How fast calls are decided about and recorded, against pgbench's single-row durable INSERT.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { pgBin } from '../lib/postgres.mjs';
import { SERVICE_TOKEN } from '../lib/config.mjs';
import { mustRun, ROOT, tempDir } from '../lib/process.mjs';
import { compare, pgbench, report, wrk } from './tools.mjs';

const here = path.join(ROOT, 'tests/load');
const INSERT = `\\set user random(1, 100000)
insert into bench_usage (user_id, what) values (:user, '/search');
`;

/** What lies in the log beyond what was put there, and in the counters: both are all that was ever allowed. */
async function counted(s, calls) {
    const [{ rows, used }] = await s.db.query(`select (select count(*) from usage_logs) as rows, sum(used) as used
        from entitlements`);
    return { rows: Number(rows) - calls, used: Number(used) };
}

/** s: a server whose subscribers have made so many calls; keys: a file of theirs; steady: the p99 has a bar too. */
export async function benchValidate(t, cluster, { s, keys, users, calls, bar, steady }) {
    await mustRun(`${pgBin()}/psql`, ['-q', cluster.url(), '-c', `create table if not exists bench_usage (
        id bigserial primary key, user_id bigint not null, what text not null, at timestamptz not null default now())`]);
    const script = path.join(tempDir(t), 'insert.sql');
    writeFileSync(script, INSERT);
    const runs = [];
    const figures = await compare({
        pgbench: () => pgbench(cluster.url(), ['-f', script]),
        vvserver: async () => {
            runs.push(await wrk(s.url, { script: path.join(here, 'validate.lua'), args: [keys, SERVICE_TOKEN] }));
            return runs.at(-1).rate;
        },
    });
    const answered = runs.reduce((sum, { requests }) => sum + requests, 0);
    const { rows, used } = await counted(s, calls);
    if (rows !== used || used < answered)
        throw new Error(`${answered} calls were allowed, ${rows} are in the log, ${used} are counted`);
    report(`POST /api-keys/validate, ${users} users, ${calls} logged calls, against pgbench's single-row INSERT`,
        figures.vvserver / figures.pgbench, bar, `${Math.round(figures.vvserver)}/s against ${Math.round(figures.pgbench)}/s`);
    const spread = runs.toSorted((a, b) => a.p99 / a.p50 - b.p99 / b.p50);
    const { p50, p99 } = spread[Math.floor(spread.length / 2)];
    // Where most pages are touched for the first time since a checkpoint, the disk decides the p99.
    if (steady) report('5 times its p50 against its p99', 5 * p50 / p99, 1, `p50 ${p50} ms, p99 ${p99} ms`);
    else console.log(`     p50 ${p50} ms, p99 ${p99} ms`);
}
