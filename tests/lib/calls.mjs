// Calls that are decided about and counted, for tests of usage.
import { merge } from './config.mjs';
import { startServer } from './server.mjs';

/** A server that counts calls; `decider` lets tests make them. */
export function startUsage(t, { config, plugins = [], ...more } = {}) {
    return startServer(t, { plugins: ['auth', 'mail', 'usage', 'decider', ...plugins], ...more,
        config: merge({ usage: { rate_limit: 'off' } }, config) });
}

/** Decides about a person's calls → the last verdict; see tests/plugins/decider. */
export async function decide(s, person, body) {
    const reply = await s.post('/decider/decide', { user: person.id, ...body });
    if (reply.status !== 200) throw new Error(`decide: ${reply.status} ${reply.text}`);
    return reply.json;
}

/** What the person is told. */
export async function usageOf(s, person) {
    const reply = await s.get('/usage', { token: person.token });
    if (reply.status !== 200) throw new Error(`/usage: ${reply.status} ${reply.text}`);
    return reply.json;
}

/** The row a decision reads. */
export async function entitlements(s, person) {
    return (await s.db.query('select * from entitlements where user_id = $1', [person.id]))[0];
}

/** Puts calls into the log as they would lie there: [{at, endpoint, cost}]. What the roll-ups have of those hours goes. */
export async function logCalls(s, person, calls) {
    const client = await s.db.connect();
    try {
        await client.query('begin');
        await client.query('select from usage_rollup for update');
        await client.query(`insert into usage_logs (user_id, api_endpoint, timestamp, cost)
            select $1, t.endpoint, t.at, coalesce(t.cost, 1)
            from jsonb_to_recordset($2::jsonb) as t (at timestamptz, endpoint text, cost integer)`,
        [person.id, JSON.stringify(calls)]);
        await client.query(`update usage_rollup set until = least(until, (select date_trunc('hour', min(at), 'UTC')
            from jsonb_to_recordset($1::jsonb) as t (at timestamptz)))`, [JSON.stringify(calls)]);
        await client.query('delete from usage_hours where hour >= (select until from usage_rollup)');
        await client.query('delete from usage_totals');
        await client.query(`insert into usage_totals select user_id, sum(calls), sum(cost) from usage_hours group by user_id`);
        await client.query('commit');
    } finally {
        client.release();
    }
}

/** Takes what lies before a time into the roll-ups. */
export async function rollUp(s, upto = 'now()') {
    return Number((await s.db.query(`select usage_roll_up(${upto}) as rows`))[0].rows);
}
