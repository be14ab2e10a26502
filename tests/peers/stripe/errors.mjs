// Errors as Stripe's API answers them: an HTTP status and an error object of type, code, message and param.

export class StripeError extends Error {
    constructor(status, error) {
        super(error.message);
        this.status = status;
        this.error = error;
    }

    /** The answer's body. */
    get body() { return { error: this.error }; }
}

/** 400: what the caller sent is wrong. */
export function invalid(message, { param, code, ...more } = {}) {
    const error = { message, type: 'invalid_request_error', ...more };
    if (code) Object.assign(error, { code, doc_url: `https://docs.stripe.com/error-codes/${code.replaceAll('_', '-')}` });
    if (param) error.param = param;
    return new StripeError(400, error);
}

/** No such object: 404 when the path names it, 400 when a parameter does. */
export function missing(what, id, param = 'id') {
    const error = invalid(`No such ${what.replaceAll('_', ' ')}: '${id}'`, { code: 'resource_missing', param });
    if (param === 'id') error.status = 404;
    return error;
}

/** 402: the card was refused. */
export function declined(decline = 'generic_decline') {
    return new StripeError(402, {
        message: 'Your card was declined.', type: 'card_error', code: 'card_declined', decline_code: decline,
        doc_url: 'https://docs.stripe.com/error-codes/card-declined',
    });
}

export function unauthorized(key) {
    const message = key
        ? `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(Math.max(0, key.length - 12))}${key.slice(-4)}`
        : 'You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer '
            + 'auth (e.g. \'Authorization: Bearer YOUR_SECRET_KEY\').';
    return new StripeError(401, { message, type: 'invalid_request_error' });
}

export function unknownUrl(method, path) {
    return new StripeError(404, {
        message: `Unrecognized request URL (${method}: ${path}). If you are trying to list objects, remove the trailing `
            + 'slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier.',
        type: 'invalid_request_error',
    });
}

export function idempotency(status, message, code) {
    return new StripeError(status, { message, type: 'idempotency_error', ...(code && { code }) });
}

/** The error bodies of a server that is not well. */
export function unwell(status) {
    if (status === 429)
        return { error: {
            message: 'Request rate limit exceeded. Learn more about rate limits at https://docs.stripe.com/rate-limits.',
            type: 'invalid_request_error', code: 'rate_limit', doc_url: 'https://docs.stripe.com/error-codes/rate-limit',
        } };
    if (status === 409)
        return { error: {
            message: 'This object cannot be accessed right now because another API request or Stripe process is currently '
                + 'accessing it.', type: 'invalid_request_error', code: 'lock_timeout',
        } };
    if (status === 402) return declined().body;
    if (status < 500) return { error: { message: 'The request was refused.', type: 'invalid_request_error' } };
    return { error: { message: 'An unknown error occurred.', type: 'api_error' } };
}
