// Checkout sessions: made, paid on their page, expired.
import { declined, invalid } from './errors.mjs';
import { checkUrl, equal, lists, pageOf } from './lists.mjs';
import { newId } from './store.mjs';

const DAY = 86_400;

function need(params, ...names) {
    for (const name of names)
        if (params[name] === undefined)
            throw invalid(`Missing required param: ${name}.`, { code: 'parameter_missing', param: name });
}

function linesOf({ store }, params) {
    if (!params.line_items?.length)
        throw invalid('You must provide `line_items`.', { code: 'parameter_missing', param: 'line_items' });
    if (params.line_items.length > 20) throw invalid('You can specify at most 20 line items.', { param: 'line_items' });
    return params.line_items.map(({ price: id, quantity, price_data: inline }, i) => {
        const at = `line_items[${i}]`;
        if (inline) throw invalid('The stand-in sells prices that exist only.', { param: `${at}[price_data]` });
        if (!id) throw invalid(`Missing required param: ${at}[price].`, { code: 'parameter_missing', param: `${at}[price]` });
        const price = store.find('price', id, `${at}[price]`);
        if (!price.active)
            throw invalid('The price specified is inactive. This field only accepts active prices.', { param: `${at}[price]` });
        if (quantity === undefined)
            throw invalid(`Quantity is required. Add \`quantity\` to \`${at}\``, { param: `${at}[quantity]` });
        if (quantity < 1 || !Number.isInteger(quantity))
            throw invalid('Invalid positive integer', { code: 'parameter_invalid_integer', param: `${at}[quantity]` });
        return { price, quantity };
    });
}

function checkCreate({ store }, params) {
    need(params, 'mode');
    if (params.mode !== 'subscription') throw invalid('The stand-in sells subscriptions only.', { param: 'mode' });
    if (params.ui_mode && params.ui_mode !== 'hosted_page')
        throw invalid('The stand-in has hosted pages only.', { param: 'ui_mode' });
    need(params, 'success_url');
    for (const name of ['success_url', 'cancel_url']) checkUrl(params[name], name);
    if (params.customer && params.customer_email)
        throw invalid('You may only specify one of these parameters: customer, customer_email.', { param: 'customer' });
    if (params.customer_creation)
        throw invalid('`customer_creation` can only be used in `payment` mode.', { param: 'customer_creation' });
    if (params.client_reference_id?.length > 200)
        throw invalid('client_reference_id must be at most 200 characters.', { param: 'client_reference_id' });
    const wait = params.expires_at === undefined ? DAY : params.expires_at - store.now();
    if (wait < 1795 || wait > DAY + 5)
        throw invalid('The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.',
            { param: 'expires_at' });
    const days = params.subscription_data?.trial_period_days;
    if (days !== undefined && (days < 1 || days > 730))
        throw invalid('The minimum number of trial period days is 1, the maximum 730.',
            { param: 'subscription_data[trial_period_days]' });
}

function create(context, params) {
    const { store, urlOf } = context;
    checkCreate(context, params);
    const customer = params.customer && store.find('customer', params.customer, 'customer');
    const lines = linesOf(context, params);
    if (!lines.some(({ price }) => price.type === 'recurring'))
        throw invalid('You must provide at least one recurring price in `subscription` mode when using prices.',
            { param: 'line_items' });
    const total = lines.reduce((sum, { price, quantity }) => sum + price.unit_amount * quantity, 0);
    const id = newId('cs_test_a1', 56);
    const session = store.add('checkout.session', id, {
        mode: params.mode, status: 'open', payment_status: 'unpaid', ui_mode: 'hosted_page', url: urlOf(`/c/pay/${id}`),
        success_url: params.success_url, cancel_url: params.cancel_url ?? null, customer: customer?.id ?? null,
        customer_email: params.customer_email ?? null, client_reference_id: params.client_reference_id ?? null,
        customer_details: customer ? { email: customer.email, name: customer.name } : null,
        amount_subtotal: total, amount_total: total, currency: lines[0].price.currency, locale: params.locale ?? null,
        expires_at: params.expires_at ?? store.now() + DAY, metadata: params.metadata ?? {},
        allow_promotion_codes: params.allow_promotion_codes ?? null, payment_method_types: ['card'],
        payment_method_collection: params.payment_method_collection ?? 'always',
    });
    const hidden = store.hidden(id);
    hidden.subscriptionData = params.subscription_data ?? {};
    hidden.lines = lines.map(({ price, quantity }) => ({
        id: newId('li_1'), object: 'item', amount_discount: 0, amount_subtotal: price.unit_amount * quantity, amount_tax: 0,
        amount_total: price.unit_amount * quantity, currency: price.currency, quantity, price: structuredClone(price),
        description: store.get(price.product).name,
    }));
    return session;
}

/** A session past its time is expired for whoever looks. */
export function current({ store }, id) {
    const session = store.find('checkout.session', id);
    if (session.status === 'open' && store.now() >= session.expires_at) close(store, session);
    return session;
}

function close(store, session) {
    return store.change(session, { status: 'expired', url: null }, 'checkout.session.expired');
}

function expire(context, _params, id) {
    const session = current(context, id);
    if (session.status !== 'open')
        throw invalid('Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status '
            + `of "${session.status}".`);
    return close(context.store, session);
}

/**
 * What the Pay button does: the customer (if there was none), the subscription with its invoice and charge, then the
 * session's completion. A refused card leaves the session open.
 */
export function pay(context, session, { email, card = 'good' } = {}) {
    const { store, billing } = context;
    if (current(context, session.id).status !== 'open')
        throw invalid(`This Checkout Session is ${session.status} and cannot be paid.`);
    const { lines, subscriptionData: data } = store.hidden(session.id);
    if (card === 'declined') throw declined();
    const customer = session.customer ? store.find('customer', session.customer, 'customer')
        : store.add('customer', newId('cus', 14), { email: email ?? session.customer_email, name: null });
    if (!session.customer) store.event('customer.created', customer);
    store.hidden(customer.id).card = card;
    const trialEnd = data.trial_end ?? (data.trial_period_days ? store.now() + data.trial_period_days * DAY : null);
    const subscription = billing.subscribe({
        customer, trialEnd, metadata: data.metadata ?? {},
        items: lines.map(({ price, quantity }) => ({ price: store.get(price.id), quantity })),
        fields: {
            description: data.description ?? null, default_payment_method: newId('pm_1'),
            trial_settings: data.trial_settings ?? { end_behavior: { missing_payment_method: 'create_invoice' } },
        },
    });
    store.change(session, {
        status: 'complete', payment_status: trialEnd ? 'no_payment_required' : 'paid', customer: customer.id,
        customer_details: { email: customer.email, name: customer.name }, subscription: subscription.id,
        invoice: subscription.latest_invoice, url: null, ...(trialEnd && { amount_total: 0, amount_subtotal: 0 }),
    });
    store.event('checkout.session.completed', session);
    return subscription;
}

function items(context, params, id) {
    const session = current(context, id);
    return pageOf(context.store.hidden(session.id).lines, `/v1/checkout/sessions/${id}/line_items`, params);
}

const keep = (session, params, store) => {
    if (session.status === 'open') current({ store }, session.id);
    return equal('customer', 'payment_intent', 'status', 'subscription')(session, params);
};

export const CHECKOUT_ROUTES = {
    'POST /v1/checkout/sessions': create,
    'GET /v1/checkout/sessions': lists('checkout.session', '/v1/checkout/sessions', keep),
    'GET /v1/checkout/sessions/{id}': (context, _params, id) => current(context, id),
    'POST /v1/checkout/sessions/{id}/expire': expire,
    'GET /v1/checkout/sessions/{id}/line_items': items,
};
