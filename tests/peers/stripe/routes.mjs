// What Stripe does for each request: customers, the catalogue, portal sessions, refunds, events and what is only read.
import { CHECKOUT_ROUTES } from './checkout.mjs';
import { invalid } from './errors.mjs';
import { checkUrl, equal, lists, mergeMetadata, reads } from './lists.mjs';
import { newId } from './store.mjs';
import { SUBSCRIPTION_ROUTES } from './subscriptions.mjs';
import { blank } from './validate.mjs';

// '' unsets what may be unset; in metadata it removes one key.
function assign(object, params, names) {
    for (const name of names)
        if (params[name] !== undefined) object[name] = params[name] === '' ? null : params[name];
    if (params.metadata !== undefined) object.metadata = mergeMetadata(object.metadata, params.metadata);
}

const CUSTOMER = ['address', 'balance', 'description', 'email', 'name', 'phone', 'shipping', 'tax_exempt', 'preferred_locales'];

function checkCustomer({ email, name }) {
    if (email && !/^[^@\s]+@[^@\s]+\.[^@\s.]+$/.test(email))
        throw invalid(`Invalid email address: ${email}`, { code: 'email_invalid', param: 'email' });
    if (email?.length > 512) throw invalid('Invalid string: email must be at most 512 characters', { param: 'email' });
    if (name?.length > 256) throw invalid('Invalid string: name must be at most 256 characters', { param: 'name' });
}

function createCustomer({ store }, params) {
    checkCustomer(params);
    const customer = store.add('customer', newId('cus', 14), {
        address: null, currency: null, delinquent: false, name: null, phone: null, preferred_locales: [],
        tax_exempt: 'none', invoice_prefix: newId('x', 8).slice(2).toUpperCase(), next_invoice_sequence: 1,
    });
    assign(customer, params, CUSTOMER);
    store.event('customer.created', customer);
    return customer;
}

function updateCustomer({ store }, params, id) {
    checkCustomer(params);
    const customer = store.find('customer', id);
    return store.change(customer, (c) => assign(c, params, CUSTOMER), 'customer.updated');
}

/** The customer, or what is left to be seen of a deleted one. */
function readCustomer({ store }, _params, id) {
    const customer = store.get(id);
    if (customer?.object === 'customer' && customer.deleted) return { id, object: 'customer', deleted: true };
    return store.find('customer', id);
}

/** Deleting a customer ends the subscriptions at once; both are told of. */
export function deleteCustomer({ store, billing }, _params, id) {
    const customer = store.find('customer', id);
    for (const subscription of store.all('subscription'))
        if (subscription.customer === id && !billing.ended(subscription)) billing.cancel(subscription);
    store.event('customer.deleted', customer);
    customer.deleted = true;
    return { id, object: 'customer', deleted: true };
}

function createProduct({ store }, params) {
    if (params.id && store.get(params.id))
        throw invalid('Product already exists.', { code: 'resource_already_exists', param: 'id' });
    const product = store.add('product', params.id ?? newId('prod', 14), {
        active: params.active ?? true, name: params.name, type: 'service', updated: store.now(), default_price: null,
    });
    assign(product, params, ['description', 'url', 'statement_descriptor', 'images', 'marketing_features']);
    store.event('product.created', product);
    return product;
}

export function createPrice(context, params) {
    const { store } = context;
    if (!params.product && !params.product_data)
        throw invalid('Missing required param: product.', { code: 'parameter_missing', param: 'product' });
    if (params.unit_amount === undefined && params.unit_amount_decimal === undefined)
        throw invalid('Missing required param: unit_amount.', { code: 'parameter_missing', param: 'unit_amount' });
    if (!/^[a-z]{3}$/.test(params.currency.toLowerCase()))
        throw invalid(`Invalid currency: ${params.currency}.`, { param: 'currency' });
    const product = params.product
        ? store.find('product', params.product, 'product') : createProduct(context, { name: params.product_data.name });
    const amount = params.unit_amount ?? Number(params.unit_amount_decimal);
    const { interval, interval_count: count = 1, ...rest } = params.recurring ?? {};
    const price = store.add('price', params.id ?? newId('price_1'), {
        active: params.active ?? true, currency: params.currency.toLowerCase(), product: product.id,
        unit_amount: Number.isInteger(amount) ? amount : null, unit_amount_decimal: String(amount),
        type: interval ? 'recurring' : 'one_time', lookup_key: params.lookup_key ?? null, nickname: params.nickname ?? null,
        tax_behavior: params.tax_behavior ?? 'unspecified', metadata: params.metadata || {},
        recurring: interval
            ? { interval, interval_count: count, meter: null, trial_period_days: null, usage_type: 'licensed', ...rest } : null,
    });
    store.event('price.created', price);
    return price;
}

const keepPrice = (price, params) => equal('active', 'currency', 'product', 'type')(price, params)
    && (!params.lookup_keys || params.lookup_keys.includes(price.lookup_key))
    && (!params.recurring?.interval || price.recurring?.interval === params.recurring.interval);

function createPortal({ store, urlOf }, params) {
    if (!params.customer)
        throw invalid('Missing required param: customer.', { code: 'parameter_missing', param: 'customer' });
    const customer = store.find('customer', params.customer, 'customer');
    checkUrl(params.return_url, 'return_url');
    const id = newId('bps_1');
    return store.add('billing_portal.session', id, {
        configuration: params.configuration ?? 'bpc_1StandInDefaultConfig', customer: customer.id,
        return_url: params.return_url ?? null, locale: params.locale ?? null, flow: params.flow_data ?? null,
        url: urlOf(`/p/session/${id}`),
    });
}

function createRefund({ store, billing }, params) {
    if (!params.charge && !params.payment_intent)
        throw invalid('One of the following params should be provided for this request: payment_intent or charge.');
    const intent = params.payment_intent && store.find('payment_intent', params.payment_intent, 'payment_intent');
    if (intent && !intent.latest_charge)
        throw invalid(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`,
            { code: 'payment_intent_unexpected_state' });
    return billing.refund({ ...params, charge: store.find('charge', params.charge ?? intent.latest_charge, 'charge') });
}

const keepEvent = (event, { type, types }) => (!type || forms(type).test(event.type))
    && (!types || types.some((t) => forms(t).test(event.type)));
const forms = (type) => new RegExp(`^${type.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);

function createEndpoint({ store }, params) {
    checkUrl(params.url, 'url');
    const endpoint = store.add('webhook_endpoint', newId('we_1'), {
        url: params.url, enabled_events: params.enabled_events, api_version: params.api_version ?? store.apiVersion,
        description: params.description || null, metadata: params.metadata || {},
    });
    const secret = params.secret ?? newId('whsec', 32);
    store.hidden(endpoint.id).secret = secret;
    return { ...endpoint, secret };
}

function updateEndpoint({ store }, params, id) {
    checkUrl(params.url, 'url');
    return store.change(store.find('webhook_endpoint', id), (endpoint) => {
        assign(endpoint, params, ['url', 'enabled_events', 'description']);
        if (params.disabled !== undefined) endpoint.status = params.disabled ? 'disabled' : 'enabled';
    });
}

function deleteEndpoint({ store }, _params, id) {
    store.remove(store.find('webhook_endpoint', id));
    return { id, object: 'webhook_endpoint', deleted: true };
}

const keepPayment = (p, params) => equal('invoice', 'status')(p, params)
    && (!params.payment?.payment_intent || p.payment.payment_intent === params.payment.payment_intent);

/** 'METHOD /path' → (context, params, id) => object */
export const ROUTES = {
    'POST /v1/customers': createCustomer,
    'GET /v1/customers': lists('customer', '/v1/customers', equal('email')),
    'GET /v1/customers/{id}': readCustomer,
    'POST /v1/customers/{id}': updateCustomer,
    'DELETE /v1/customers/{id}': deleteCustomer,
    'POST /v1/products': createProduct,
    'GET /v1/products': lists('product', '/v1/products', equal('active')),
    'GET /v1/products/{id}': reads('product'),
    'POST /v1/prices': createPrice,
    'GET /v1/prices': lists('price', '/v1/prices', keepPrice),
    'GET /v1/prices/{id}': reads('price'),
    'POST /v1/billing_portal/sessions': createPortal,
    'POST /v1/refunds': createRefund,
    'GET /v1/refunds': lists('refund', '/v1/refunds', equal('charge', 'payment_intent')),
    'GET /v1/refunds/{id}': reads('refund'),
    'GET /v1/charges': lists('charge', '/v1/charges', equal('customer', 'payment_intent')),
    'GET /v1/charges/{id}': reads('charge'),
    'GET /v1/payment_intents': lists('payment_intent', '/v1/payment_intents', equal('customer')),
    'GET /v1/payment_intents/{id}': reads('payment_intent'),
    'GET /v1/invoice_payments': lists('invoice_payment', '/v1/invoice_payments', keepPayment),
    'GET /v1/invoice_payments/{id}': reads('invoice_payment'),
    'GET /v1/disputes': lists('dispute', '/v1/disputes', equal('charge', 'payment_intent')),
    'GET /v1/disputes/{id}': reads('dispute'),
    'GET /v1/events': lists('event', '/v1/events', keepEvent),
    'GET /v1/events/{id}': reads('event'),
    'POST /v1/webhook_endpoints': createEndpoint,
    'GET /v1/webhook_endpoints': lists('webhook_endpoint', '/v1/webhook_endpoints'),
    'GET /v1/webhook_endpoints/{id}': reads('webhook_endpoint'),
    'POST /v1/webhook_endpoints/{id}': updateEndpoint,
    'DELETE /v1/webhook_endpoints/{id}': deleteEndpoint,
    'GET /v1/account': () => ({ ...blank('account'), id: 'acct_1StandIn' }),
    ...CHECKOUT_ROUTES,
    ...SUBSCRIPTION_ROUTES,
};
