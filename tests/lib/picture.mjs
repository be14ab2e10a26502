// Draws architecture.svg from the plugins of this build: their descriptors say it, and their migrations. ./dev picture
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BUILD, mustRun, ROOT, tempDir } from './process.mjs';

export const PICTURE = path.join(ROOT, 'architecture.svg');

const list = (text) => text.split(',').map((item) => item.trim()).filter(Boolean);

/** The tables that plugin NAME's migrations make, without partitions. */
function tablesOf(name) {
    const dir = path.join(ROOT, 'sql', name);
    let files = [];
    try {
        files = readdirSync(dir).sort();
    } catch {
        return files; // it has none
    }
    return files.flatMap((file) => [...readFileSync(path.join(dir, file), 'utf8')
        .matchAll(/^create table (?:if not exists )?(\w+) \(/gm)].map(([, table]) => table));
}

/** {name, needs: [{service, optional}], provides, routes, hooks, jobs, calls, tables} of every plugin, in their order. */
export async function readPlugins() {
    const dir = tempDir(null, 'vv-picture-');
    const program = path.join(dir, 'describe');
    const plugins = path.join(BUILD, 'lib/vvserver/plugins');
    try {
        // What loads a sanitized library has to be sanitized itself.
        const sanitize = BUILD.endsWith('asan') ? ['-fsanitize=address,undefined'] : [];
        await mustRun('cc', [...sanitize, `-I${path.join(ROOT, 'sdk/include')}`, '-o', program,
            path.join(ROOT, 'tests/abi/describe.c')]);
        const all = [];
        for (const file of readdirSync(plugins).filter((f) => f.endsWith('.so')).sort()) {
            const told = JSON.parse((await mustRun(program, [path.join(plugins, file)])).stdout);
            all.push({
                ...told, provides: list(told.provides), tables: tablesOf(told.name),
                needs: list(told.depends).map((name) => ({ service: name.replace('?', ''), optional: name.endsWith('?') })),
            });
        }
        return inOrder(all);
    } finally {
        rmSync(dir, { recursive: true });
    }
}

/** Who provides something stands left of those that use it. */
function inOrder(plugins) {
    const sorted = [];
    const add = (plugin) => {
        if (sorted.includes(plugin)) return;
        for (const { service } of plugin.needs) plugins.filter((p) => p.provides.includes(service)).forEach(add);
        sorted.push(plugin);
    };
    plugins.forEach(add);
    return sorted;
}

// ---- drawing ----------------------------------------------------------------------------------

const COLUMN = 184;
const LEFT = 170;
const LINE = 18;
const escape = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x, y, content, kind = '') => `<text x="${x}" y="${y}"${kind && ` class="${kind}"`}>${escape(content)}</text>`;
const line = (x1, y1, x2, y2) => `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;

/** The first parts of its paths, each once: what it answers, in short. */
const places = (plugin) => [...new Set(plugin.routes.map((route) => route.match(/^\/[^/]*/)[0]))];

/** One row of the table: its name, and below each plugin what it has of it. → the row's height */
function drawRow(out, y, name, plugins, itemsOf) {
    const height = Math.max(1, ...plugins.map((plugin) => itemsOf(plugin).length)) * LINE + 14;
    out.push(line(0, y, LEFT + plugins.length * COLUMN, y), text(10, y + LINE, name, 'b'));
    plugins.forEach((plugin, i) => itemsOf(plugin).forEach((item, n) =>
        out.push(text(LEFT + i * COLUMN + 10, y + LINE * (n + 1), item))));
    return height;
}

/** A line across for something plugins meet on: ● who provides it, ○ who uses it, ◌ who can do without. */
function drawMeeting(out, y, name, marks) {
    const used = marks.flatMap((mark, i) => (mark ? [i] : []));
    const x = (i) => LEFT + i * COLUMN + COLUMN / 2;
    out.push(text(10, y + 5, name));
    if (used.length > 1) out.push(line(x(used[0]), y, x(used.at(-1)), y));
    for (const i of used) out.push(`<circle cx="${x(i)}" cy="${y}" r="6" class="${marks[i]}"/>`);
    return LINE + 8;
}

function drawMeetings(out, y, title, plugins, names, markOf) {
    out.push(line(0, y, LEFT + plugins.length * COLUMN, y), text(10, y + LINE, title, 'b'));
    let at = y + LINE * 2;
    for (const name of names) at += drawMeeting(out, at, name, plugins.map((plugin) => markOf(plugin, name)));
    return at - y;
}

/** The picture of what readPlugins() found, as SVG. */
export function draw(plugins) {
    const width = LEFT + plugins.length * COLUMN;
    const services = plugins.flatMap((plugin) => plugin.provides);
    const events = [...new Set(plugins.flatMap((plugin) => plugin.hooks))].sort();
    const out = [];
    let y = 44;
    plugins.forEach((plugin, i) => out.push(
        `<rect x="${LEFT + i * COLUMN + 4}" y="6" width="${COLUMN - 8}" height="30" rx="5"/>`,
        text(LEFT + i * COLUMN + COLUMN / 2, 26, plugin.name, 'name')));
    y += drawRow(out, y, 'answers', plugins, places);
    y += drawRow(out, y, 'stores', plugins, (plugin) => plugin.tables);
    y += drawRow(out, y, 'does later (jobs)', plugins, (plugin) => plugin.jobs);
    y += drawRow(out, y, 'calls', plugins, (plugin) => plugin.calls.map((key) => `[${plugin.name}] ${key}`));
    y += drawMeetings(out, y, 'services', plugins, services, (plugin, name) => {
        const need = plugin.needs.find(({ service }) => service === name);
        if (plugin.provides.includes(name)) return 'gives';
        return need && (need.optional ? 'may' : 'takes');
    });
    y += drawMeetings(out, y, 'hooks', plugins, events, (plugin, name) => plugin.hooks.includes(name) && 'takes');
    out.push(line(0, y, width, y), text(10, y + LINE, '● gives   ○ takes part   ◌ takes part where it is there', 'note'));
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 32}" width="${width}" height="${y + 32}">
<style>svg{background:#fff}text{font:13px sans-serif;fill:#222}.b{font-weight:600}.name{font-weight:600;text-anchor:middle;
fill:#fff}.note{fill:#666}rect{fill:#2b5797}line{stroke:#ccc}circle{stroke:#2b5797;stroke-width:2;fill:#fff}.gives{fill:#2b5797}
.may{stroke-dasharray:2 2}</style>
${out.join('\n')}
</svg>
`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(PICTURE, draw(await readPlugins()));
