// Stripe's own SDK as a client of the stand-in, and what tests with the two of them do again and again.
import assert from 'node:assert/strict';
import http from 'node:http';
import Stripe from 'stripe';
import { startStripe } from '../peers/stripe/index.mjs';
import { cleanup } from './process.mjs';

export const RETURN = { success_url: 'http://app.test/done?session_id={CHECKOUT_SESSION_ID}', cancel_url: 'http://app.test/pricing' };

/** The stand-in and the SDK as its client, which tries nothing again unless `client` says so. */
export async function start(t, options, client) {
    const peer = await startStripe(t, options);
    const sdk = new Stripe(peer.secretKey, {
        host: '127.0.0.1', port: peer.port, protocol: 'http', maxNetworkRetries: 0, telemetry: false, ...client,
    });
    return { peer, sdk };
}

export const checkout = (sdk, customer, price = 'price_pro_monthly', more = {}) => sdk.checkout.sessions.create({
    mode: 'subscription', customer, line_items: [{ price, quantity: 1 }], ...RETURN, ...more,
});

/** The same with a customer who has paid for a subscription. */
export async function subscribed(t, options) {
    const { peer, sdk } = await start(t, options);
    const customer = await sdk.customers.create({ email: 'a@vv.test' });
    const subscription = peer.pay(await checkout(sdk, customer.id));
    return { peer, sdk, customer, subscription };
}

/** Somebody who takes webhooks: answers what `answer` says, keeps what came. */
export async function listener(t, answer = () => 200) {
    const got = [];
    const server = http.createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        got.push({ body: Buffer.concat(parts), signature: request.headers['stripe-signature'] });
        response.writeHead(answer(JSON.parse(got.at(-1).body), got.length)).end('{}');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup(t, () => server.close());
    return { got, url: `http://127.0.0.1:${server.address().port}/webhooks/stripe` };
}

/** The SDK throws an error of its class `type` with these fields. */
export const refused = (promise, type, fields) => assert.rejects(promise, (error) => {
    assert.equal(error.type, type);
    for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, `${name} of ${error.message}`);
    return true;
});
