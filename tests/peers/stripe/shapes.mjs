// Endpoints and objects that stripe-api.json lacks, after the type declarations of the npm package stripe 23.1.0 (MIT).

const text = { t: 'string' };
const flag = { t: 'boolean' };
const whole = { t: 'number' };
const list = (items) => ({ items });
const one = (...names) => ({ enum: names });
const props = (fields = {}, required = []) => ({ props: { expand: list(text), ...fields }, required });
const range = { any: [whole, { props: { gt: whole, gte: whole, lt: whole, lte: whole }, required: [] }] };
const page = (fields = {}) => props({ ending_before: text, limit: whole, starting_after: text, ...fields });
const metadata = { any: [one(''), { map: text }] };
const endpointFields = { description: text, enabled_events: list(text), metadata, url: text };

export const MORE_ENDPOINTS = {
    'POST /v1/refunds': { params: props({
        amount: whole, charge: text, currency: text, customer: text, instructions_email: text, metadata,
        origin: one('customer_balance'), payment_intent: text,
        reason: one('duplicate', 'fraudulent', 'requested_by_customer'),
        refund_application_fee: flag, reverse_transfer: flag,
    }) },
    'GET /v1/refunds': { params: page({ charge: text, created: range, payment_intent: text }) },
    'GET /v1/refunds/{id}': { params: props() },
    'GET /v1/charges': { params: page({ created: range, customer: text, payment_intent: text, transfer_group: text }) },
    'GET /v1/charges/{id}': { params: props() },
    'GET /v1/payment_intents': { params: page({ created: range, customer: text, customer_account: text }) },
    'GET /v1/payment_intents/{id}': { params: props({ client_secret: text }) },
    'GET /v1/invoice_payments': { params: page({
        created: range, invoice: text, status: one('canceled', 'open', 'paid'),
        payment: {
            props: { payment_intent: text, payment_record: text, type: one('payment_intent', 'payment_record') },
            required: ['type'],
        },
    }) },
    'GET /v1/invoice_payments/{id}': { params: props() },
    'GET /v1/disputes': { params: page({ charge: text, created: range, payment_intent: text }) },
    'GET /v1/disputes/{id}': { params: props() },
    'POST /v1/webhook_endpoints': { params: props(
        { ...endpointFields, api_version: text, connect: flag }, ['enabled_events', 'url']) },
    'GET /v1/webhook_endpoints': { params: page() },
    'GET /v1/webhook_endpoints/{id}': { params: props() },
    'POST /v1/webhook_endpoints/{id}': { params: props({ ...endpointFields, disabled: flag }) },
    'DELETE /v1/webhook_endpoints/{id}': { params: props() },
    'GET /v1/account': { params: props() },
};

const common = { id: '', object: '', created: 0, livemode: false };

export const MORE_OBJECTS = {
    refund: {
        ...common, object: 'refund', amount: 0, balance_transaction: null, charge: null, currency: '', customer: null,
        customer_account: null, destination_details: { card: { type: 'refund' }, type: 'card' }, metadata: {},
        payment_intent: null, payment_method: null, reason: null, receipt_number: null, source_transfer_reversal: null,
        status: 'succeeded', transfer_reversal: null,
    },
    charge: {
        ...common, object: 'charge', amount: 0, amount_captured: 0, amount_refunded: 0, application: null,
        application_fee: null, application_fee_amount: null, balance_transaction: null,
        billing_details: { address: null, email: null, name: null, phone: null, tax_id: null },
        calculated_statement_descriptor: null, captured: true, currency: '', customer: null, description: null,
        disputed: false, failure_balance_transaction: null, failure_code: null, failure_message: null,
        fraud_details: {}, metadata: {}, on_behalf_of: null, outcome: null, paid: true, payment_intent: null,
        payment_method: null, payment_method_details: null, receipt_email: null, receipt_number: null,
        receipt_url: null, refunded: false, review: null, shipping: null, source: null, source_transfer: null,
        statement_descriptor: null, statement_descriptor_suffix: null, status: 'succeeded', transfer_data: null,
        transfer_group: null,
    },
    payment_intent: {
        ...common, object: 'payment_intent', allowed_payment_method_types: null, amount: 0, amount_capturable: 0,
        amount_received: 0, application: null, application_fee_amount: null, automatic_payment_methods: null,
        canceled_at: null, cancellation_reason: null, capture_method: 'automatic', client_secret: null,
        confirmation_method: 'automatic', currency: '', customer: null, customer_account: null, description: null,
        excluded_payment_method_types: null, last_payment_error: null, latest_charge: null, managed_payments: null,
        metadata: {}, next_action: null, on_behalf_of: null, payment_method: null,
        payment_method_configuration_details: null, payment_method_options: null, payment_method_types: ['card'],
        payment_record: null, processing: null, receipt_email: null, review: null, setup_future_usage: null,
        shipping: null, source: null, statement_descriptor: null, statement_descriptor_suffix: null,
        status: 'succeeded', transfer_data: null, transfer_group: null,
    },
    invoice_payment: {
        ...common, object: 'invoice_payment', amount_paid: null, amount_requested: 0, currency: '', invoice: '',
        is_default: true, payment: { type: 'payment_intent' }, status: 'open',
        status_transitions: { canceled_at: null, paid_at: null },
    },
    dispute: {
        ...common, object: 'dispute', amount: 0, balance_transactions: [], charge: '', currency: '',
        enhanced_eligibility_types: [], evidence: {}, intended_submission_method: null,
        evidence_details: {
            due_by: null, enhanced_eligibility: {}, has_evidence: false, past_due: false, submission_count: 0,
        },
        is_charge_refundable: false, metadata: {}, payment_intent: null, reason: 'general', status: 'needs_response',
    },
    webhook_endpoint: {
        ...common, object: 'webhook_endpoint', api_version: null, application: null, description: null,
        enabled_events: ['*'], metadata: {}, status: 'enabled', url: '',
    },
    event: {
        ...common, object: 'event', api_version: null, data: { object: {} }, pending_webhooks: 0,
        request: { id: null, idempotency_key: null }, type: '',
    },
    account: {
        ...common, object: 'account', country: 'US', default_currency: 'usd', charges_enabled: true,
        payouts_enabled: true, details_submitted: true, email: 'owner@vv.test', metadata: {}, type: 'standard',
    },
};
