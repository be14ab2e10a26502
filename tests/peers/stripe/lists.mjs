// What the routes have in common: lists cut into pages, filters, metadata, addresses.
import { invalid, missing } from './errors.mjs';
import { listOf } from './render.mjs';

function inRange(value, range) {
    if (range === undefined) return true;
    if (typeof range === 'number') return value === range;
    const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
    return value > gt && value >= gte && value < lt && value <= lte;
}

/** One page of objects, newest first, as Stripe cuts it. */
export function pageOf(all, url, { limit = 10, starting_after: after, ending_before: before }) {
    if (!Number.isInteger(limit) || limit < 1 || limit > 100)
        throw invalid('Invalid limit: must be an integer between 1 and 100', { param: 'limit' });
    if (after && before)
        throw invalid('Only one of ending_before and starting_after may be given.', { param: 'ending_before' });
    const sorted = all.toReversed();
    const place = (id, param) => {
        const index = sorted.findIndex((object) => object.id === id);
        if (index < 0) throw missing(all[0]?.object ?? 'object', id, param);
        return index;
    };
    if (before) {
        const rest = sorted.slice(0, place(before, 'ending_before'));
        return listOf(rest.slice(-limit), url, rest.length > limit);
    }
    const rest = after ? sorted.slice(place(after, 'starting_after') + 1) : sorted;
    return listOf(rest.slice(0, limit), url, rest.length > limit);
}

/** A list endpoint: keep(object, params) says what the filters leave; `created` is understood everywhere. */
export function lists(kind, url, keep = () => true) {
    return ({ store }, params) => {
        const all = store.all(kind).filter((o) => !o.deleted && inRange(o.created, params.created) && keep(o, params, store));
        return pageOf(all, url, params);
    };
}

export const reads = (kind) => ({ store }, _params, id) => store.find(kind, id);

/** A filter by fields that equal the parameter of the same name. */
export const equal = (...names) => (object, params) =>
    names.every((name) => params[name] === undefined || object[name] === params[name]);

/** Metadata with a change laid over it; an empty text takes a key away. */
export function mergeMetadata(old, change) {
    if (change === '') return {};
    return Object.fromEntries(Object.entries({ ...old, ...change }).filter(([, value]) => value !== ''));
}

export function checkUrl(url, param) {
    if (url !== undefined && !/^https?:\/\/[^\s/]+/.test(url)) throw invalid('Not a valid URL', { code: 'url_invalid', param });
}
