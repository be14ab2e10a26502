// How ./dev journey shows what was said: JSON in short lines, and of every secret only its beginning.

const WIDTH = 116;
const SECRET = /^((current_|new_)?password|(access_|refresh_|session_|service_)?token|api_key|secret_access_key)$/;
const known = new Set();

/** From now on `value` is shown by its beginning only. */
export function keepSecret(value) {
    if (typeof value === 'string' && value.length > 8) known.add(value);
}

function learn(value) {
    if (value === null || typeof value !== 'object') return;
    for (const [key, inner] of Object.entries(value)) {
        if (SECRET.test(key)) keepSecret(inner);
        else learn(inner);
    }
}

const shorten = (secret) => `${secret.slice(0, 6)}…`;

/** The text without its secrets: those that JSON has shown so far, and what signs a URL. */
export function hide(text) {
    let shown = text;
    for (const secret of known) shown = shown.replaceAll(secret, shorten(secret));
    return shown.replace(/([?&](?:token|X-Amz-(?:Credential|Security-Token|Signature))=)([^&\s"]+)/gi,
        (_, name, value) => name + (value.endsWith('…') ? value : shorten(value)));
}

/** JSON in one line where it fits, else folded between its members; its secrets are known from here on. */
export function show(value, indent = '') {
    learn(value);
    const line = hide(flat(value));
    if (indent.length + line.length <= WIDTH || value === null || typeof value !== 'object') return line;
    const [open, close] = Array.isArray(value) ? '[]' : '{}';
    const inner = `${indent}  `;
    const members = Array.isArray(value) ? value.map((item) => show(item, inner))
        : Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${show(item, inner)}`);
    return `${open}\n${inner}${fill(members, inner)}\n${indent}${close}`;
}

/** As many members a line as fit; one that takes several lines has them to itself. */
function fill(members, indent) {
    return members.reduce((text, member) => {
        const last = text.slice(text.lastIndexOf('\n') + 1);
        const fits = indent.length + last.length + 2 + member.length <= WIDTH;
        const alone = /[}\]]$/.test(last) || member.includes('\n');
        return `${text},${fits && !alone ? ' ' : `\n${indent}`}${member}`;
    });
}

function flat(value) {
    if (Array.isArray(value)) return `[${value.map(flat).join(', ')}]`;
    if (value === null || typeof value !== 'object') return JSON.stringify(value);
    return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${flat(item)}`).join(', ')}}`;
}
