// A stand-in of Stripe for tests and ./dev run: stateful, strict about what it is asked, and wrong on demand.
//
//   const stripe = await startStripe(t, {apiVersion, speak, latency, retry, catalog});
//   const server = await startServer(t, {plugins: ['auth', 'mail', 'stripe'], stripe});     webhooks go to it by themselves
//   …POST /subscriptions/create answers {checkout_url, session_id}…
//   const subscription = stripe.pay(session_id);              or POST action=pay to checkout_url, as a browser would
//   await stripe.webhooks.idle();                             every webhook has been answered 2xx
//
// State: stripe.customers subscriptions sessions invoices charges refunds disputes portals events; stripe.get(id).
// What it was asked: stripe.requests, stripe.asked('POST', '/v1/customers') → [{params, key, version, status, replayed}].
// Life: pay expire renewPeriod failPayment recover setStatus cancel cancelLater resume endPeriod changePrice trialWillEnd
//   endTrial refund dispute closeDispute deleteCustomer card update setPeriod advance subscribe sell fire: see world.mjs.
// Webhooks: stripe.webhooks.hold(); …; await stripe.webhooks.release((events) => events.toReversed()) (any order, some
//   twice); lose(which); flow(); deliver(event, {signature: 'bad', timestamp, secret}); deliveries: see webhooks.mjs.
// Faults: stripe.fail({method: 'POST', path: '/v1/customers', answer: 'reset', after: true, times: 2}): see faults.mjs.
// Away: await stripe.stop(); await stripe.start().
//
// Options: apiVersion: the version events are written in; speak: the version of answers, whatever is asked for (for both:
// before 2025-03-31 the period stands on the subscription); latency: ms before every answer; retry: ms between the
// attempts of a webhook ([]: none); catalog: what is sold, as CATALOG of world.mjs; stateFile: keeps the state there;
// portalCancelAt (true): the portal's button sets cancel_at alone, as with flexible billing, not cancel_at_period_end.
import { cleanup } from '../../lib/process.mjs';

export async function startStripe(t, options = {}) {
    // Loaded when it is wanted: every test file imports this one, and the SDK behind it is large.
    const { StripePeer } = await import('./server.mjs');
    const stripe = new StripePeer(options);
    await stripe.start();
    cleanup(t, () => stripe.stop());
    return stripe;
}
