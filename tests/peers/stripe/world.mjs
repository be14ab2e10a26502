// What happens in Stripe's world besides requests: people pay, cards are refused, periods end, banks dispute.
import { Billing, later } from './billing.mjs';
import { pay } from './checkout.mjs';
import { invalid } from './errors.mjs';
import { createPrice, deleteCustomer, ROUTES } from './routes.mjs';
import { newId, Store } from './store.mjs';
import { planEnd } from './subscriptions.mjs';

/** What is sold: [product, price's id, amount in cents, interval]. */
export const CATALOG = [
    ['Basic', 'price_basic_monthly', 999, 'month'], ['Pro', 'price_pro_monthly', 1999, 'month'],
    ['Enterprise', 'price_enterprise_monthly', 4999, 'month'], ['Pro', 'price_pro_yearly', 19990, 'year'],
];

/** Objects may be given as themselves or by their ids. */
export class World {
    constructor(options = {}) {
        this.store = new Store(options);
        this.billing = new Billing(this.store, (path) => this.urlOf(path));
        this.context = { store: this.store, billing: this.billing, urlOf: (path) => this.urlOf(path) };
        for (const entry of options.catalog ?? CATALOG) this.sell(...entry);
        for (const event of this.events) this.store.remove(event);
    }

    get customers() { return this.store.all('customer').filter((customer) => !customer.deleted); }
    get subscriptions() { return this.store.all('subscription'); }
    get sessions() { return this.store.all('checkout.session'); }
    get invoices() { return this.store.all('invoice'); }
    get charges() { return this.store.all('charge'); }
    get refunds() { return this.store.all('refund'); }
    get disputes() { return this.store.all('dispute'); }
    get portals() { return this.store.all('billing_portal.session'); }
    get events() { return this.store.all('event'); }

    /** The living object behind an id. */
    get(what) {
        const object = this.store.get(what?.id ?? what);
        if (!object) throw new Error(`the stand-in has no ${what?.id ?? what}`);
        return object;
    }

    /** Puts another price up for sale, as the dashboard would. */
    sell(name, id, amount, interval, { currency = 'usd', count = 1 } = {}) {
        const product = this.store.all('product').find((p) => p.name === name);
        return createPrice(this.context, {
            id, lookup_key: id, currency, unit_amount: amount, recurring: { interval, interval_count: count },
            ...(product ? { product: product.id } : { product_data: { name } }),
        });
    }

    /** Does what a request would do, without one; used for what people do in the dashboard. */
    call(route, params = {}, id) { return ROUTES[route](this.context, params, id); }

    /** The webhooks of this account go to url as well. */
    listen(url, { secret = this.webhookSecret, events = ['*'] } = {}) {
        const known = this.store.all('webhook_endpoint').find((endpoint) => endpoint.url === url);
        if (known) this.call('DELETE /v1/webhook_endpoints/{id}', {}, known.id);
        return this.call('POST /v1/webhook_endpoints', { url, secret, enabled_events: events });
    }

    /** A person pays on the page of a checkout session; {card: 'declined'} tries and fails. → the subscription */
    pay(session, how) { return pay(this.context, this.get(session), how); }

    expire(session) { return this.call('POST /v1/checkout/sessions/{id}/expire', {}, this.get(session).id); }

    /** A subscription without a checkout. */
    subscribe(customer, price, { trialDays, ...more } = {}) {
        const owner = this.get(customer);
        this.store.hidden(owner.id).card ??= 'good';
        return this.billing.subscribe({
            customer: owner, items: [{ price: this.get(price), quantity: 1 }],
            trialEnd: trialDays ? this.store.now() + trialDays * 86_400 : null, ...more,
        });
    }

    /** What happens at a customer's next payments: 'good' or 'declined'. */
    card(customer, state) { this.store.hidden(this.get(customer).id).card = state; }

    /** Moves the stand-in's clock. */
    advance(seconds) { this.store.offset += seconds; }

    /** Changes any field of an object; without a type nobody is told. */
    update(object, fields, type) { return this.store.change(this.get(object), fields, type); }

    /** Moves a subscription's period to {start, end} as if it had always been there. */
    setPeriod(subscription, { start, end }) {
        const s = this.get(subscription);
        for (const item of s.items.data) {
            item.current_period_start = start ?? item.current_period_start;
            item.current_period_end = end ?? item.current_period_end;
        }
        if (s.cancel_at_period_end) s.cancel_at = s.items.data[0].current_period_end;
        return s;
    }

    /** The period is over: the next one begins and is invoiced, or what was to end ends. */
    renewPeriod(subscription) {
        const s = this.get(subscription);
        if (this.billing.ended(s)) throw new Error(`${s.id} has ended`);
        if (s.cancel_at_period_end || s.cancel_at) return this.endPeriod(s);
        this.store.change(s, () => {
            for (const item of s.items.data) {
                const { interval, interval_count: count } = item.price.recurring;
                item.current_period_start = item.current_period_end;
                item.current_period_end = later(item.current_period_start, interval, count, s.billing_cycle_anchor);
            }
            if (s.status === 'trialing') s.status = 'active';
        }, 'customer.subscription.updated');
        const hidden = this.store.hidden(s.id);
        const lines = [...hidden.pending ?? [], ...this.billing.periodLines(s)];
        hidden.pending = [];
        if (!this.billing.collect(this.billing.invoice(s, lines, 'subscription_cycle'))) this.setStatus(s, 'past_due');
        return s;
    }

    /** The next period begins and its payment fails: the subscription is past_due, its invoice open. */
    failPayment(subscription) {
        this.card(this.get(subscription).customer, 'declined');
        return this.renewPeriod(subscription);
    }

    /** The card is good again and what is open gets paid. */
    recover(subscription) {
        const s = this.get(subscription);
        this.card(s.customer, 'good');
        for (const invoice of this.invoicesOf(s).filter((i) => i.status === 'open')) this.billing.collect(invoice);
        return this.setStatus(s, 'active');
    }

    invoicesOf(subscription) {
        const { id } = this.get(subscription);
        return this.invoices.filter((i) => i.parent?.subscription_details?.subscription === id);
    }

    /** past_due, unpaid, incomplete_expired, active, paused, canceled (after all attempts to be paid) … and its events. */
    setStatus(subscription, status) {
        const s = this.get(subscription);
        const was = s.status;
        if (status === 'canceled') return this.cancel(s, { reason: 'payment_failed' });
        const ended = status === 'incomplete_expired' && { ended_at: this.store.now() };
        this.store.change(s, { status, ...ended }, 'customer.subscription.updated');
        if (status === 'paused' && was !== status) this.store.event('customer.subscription.paused', s);
        if (was === 'paused' && was !== status) this.store.event('customer.subscription.resumed', s);
        return s;
    }

    /** Ends a subscription now. reason: cancellation_requested, payment_failed or payment_disputed. */
    cancel(subscription, options) {
        this.billing.cancel(this.get(subscription), options);
        return this.get(subscription);
    }

    /** A subscription that ends with its period has come there. */
    endPeriod(subscription) {
        const s = this.get(subscription);
        const end = s.items.data[0].current_period_end;
        const now = this.store.now();
        if (end > now) this.setPeriod(s, { end: now });
        return this.cancel(s);
    }

    /**
     * The subscription ends with its period, as the dashboard says it. {cancelAt: true}: as the portal does with flexible
     * billing, by cancel_at alone.
     */
    cancelLater(subscription, { cancelAt = false } = {}) {
        const params = cancelAt ? { cancel_at: 'min_period_end' } : { cancel_at_period_end: true };
        return this.store.change(this.get(subscription),
            (s) => planEnd(this.store, s, params), 'customer.subscription.updated');
    }

    resume(subscription) {
        return this.store.change(this.get(subscription),
            (s) => planEnd(this.store, s, { cancel_at: '' }), 'customer.subscription.updated');
    }

    /** As the portal's plan change: the price of the one item. */
    changePrice(subscription, price, behavior = 'always_invoice') {
        const s = this.get(subscription);
        return this.call('POST /v1/subscriptions/{id}', {
            items: [{ id: s.items.data[0].id, price: this.get(price).id }], proration_behavior: behavior,
        }, s.id);
    }

    trialWillEnd(subscription) {
        return this.store.event('customer.subscription.trial_will_end', this.get(subscription));
    }

    /** The trial is over and the first real invoice due. */
    endTrial(subscription) {
        const s = this.get(subscription);
        const now = this.store.now();
        s.trial_end = now;
        s.billing_cycle_anchor = now;
        this.setPeriod(s, { end: now });
        return this.renewPeriod(s);
    }

    /** The last paid charge of a subscription, an invoice or itself. */
    chargeOf(what) {
        const object = this.get(what);
        if (object.object === 'charge') return object;
        const invoices = object.object === 'invoice' ? [object] : this.invoicesOf(object);
        const intents = this.store.all('invoice_payment').filter((p) => invoices.some((i) => i.id === p.invoice))
            .map((p) => p.payment.payment_intent);
        const charge = this.charges.findLast((c) => c.paid && intents.includes(c.payment_intent));
        if (!charge) throw invalid(`nothing was paid for ${object.id}`);
        return charge;
    }

    refund(what, amount) { return this.billing.refund({ charge: this.chargeOf(what), amount }); }

    /** The bank takes a payment back for now. */
    dispute(what, reason = 'fraudulent') {
        const charge = this.chargeOf(what);
        const { amount, currency, payment_intent: intent } = charge;
        const dispute = this.store.add('dispute', newId('du_1'),
            { amount, currency, charge: charge.id, payment_intent: intent, reason });
        charge.disputed = true;
        this.store.event('charge.dispute.created', dispute);
        this.store.event('charge.dispute.funds_withdrawn', dispute);
        return dispute;
    }

    /** outcome: won or lost. */
    closeDispute(dispute, outcome) {
        this.store.change(this.get(dispute), { status: outcome });
        if (outcome === 'won') this.store.event('charge.dispute.funds_reinstated', this.get(dispute));
        return this.store.event('charge.dispute.closed', this.get(dispute));
    }

    deleteCustomer(customer) { return deleteCustomer(this.context, {}, this.get(customer).id); }

    /** An event of any type about an object as it is now, for types nothing else makes. */
    fire(type, object) { return this.store.event(type, typeof object === 'string' ? this.get(object) : object); }
}
