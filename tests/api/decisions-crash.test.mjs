// kill -9 of any part under load: every call that was answered 200 is in the log once and in the counter, and none twice.
import { assert, startPostgres, test, until, vvctl } from '../lib/harness.mjs';
import { newCallers, startBeside, startCalls } from '../lib/callers.mjs';
import { login, PASSWORD } from '../lib/accounts.mjs';
import { validate } from '../lib/keys.mjs';

const SECONDS = Number(process.env.VV_CRASH_SECONDS ?? 45);
const LANES = 24;
const random = (n) => Math.floor(Math.random() * n);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Calls one after the other until done(), each under a name of its own. What is answered 200 is written down, and what got
 * no answer, or 503, is asked again under the same Idempotency-Key, as the documents say; half of the lanes have none.
 */
async function lane(number, servers, people, book, done) {
    for (let n = 0; !done(); n++) {
        const call = { person: people[random(people.length)], endpoint: `/lane${number}/${n}`, cost: 1 + random(3), times: 0 };
        const headers = number % 2 ? { 'idempotency-key': `lane${number}.${n}` } : {};
        book.push(call);
        do {
            const server = servers[random(servers.length)];
            const reply = await validate(server, call.person.key, { endpoint: call.endpoint, cost: call.cost }, { headers })
                .catch(() => null);
            call.times++;
            call.status = reply?.status ?? 'lost';
            if (reply && ![200, 503, 409].includes(reply.status)) assert.fail(`${reply.status} ${reply.text}`);
            // A refused connection answers at once: give the others the processor.
            if (call.status !== 200) await pause(5);
        } while (call.status !== 200 && number % 2 && !done());
    }
}

/** What is killed, each by its turn and by chance. */
function blows(servers, postgres) {
    const restart = async (how) => {
        await postgres.stop(how);
        await pause(random(400));
        await postgres.start();
    };
    const kill = (server, role) => {
        const of = server.processes(role);
        if (of.length) server.kill(of[random(of.length)].pid);
    };
    const any = () => servers[random(servers.length)];
    return {
        'a worker': () => kill(any(), 'worker'),
        'all workers of a server': () => any().processes('worker').forEach((p) => process.kill(p.pid, 'SIGKILL')),
        'the job worker': () => kill(any(), 'jobs'),
        'a leader': () => kill(any(), 'leader'),
        'a server': async () => {
            const server = any();
            await server.crash();
            await pause(random(300));
            await server.start();
        },
        'PostgreSQL, by kill -9': () => restart('kill'),
        'PostgreSQL, at once': () => restart('immediate'),
        'every backend': () => postgres.query("select pg_terminate_backend(pid) from pg_stat_activity"
            + " where datname like 'vv_%' and pid <> pg_backend_pid()"),
    };
}

async function check(s, people, book) {
    const rows = await s.db.query(`select user_id::int, api_endpoint, cost, count(*)::int as times from usage_logs
        group by 1, 2, 3`);
    const found = new Map(rows.map((row) => [row.api_endpoint, row]));
    const known = new Set(book.map((call) => call.endpoint));
    assert.deepEqual(rows.filter((row) => row.times > 1 || !known.has(row.api_endpoint)), [], 'nothing is there twice');
    for (const call of book) {
        const row = found.get(call.endpoint);
        if (call.status === 200) assert.ok(row, `${call.endpoint} was answered 200`);
        if (row) assert.deepEqual([row.user_id, row.cost], [call.person.id, call.cost]);
    }
    const sums = await s.db.query(`select e.user_id::int, e.used::int, coalesce(sum(l.cost), 0)::int as cost
        from entitlements e left join usage_logs l on l.user_id = e.user_id and l.timestamp >= e.period_start group by 1, 2`);
    assert.equal(sums.length, people.length + 1);
    assert.deepEqual(sums.filter((row) => row.used !== row.cost), [], 'the counters say what the log says');
}

test(`for ${SECONDS} s of kill -9 at random, no call is lost and none is counted twice`, { timeout: 170_000 }, async (t) => {
    const postgres = await startPostgres(t);
    const config = { server: { workers: 3 }, database: { connect_timeout: '1s' } };
    const first = await startCalls(t, { postgres, config });
    const servers = [first, await startBeside(t, first, { config })];
    postgres.query = (sql) => first.db.query(sql).catch(() => {});
    const email = 'one@vv.test';
    const { json } = await first.post('/auth/register', { email, password: PASSWORD, first_name: 'Ada', last_name: 'Byron' });
    const people = await newCallers(first, 12);
    const book = [];
    let ended = false;
    const lanes = Promise.all(Array.from({ length: LANES }, (_, i) =>
        lane(i, servers, [...people, { id: json.user_id, key: json.api_key }], book, () => ended)));
    const answered = () => book.filter((call) => call.status === 200).length;

    const kinds = blows(servers, postgres), began = Date.now(), struck = [];
    try {
        while (Date.now() - began < SECONDS * 1000) {
            const name = struck.length < Object.keys(kinds).length ? Object.keys(kinds)[struck.length]
                : Object.keys(kinds)[random(Object.keys(kinds).length)];
            struck.push(name);
            await kinds[name]();
            // Between blows some calls get through, so that each falls into work under way.
            const from = answered();
            await until(() => answered() > from + random(100),
                { timeout: 30_000, what: `calls pass again after ${struck.at(-1)}` });
            await pause(random(300));
        }
    } finally {
        ended = true;
        await lanes;
    }
    t.diagnostic(`${struck.length} blows, ${book.length} calls, ${answered()} answered 200, ${
        book.filter((call) => call.times > 1 && call.status === 200).length} of them asked again`);
    assert.ok(answered() > 1000, `${answered()} calls were answered`);
    await check(first, people, book);

    const counters = () => first.db.query('select user_id, used, period_start, period_end from entitlements order by user_id');
    const before = await counters();
    const rebuilt = await vvctl(first, ['usage', 'rebuild']);
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    assert.match(rebuilt.stdout, /roll-ups: 0 rows were wrong\nused: of \d+ users 0 were wrong/);
    assert.deepEqual(await counters(), before);
    await check(first, people, book);

    const person = await login(first, { email, password: PASSWORD });
    for (const upto of ["now() - interval '20 seconds'", 'now()']) {
        await first.db.query(`select usage_roll_up(${upto})`);
        const from = new Date(began - 3600_000).toISOString();
        const { json: { series } } = await first.get(`/usage/history?from=${from}`, { token: person.token });
        const rows = await first.db.query('select api_endpoint, cost from usage_logs where user_id = $1', [person.user_id]);
        assert.deepEqual(series.map((b) => `${b.endpoint} ${b.calls} ${b.cost}`).sort(),
            rows.map((row) => `${row.api_endpoint} 1 ${row.cost}`).sort());
    }
});
