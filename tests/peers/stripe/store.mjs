// What the stand-in knows: its objects by id, what is not shown of them, the clock, and the events that changes make.
import { randomBytes } from 'node:crypto';
import { missing } from './errors.mjs';
import { render } from './render.mjs';
import { API_VERSION, blank } from './validate.mjs';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** cus_…, or sub_1…: a prefix that has its underscore already goes on at once. */
export function newId(prefix, length = 24) {
    const letters = Array.from(randomBytes(length), (byte) => LETTERS[byte % LETTERS.length]);
    return `${prefix}${prefix.includes('_') ? '' : '_'}${letters.join('')}`;
}

export class Store {
    constructor({ apiVersion = API_VERSION } = {}) {
        this.apiVersion = apiVersion; // what events are written in
        this.objects = new Map();
        this.kinds = new Map(); // the same objects by kind, then by id
        this.hiddenParts = new Map();
        this.answers = new Map(); // by Idempotency-Key
        this.offset = 0;
        this.request = { id: null, idempotency_key: null };
        this.onEvent = () => {};
    }

    now() { return Math.floor(Date.now() / 1000) + this.offset; }

    get(id) { return this.objects.get(id); }

    /** All objects of a kind, oldest first. */
    all(kind) { return [...this.kinds.get(kind)?.values() ?? []]; }

    /** The object a request means; it does not exist if it is of another kind or deleted. */
    find(kind, id, param) {
        const object = this.objects.get(id);
        if (!object || object.object !== kind || object.deleted) throw missing(kind.replace('.', '_'), id, param);
        return object;
    }

    /** What belongs to an object and is not part of any answer. */
    hidden(id) {
        if (!this.hiddenParts.has(id)) this.hiddenParts.set(id, {});
        return this.hiddenParts.get(id);
    }

    add(kind, id, fields) {
        const object = { ...blank(kind), id, created: this.now(), ...fields };
        return this.put(object);
    }

    put(object) {
        this.objects.set(object.id, object);
        if (!this.kinds.has(object.object)) this.kinds.set(object.object, new Map());
        this.kinds.get(object.object).set(object.id, object);
        return object;
    }

    remove({ id, object: kind }) {
        this.objects.delete(id);
        this.kinds.get(kind).delete(id);
    }

    /** Changes an object and makes the event that tells of it, if there is a type and anything did change. */
    change(object, fields, type) {
        const before = structuredClone(object);
        if (typeof fields === 'function') fields(object);
        else Object.assign(object, fields);
        const previous = {};
        for (const name of new Set([...Object.keys(before), ...Object.keys(object)]))
            if (JSON.stringify(before[name]) !== JSON.stringify(object[name])) previous[name] = before[name] ?? null;
        if (type && Object.keys(previous).length) this.event(type, object, type.endsWith('.updated') ? previous : undefined);
        return object;
    }

    /** An event with the object as it is now. */
    event(type, object, previous) {
        const event = this.add('event', newId('evt_1'), {
            api_version: this.apiVersion, type, request: { ...this.request }, pending_webhooks: 1,
            data: { object: render(this, object, { version: this.apiVersion }) },
        });
        if (previous) event.data.previous_attributes = structuredClone(previous);
        this.onEvent(event);
        return event;
    }

    save() {
        return JSON.stringify({
            objects: [...this.objects.values()], hidden: [...this.hiddenParts], answers: [...this.answers], offset: this.offset,
        });
    }

    load(text) {
        const saved = JSON.parse(text);
        this.objects.clear();
        this.kinds.clear();
        for (const object of saved.objects) this.put(object);
        this.hiddenParts = new Map(saved.hidden);
        this.answers = new Map(saved.answers);
        this.offset = saved.offset;
    }
}
