// Objects as one version of Stripe's API shows them, with the parts that were asked to be expanded.
import { invalid } from './errors.mjs';

// Since this version the period stands on the subscription's items and the invoice's subscription under its parent.
const BASIL = '2025-03-31';

function olderSubscription(shown) {
    const [first] = shown.items.data;
    shown.current_period_start = first?.current_period_start ?? null;
    shown.current_period_end = first?.current_period_end ?? null;
    shown.plan = first?.plan ?? null;
    shown.quantity = first?.quantity ?? null;
    for (const item of shown.items.data) {
        delete item.current_period_start;
        delete item.current_period_end;
    }
}

function olderInvoice(shown, store) {
    const payment = store.all('invoice_payment').findLast((p) => p.invoice === shown.id)?.payment.payment_intent ?? null;
    shown.subscription = shown.parent?.subscription_details?.subscription ?? null;
    shown.payment_intent = payment;
    shown.charge = (payment && store.get(payment).latest_charge) ?? null;
    shown.paid = shown.status === 'paid';
    delete shown.parent;
    for (const line of shown.lines.data) {
        const price = line.pricing?.price_details?.price;
        line.price = price ? structuredClone(store.get(price)) : null;
        line.subscription_item = line.parent?.subscription_item_details?.subscription_item ?? null;
        line.type = 'subscription';
        delete line.pricing;
        delete line.parent;
    }
}

function dress(store, object, version) {
    const shown = structuredClone(object);
    if (version < BASIL) {
        if (shown.object === 'subscription') olderSubscription(shown);
        if (shown.object === 'invoice' && shown.lines) olderInvoice(shown, store);
    }
    return shown;
}

/** A list object as Stripe answers it. */
export function listOf(data, url, more = false) {
    return { object: 'list', data, has_more: more, url };
}

// Parts that are only shown to those who ask.
const INCLUDABLE = {
    'checkout.session.line_items': (store, shown) =>
        listOf(store.hidden(shown.id).lines ?? [], `/v1/checkout/sessions/${shown.id}/line_items`),
    'invoice.payments': (store, shown) => listOf(
        store.all('invoice_payment').filter((p) => p.invoice === shown.id).map((p) => structuredClone(p)),
        `/v1/invoice_payments?invoice=${shown.id}`),
    'customer.subscriptions': (store, shown, version) => listOf(
        store.all('subscription').filter((s) => s.customer === shown.id && s.status !== 'canceled')
            .map((s) => dress(store, s, version)), `/v1/customers/${shown.id}/subscriptions`),
    'charge.refunds': (store, shown) => listOf(
        store.all('refund').filter((r) => r.charge === shown.id).map((r) => structuredClone(r)),
        `/v1/charges/${shown.id}/refunds`),
};

function expandPath(store, shown, path, whole, version) {
    const [name, ...rest] = path;
    if (Array.isArray(shown)) {
        for (const element of shown) expandPath(store, element, path, whole, version);
        return;
    }
    const include = INCLUDABLE[`${shown.object}.${name}`];
    if (include && shown[name] === undefined) shown[name] = include(store, shown, version);
    if (!(name in shown))
        throw invalid(`This property cannot be expanded (${whole}).`, { param: 'expand' });
    const value = shown[name];
    if (value === null || value === undefined) return;
    if (typeof value === 'string') {
        const target = store.get(value);
        if (!target) throw invalid(`This property cannot be expanded (${whole}).`, { param: 'expand' });
        shown[name] = dress(store, target, version);
    } else if (typeof value !== 'object') {
        throw invalid(`This property cannot be expanded (${whole}).`, { param: 'expand' });
    }
    if (rest.length) expandPath(store, shown[name], rest, whole, version);
}

/** A copy of an object (or a list of them) for an answer or an event. */
export function render(store, object, { version, expand = [] }) {
    const shown = object.object === 'list'
        ? { ...object, data: object.data.map((element) => dress(store, element, version)) }
        : dress(store, object, version);
    for (const path of expand) {
        const parts = path.split('.');
        if (parts.length > 4)
            throw invalid(`You cannot expand more than 4 levels of a property. Property: ${path}`, { param: 'expand' });
        expandPath(store, shown, parts, path, version);
    }
    return shown;
}
