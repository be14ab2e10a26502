// What every bench uses: wrk, pgbench and nginx, their figures, and the median of several runs.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { canConnect, cleanup, freePort, mustRun, spawnBound, tempDir, until } from '../lib/process.mjs';
import { pgBin } from '../lib/postgres.mjs';

export const SECONDS = Number(process.env.VV_BENCH_SECONDS || 10);
export const ROUNDS = Number(process.env.VV_BENCH_ROUNDS || 3);
/** What is measured may be tried with a part of the users and rows; only at 1 do the ratios mean anything. */
export const SCALE = Number(process.env.VV_BENCH_SCALE || 1);

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const UNITS = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

/** One run of wrk → {rate, requests, p50, p99} (a second, all, milliseconds). Each answer has to be a success, or a refusal. */
export async function wrk(url, { connections = 64, script, args = [], seconds = SECONDS, refused = false } = {}) {
    const { stdout } = await mustRun('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency',
        ...(script ? ['-s', script] : []), url, '--', ...args], { timeout: (seconds + 30) * 1000 });
    const latency = (name) => {
        const [, value, unit] = stdout.match(new RegExp(`^\\s*${name}%\\s+([\\d.]+)(us|ms|s|m)`, 'm'));
        return Number(value) * UNITS[unit];
    };
    const [rate, requests] = [/Requests\/sec:\s+([\d.]+)/, /(\d+) requests in/].map((form) => Number(stdout.match(form)[1]));
    const others = Number(stdout.match(/Non-2xx or 3xx responses: (\d+)/)?.[1] ?? 0);
    if (others !== (refused ? requests : 0) || /Socket errors/.test(stdout))
        throw new Error(`not every answer was a ${refused ? 'refusal' : 'success'}:\n${stdout}`);
    return { rate, requests, p50: latency(50), p99: latency(99) };
}

/** pgbench at 64 clients, prepared statements → transactions a second. */
export async function pgbench(url, args) {
    const { stdout } = await mustRun(`${pgBin()}/pgbench`, ['-n', '-M', 'prepared', '-c', '64', '-j', '1',
        '-T', String(SECONDS), ...args, url], { timeout: (SECONDS + 60) * 1000 });
    return Number(stdout.match(/tps = ([\d.]+)/)[1]);
}

/** nginx with one worker that answers every request with `body` → its URL. */
export async function startNginx(t, body) {
    const dir = tempDir(t, 'vv-nginx-');
    const port = await freePort();
    const file = path.join(dir, 'nginx.conf');
    writeFileSync(file, `
daemon off; pid ${dir}/pid; error_log ${dir}/error.log; worker_processes 1; user root;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 1000000000; default_type application/json;
    client_body_temp_path ${dir}/a; proxy_temp_path ${dir}/b; fastcgi_temp_path ${dir}/c;
    uwsgi_temp_path ${dir}/d; scgi_temp_path ${dir}/e;
    server { listen 127.0.0.1:${port}; location / { return 200 '${body}'; } }
}
`.replace(process.getuid() === 0 ? 'nothing to take out' : 'user root;', ''));
    const child = spawnBound('nginx', ['-c', file, '-p', dir], { stdio: 'ignore' });
    cleanup(t, () => child.kill());
    await until(() => canConnect(port), { what: 'nginx listens' });
    return `http://127.0.0.1:${port}/`;
}

/** Runs the contestants in turn, ROUNDS times, and returns the median of each: {name: figure}. */
export async function compare(contestants) {
    const figures = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++)
        for (const [name, measure] of Object.entries(contestants)) figures[name].push(await measure());
    return Object.fromEntries(Object.entries(figures).map(([name, all]) => [name, median(all)]));
}

let missed = 0;

/** Prints a ratio beside its bar. */
export function report(what, ratio, bar, remark) {
    const ok = ratio >= bar;
    if (!ok) missed++;
    console.log(`${ok ? 'ok  ' : 'MISS'} ${what}: ${ratio.toFixed(2)} (bar ${bar.toFixed(2)})  ${remark}`);
}

export const misses = () => missed;
