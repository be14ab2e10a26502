// Checks parameters against Stripe's description of its API and turns their text into numbers and booleans.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { invalid } from './errors.mjs';
import { MORE_ENDPOINTS, MORE_OBJECTS } from './shapes.mjs';

const described = JSON.parse(readFileSync(path.join(import.meta.dirname, 'stripe-api.json'), 'utf8'));

export const API_VERSION = described.api_version;
const ENDPOINTS = { ...described.endpoints, ...MORE_ENDPOINTS };
const OBJECTS = { ...described.objects, ...MORE_OBJECTS };

// The description's literal paths come first, so that /v1/customers/search is not a customer.
const PATTERNS = Object.entries(ENDPOINTS).map(([key, { params }]) => {
    const [method, template] = key.split(' ');
    return { key, method, params, form: new RegExp(`^${template.replace('{id}', '([^/]+)')}$`), literal: !key.includes('{') };
}).sort((a, b) => b.literal - a.literal);

/** The endpoint a request is for: {key: 'POST /v1/customers/{id}', params, id}, or undefined. */
export function findEndpoint(method, pathname) {
    for (const { key, method: wanted, params, form } of PATTERNS) {
        const match = wanted === method && pathname.match(form);
        if (match) return { key, params, id: match[1] && decodeURIComponent(match[1]) };
    }
    return undefined;
}

/** A new object of a kind, with what Stripe fills in by itself. */
export function blank(kind) {
    return structuredClone(OBJECTS[kind]);
}

// Texts that may be emptied although the description does not say so.
const MAY_BE_EMPTY = /(^|\[)(name|email|description|phone|comment|nickname|value)\]?$|^metadata\[/;

const words = (list) => (list.length < 2 ? list.join('')
    : `${list.slice(0, -1).join(', ')}${list.length > 2 ? ',' : ''} or ${list.at(-1)}`);

function number(value, at) {
    if (!/^-?\d+(\.\d+)?$/.test(value))
        throw invalid(`Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param: at });
    return Number(value);
}

function plain(type, value, at) {
    if (typeof value !== 'string') throw invalid(`Invalid ${type}: ${JSON.stringify(value)}`, { param: at });
    if (type === 'number') return number(value, at);
    if (type === 'boolean') {
        if (value !== 'true' && value !== 'false') throw invalid(`Invalid boolean: ${value}`, { param: at });
        return value === 'true';
    }
    if (value === '' && !MAY_BE_EMPTY.test(at))
        throw invalid(`You passed an empty string for '${at}'. We assume empty values are an attempt to unset a parameter; `
            + `however '${at}' cannot be unset. You should remove '${at}' from your request or supply a non-empty value.`,
        { code: 'parameter_invalid_empty', param: at });
    if (value.length > 5000)
        throw invalid(`Invalid string: ${value.slice(0, 7)}...; must be at most 5000 characters`,
            { code: 'parameter_invalid_string', param: at });
    return value;
}

function record(schema, value, at) {
    if (typeof value !== 'object' || Array.isArray(value)) throw invalid('Invalid object', { param: at });
    const inner = (name) => (at ? `${at}[${name}]` : name);
    for (const name of Object.keys(value))
        if (!Object.hasOwn(schema.props, name))
            throw invalid(`Received unknown parameter: ${inner(name)}`, { code: 'parameter_unknown', param: inner(name) });
    for (const name of schema.required ?? [])
        if (value[name] === undefined)
            throw invalid(`Missing required param: ${inner(name)}.`, { code: 'parameter_missing', param: inner(name) });
    return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, check(schema.props[name], v, inner(name))]));
}

function map(schema, value, at) {
    if (typeof value !== 'object') throw invalid('Invalid object', { param: at });
    const entries = Object.entries(value);
    if (/metadata$|metadata\]$/.test(at)) {
        if (entries.length > 50) throw invalid('You can only have 50 metadata keys.', { param: at });
        for (const [name, text] of entries) {
            if (name.length > 40) throw invalid('Metadata keys can be at most 40 characters.', { param: at });
            if (typeof text !== 'string' || text.length > 500)
                throw invalid(`Metadata values can have up to 500 characters: ${name}`, { param: `${at}[${name}]` });
        }
        return Object.fromEntries(entries);
    }
    return Object.fromEntries(entries.map(([name, v]) => [name, check(schema.map, v, `${at}[${name}]`)]));
}

/** One of several forms: the complaint is the one of the form that has the value's own kind. */
function anyOf(options, value, at) {
    let complaint;
    for (const option of options)
        try {
            return check(option, value, at);
        } catch (error) {
            const nearer = option.props || option.items || option.map;
            if (!complaint || (typeof value === 'object' && nearer)) complaint = error;
        }
    throw complaint;
}

/** The value as the schema wants it, or the error Stripe answers. */
export function check(schema, value, at = '') {
    if (schema.any) return anyOf(schema.any, value, at);
    if (schema.enum) {
        if (typeof value === 'string' && schema.enum.includes(value)) return value;
        throw invalid(`Invalid ${at}: must be one of ${words(schema.enum.filter(Boolean))}`, { param: at });
    }
    if (schema.items) {
        if (!Array.isArray(value)) throw invalid('Invalid array', { param: at });
        return value.map((v, i) => check(schema.items, v, `${at}[${i}]`));
    }
    if (schema.map) return map(schema, value, at);
    if (schema.props) return record(schema, value, at);
    return plain(schema.t, value, at);
}
