// Subscriptions and invoices as the API lets one change and read them.
import { later } from './billing.mjs';
import { declined, invalid, missing } from './errors.mjs';
import { equal, lists, mergeMetadata, reads } from './lists.mjs';
import { newId } from './store.mjs';

const SAME_INTERVAL = 'If you meant to update an existing subscription item instead of creating a new one, make sure to '
    + 'include the subscription item ID in your request.';

function priceOf({ store }, id, at) {
    if (!id) throw invalid(`Missing required param: ${at}[price].`, { code: 'parameter_missing', param: `${at}[price]` });
    const price = store.find('price', id, `${at}[price]`);
    if (!price.active)
        throw invalid('The price specified is inactive. This field only accepts active prices.', { param: `${at}[price]` });
    if (!price.recurring)
        throw invalid('The price specified is set to `type=one_time` but this field only accepts prices with '
            + '`type=recurring`.', { param: `${at}[price]` });
    return price;
}

function trialEndOf({ store }, { trial_end: end, trial_period_days: days }) {
    if (end === 'now') return null;
    if (end !== undefined && end <= store.now())
        throw invalid('Invalid timestamp: must be an integer Unix timestamp in the future.', { param: 'trial_end' });
    return end ?? (days ? store.now() + days * 86_400 : null);
}

function create(context, params) {
    const { store, billing } = context;
    if (!params.customer)
        throw invalid('Missing required param: customer.', { code: 'parameter_missing', param: 'customer' });
    const customer = store.find('customer', params.customer, 'customer');
    if (!params.items?.length)
        throw invalid('Missing required param: items.', { code: 'parameter_missing', param: 'items' });
    const items = params.items.map((item, i) => ({ ...item, price: priceOf(context, item.price, `items[${i}]`) }));
    checkItems(items);
    const trialEnd = trialEndOf(context, params);
    if (store.hidden(customer.id).card === undefined && !params.default_payment_method && !trialEnd)
        throw invalid('This customer has no attached payment source or default payment method. Please consider adding a '
            + 'default payment method.', { code: 'resource_missing' });
    return billing.subscribe({
        customer, items, trialEnd, metadata: params.metadata || {}, behavior: params.payment_behavior,
        fields: {
            cancel_at_period_end: params.cancel_at_period_end ?? false, description: params.description ?? null,
            default_payment_method: params.default_payment_method ?? null,
        },
    });
}

function checkItems(items) {
    if (!items.length) throw invalid('A subscription must have at least one active plan.', { param: 'items' });
    if (items.length > 20) throw invalid('A subscription can have at most 20 items.', { param: 'items' });
    const [{ price: { recurring: first, currency } }] = items;
    for (const { price } of items) {
        if (price.recurring.interval !== first.interval || price.recurring.interval_count !== first.interval_count)
            throw invalid(`All prices on a subscription must have the same \`recurring.interval\`. ${SAME_INTERVAL}`,
                { param: 'items' });
        if (price.currency !== currency)
            throw invalid('All prices on a subscription must be of one currency.', { param: 'items' });
    }
    const ids = items.map(({ price }) => price.id);
    const twice = ids.find((id, i) => ids.indexOf(id) !== i);
    if (twice)
        throw invalid(`Cannot add multiple subscription items with the same plan: ${twice}. ${SAME_INTERVAL}`,
            { param: 'items' });
}

/** The items after an update: one with an id is changed or deleted, one without is ADDED. */
function newItems(context, subscription, wanted) {
    const { billing } = context;
    const [{ current_period_start: start, current_period_end: end }] = subscription.items.data;
    let items = structuredClone(subscription.items.data);
    wanted.forEach((change, i) => {
        const at = `items[${i}]`;
        if (!change.id) {
            const price = priceOf(context, change.price, at);
            items.push(billing.newItem(subscription.id, price, change.quantity ?? 1, start, end, change.metadata));
            return;
        }
        const item = items.find(({ id }) => id === change.id);
        if (!item) throw missing('subscription_item', change.id, `${at}[id]`);
        if (change.deleted) {
            items = items.filter((other) => other !== item);
            return;
        }
        if (change.price) {
            const { price, plan } = billing.newItem(subscription.id, priceOf(context, change.price, at), 1, start, end);
            Object.assign(item, { price, plan });
        }
        if (change.quantity !== undefined) item.quantity = change.quantity;
    });
    checkItems(items);
    return items;
}

function applyItems(context, subscription, params) {
    const { store, billing } = context;
    const before = subscription.items.data;
    const items = newItems(context, subscription, params.items);
    const now = store.now();
    const [{ price: { recurring: old } }] = before;
    const [{ price: { recurring: fresh } }] = items;
    const reset = old.interval !== fresh.interval || old.interval_count !== fresh.interval_count
        || params.billing_cycle_anchor?.type === 'now';
    if (reset && subscription.status !== 'trialing') {
        subscription.billing_cycle_anchor = now;
        for (const item of items) {
            item.current_period_start = now;
            item.current_period_end = later(now, fresh.interval, fresh.interval_count);
        }
    }
    subscription.items.data = items;
    subscription.items.total_count = items.length;
    const behavior = params.proration_behavior ?? 'create_prorations';
    if (subscription.status === 'trialing') return [];
    const prorated = behavior === 'none' ? [] : billing.prorations(subscription, before, params.proration_date ?? now);
    if (reset)
        return [...prorated.filter((line) => line.amount < 0), ...billing.periodLines(subscription)];
    if (behavior === 'always_invoice') return prorated;
    const hidden = store.hidden(subscription.id);
    hidden.pending = [...hidden.pending ?? [], ...prorated];
    return [];
}

const SIMPLE = ['description', 'default_payment_method', 'collection_method', 'days_until_due', 'payment_settings',
    'trial_settings'];

/** cancel_at_period_end and cancel_at, with what Stripe writes down. The former does not take the latter back. */
export function planEnd(store, subscription, { cancel_at_period_end: atEnd, cancel_at: at, cancellation_details: details }) {
    const end = subscription.items.data[0].current_period_end;
    if (at !== undefined) {
        subscription.cancel_at = typeof at === 'string' ? (at === '' ? null : end) : at;
        subscription.cancel_at_period_end = false;
    }
    if (atEnd !== undefined) {
        if (atEnd || subscription.cancel_at_period_end) subscription.cancel_at = atEnd ? end : null;
        subscription.cancel_at_period_end = atEnd;
    }
    if (at !== undefined || atEnd !== undefined) {
        const ends = subscription.cancel_at !== null;
        subscription.canceled_at = ends ? subscription.canceled_at ?? store.now() : null;
        subscription.cancellation_details.reason = ends ? 'cancellation_requested' : null;
    }
    if (details) Object.assign(subscription.cancellation_details, details);
}

function edit(context, subscription, params) {
    const { store } = context;
    for (const name of SIMPLE)
        if (params[name] !== undefined) subscription[name] = params[name] === '' ? null : params[name];
    if (params.metadata !== undefined) subscription.metadata = mergeMetadata(subscription.metadata, params.metadata);
    if (params.pause_collection !== undefined)
        subscription.pause_collection = params.pause_collection === '' ? null
            : { resumes_at: null, ...params.pause_collection };
    const lines = params.items ? applyItems(context, subscription, params) : [];
    if (params.trial_end !== undefined) setTrial(context, subscription, params);
    planEnd(store, subscription, params);
    return lines;
}

function setTrial(context, subscription, params) {
    const end = trialEndOf(context, params);
    const { store } = context;
    if (end === null && subscription.status !== 'trialing') return;
    const until = end ?? later(store.now(), 'month');
    Object.assign(subscription, end === null
        ? { status: 'active', trial_end: store.now(), billing_cycle_anchor: store.now() }
        : { status: 'trialing', trial_start: subscription.trial_start ?? store.now(), trial_end: end });
    for (const item of subscription.items.data)
        Object.assign(item, { current_period_start: store.now(), current_period_end: until });
}

function update(context, params, id) {
    const { store, billing } = context;
    const subscription = store.find('subscription', id);
    const harmless = Object.keys(params).every((name) => ['metadata', 'cancellation_details', 'expand'].includes(name));
    if (billing.ended(subscription) && !harmless)
        throw invalid('A canceled subscription can only update its cancellation_details and metadata.');
    if (params.cancel_at_period_end !== undefined && params.cancel_at !== undefined)
        throw invalid('You may only specify one of these parameters: cancel_at, cancel_at_period_end.', { param: 'cancel_at' });
    const trial = structuredClone(subscription);
    const pending = structuredClone(store.hidden(id).pending);
    const lines = edit(context, trial, params);
    const due = lines.reduce((sum, line) => sum + line.amount, 0);
    if (due > 0 && store.hidden(trial.customer).card === 'declined' && params.payment_behavior === 'error_if_incomplete') {
        store.hidden(id).pending = pending;
        throw declined();
    }
    store.change(subscription, (s) => Object.assign(s, trial), 'customer.subscription.updated');
    if (lines.length && !billing.collect(billing.invoice(subscription, lines, 'subscription_update')))
        store.change(subscription, { status: 'past_due' }, 'customer.subscription.updated');
    return subscription;
}

function cancel({ store, billing }, params, id) {
    const subscription = store.find('subscription', id);
    if (billing.ended(subscription)) throw missing('subscription', id);
    billing.cancel(subscription, { details: params.cancellation_details });
    return subscription;
}

/** Without a status the canceled ones are left out. */
function keep(subscription, params) {
    const { status, price } = params;
    const ended = ['canceled', 'incomplete_expired'].includes(subscription.status);
    const wanted = status === undefined ? subscription.status !== 'canceled'
        : status === 'all' || (status === 'ended' ? ended : subscription.status === status);
    return wanted && equal('customer', 'collection_method')(subscription, params)
        && (!price || subscription.items.data.some((item) => item.price.id === price));
}

const list = lists('subscription', '/v1/subscriptions', keep);

function listSubscriptions(context, params) {
    if (params.customer && context.store.get(params.customer)?.object !== 'customer')
        throw missing('customer', params.customer, 'customer');
    return list(context, params);
}

/** What an update would cost, without doing it. */
function preview(context, params) {
    const { store, billing } = context;
    if (!params.subscription) throw invalid('The stand-in previews changes of a subscription only.', { param: 'subscription' });
    const subscription = structuredClone(store.find('subscription', params.subscription, 'subscription'));
    const details = params.subscription_details ?? {};
    const pending = structuredClone(store.hidden(subscription.id).pending);
    const lines = details.items ? applyItems(context, subscription, details) : [];
    const added = (store.hidden(subscription.id).pending ?? []).slice(pending?.length ?? 0);
    store.hidden(subscription.id).pending = pending;
    const all = lines.length ? lines : [...pending ?? [], ...added, ...billing.periodLines(subscription)];
    return { ...billing.draft(subscription, all, 'upcoming'), id: newId('upcoming_in_1') };
}

const invoiceOf = (invoice, params) => equal('customer', 'status', 'collection_method')(invoice, params)
    && (!params.subscription || invoice.parent?.subscription_details?.subscription === params.subscription);

export const SUBSCRIPTION_ROUTES = {
    'POST /v1/subscriptions': create,
    'GET /v1/subscriptions': listSubscriptions,
    'GET /v1/subscriptions/{id}': reads('subscription'),
    'POST /v1/subscriptions/{id}': update,
    'DELETE /v1/subscriptions/{id}': cancel,
    'GET /v1/invoices': lists('invoice', '/v1/invoices', invoiceOf),
    'GET /v1/invoices/{id}': reads('invoice'),
    'POST /v1/invoices/create_preview': preview,
};
