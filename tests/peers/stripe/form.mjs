// Stripe's form encoding: a[b][0][c]=d, read into nested objects and lists.
import { invalid } from './errors.mjs';

function keyParts(key) {
    const open = key.indexOf('[');
    if (open < 0) return [key];
    const parts = [key.slice(0, open)];
    const rest = key.slice(open);
    const found = rest.match(/\[[^[\]]*\]/g) ?? [];
    if (found.join('') !== rest || !parts[0]) throw invalid(`Invalid parameter name: ${key}`, { param: key });
    return [...parts, ...found.map((part) => part.slice(1, -1))];
}

/** Lists stay objects with numbers for keys until a schema (or the end of parsing) says what they are. */
function put(target, parts, value, key) {
    const [name, ...rest] = parts;
    if (name === '__proto__') throw invalid(`Invalid parameter name: ${key}`, { param: key });
    const index = name === '' ? nextIndex(target, rest) : name;
    if (!rest.length) {
        if (Object.hasOwn(target, index)) throw invalid(`Parameter given twice: ${key}`, { param: key });
        target[index] = value;
        return;
    }
    if (!Object.hasOwn(target, index)) target[index] = {};
    if (typeof target[index] !== 'object') throw invalid(`Invalid object: ${key}`, { param: key });
    put(target[index], rest, value, key);
}

/** a[][x]=1&a[][y]=2&a[][x]=3 is two elements: a name that is taken begins the next one. */
function nextIndex(target, rest) {
    const count = Object.keys(target).length;
    const last = target[count - 1];
    if (!rest.length || typeof last !== 'object' || Object.hasOwn(last, rest[0])) return String(count);
    return String(count - 1);
}

function listsOf(value) {
    if (typeof value !== 'object') return value;
    const keys = Object.keys(value);
    if (keys.length && keys.every((key, i) => key === String(i))) return keys.map((key) => listsOf(value[key]));
    return Object.fromEntries(keys.map((key) => [key, listsOf(value[key])]));
}

/** application/x-www-form-urlencoded text → nested objects, lists and strings. */
export function parseForm(text) {
    const root = {};
    for (const [key, value] of new URLSearchParams(text)) put(root, keyParts(key), value, key);
    return listsOf(root);
}
