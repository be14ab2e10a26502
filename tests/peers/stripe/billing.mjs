// Subscriptions and the money that flows for them: periods, invoices, payments, prorations.
import { declined, invalid } from './errors.mjs';
import { newId } from './store.mjs';
import { blank } from './validate.mjs';

const DAY = 86_400;

/** The same moment so many intervals later; a day the month does not have becomes its last one. */
export function later(seconds, interval, count = 1, anchor = seconds) {
    if (interval === 'day') return seconds + count * DAY;
    if (interval === 'week') return seconds + count * 7 * DAY;
    const date = new Date(seconds * 1000);
    const months = date.getUTCFullYear() * 12 + date.getUTCMonth() + (interval === 'year' ? 12 : 1) * count;
    const last = new Date(Date.UTC(0, 0)).setUTCFullYear(Math.floor(months / 12), (months % 12) + 1, 0);
    const day = Math.min(new Date(anchor * 1000).getUTCDate(), new Date(last).getUTCDate());
    return Math.floor(last / DAY / 1000) * DAY - (new Date(last).getUTCDate() - day) * DAY + (seconds % DAY);
}

function planOf(price) {
    return {
        ...blank('subscription_item').plan, id: price.id, active: price.active, amount: price.unit_amount,
        amount_decimal: price.unit_amount_decimal, created: price.created, currency: price.currency,
        interval: price.recurring.interval, interval_count: price.recurring.interval_count,
        metadata: price.metadata, product: price.product,
    };
}

const ENDED = ['canceled', 'incomplete_expired'];

export class Billing {
    constructor(store, urlOf) {
        this.store = store;
        this.urlOf = urlOf;
    }

    newItem(subscription, price, quantity, start, end, metadata = {}) {
        return {
            ...blank('subscription_item'), id: newId('si', 14), created: this.store.now(), price: structuredClone(price),
            plan: planOf(price), quantity, subscription, current_period_start: start, current_period_end: end,
            discounts: [], tax_rates: [], metadata: metadata || {},
        };
    }

    /** A subscription, paid for at once unless a trial goes first. A refused card leaves it incomplete. */
    subscribe({ customer, items, trialEnd = null, metadata = {}, fields = {}, behavior = 'allow_incomplete' }) {
        const { store } = this;
        const now = store.now();
        const id = newId('sub_1');
        const recurring = items[0].price.recurring;
        const end = trialEnd ?? later(now, recurring.interval, recurring.interval_count);
        const card = store.hidden(customer.id).card;
        if (card === 'declined' && behavior === 'error_if_incomplete' && !trialEnd) throw declined();
        const subscription = store.add('subscription', id, {
            customer: customer.id, currency: items[0].price.currency, metadata, start_date: now,
            billing_cycle_anchor: trialEnd ?? now, status: trialEnd ? 'trialing' : 'incomplete',
            trial_start: trialEnd && now, trial_end: trialEnd, billing_mode: { flexible: null, type: 'flexible' },
            cancellation_details: { comment: null, feedback: null, reason: null }, ...fields,
        });
        subscription.items = {
            object: 'list', has_more: false, url: `/v1/subscription_items?subscription=${id}`, total_count: items.length,
            data: items.map(({ price, quantity, metadata: m }) => this.newItem(id, price, quantity ?? 1, now, end, m)),
        };
        store.event('customer.subscription.created', subscription);
        const invoice = this.invoice(subscription, trialEnd ? [] : this.periodLines(subscription), 'subscription_create');
        const paid = this.collect(invoice);
        if (paid && subscription.status === 'incomplete')
            store.change(subscription, { status: 'active' }, 'customer.subscription.updated');
        return subscription;
    }

    periodLines(subscription) {
        return subscription.items.data.map((item) => ({
            item, amount: item.price.unit_amount * item.quantity, proration: false,
            description: `${item.quantity} × ${this.store.get(item.price.product)?.name ?? item.price.id}`,
            start: item.current_period_start, end: item.current_period_end,
        }));
    }

    /** An invoice object for lines; it is stored and told of only by invoice(). */
    draft(subscription, lines, reason) {
        const { store } = this;
        const customer = store.get(subscription.customer);
        const id = newId('in_1');
        const total = lines.reduce((sum, line) => sum + line.amount, 0);
        const [first] = subscription.items.data;
        const data = lines.map((line) => ({
            ...blank('invoice_line_item'), id: newId('il_1'), amount: line.amount, currency: subscription.currency,
            description: line.description, invoice: id, period: { start: line.start, end: line.end },
            parent: {
                invoice_item_details: null, type: 'subscription_item_details',
                subscription_item_details: {
                    invoice_item: null, proration: line.proration, proration_details: null,
                    subscription: subscription.id, subscription_item: line.item.id,
                },
            },
            pricing: {
                price_details: { price: line.item.price.id, product: line.item.price.product }, type: 'price_details',
                unit_amount_decimal: line.item.price.unit_amount_decimal,
            },
            quantity: line.item.quantity, subscription: subscription.id, subtotal: line.amount,
        }));
        return {
            ...blank('invoice'), id, created: store.now(), billing_reason: reason, currency: subscription.currency,
            customer: customer.id, customer_email: customer.email, customer_name: customer.name ?? null,
            amount_due: Math.max(0, total), amount_remaining: Math.max(0, total), subtotal: total, total,
            lines: { object: 'list', data, has_more: false, url: `/v1/invoices/${id}/lines`, total_count: data.length },
            parent: {
                quote_details: null, type: 'subscription_details',
                subscription_details: { metadata: subscription.metadata, subscription: subscription.id },
            },
            period_start: first?.current_period_start ?? store.now(), period_end: store.now(), metadata: {}, status: 'draft',
        };
    }

    invoice(subscription, lines, reason) {
        const { store } = this;
        const invoice = this.draft(subscription, lines, reason);
        store.put(invoice);
        store.event('invoice.created', invoice);
        const counter = store.hidden(invoice.customer);
        counter.invoices = (counter.invoices ?? 0) + 1;
        store.change(invoice, (i) => {
            i.status = 'open';
            i.number = `${i.customer.slice(-8).toUpperCase()}-${String(counter.invoices).padStart(4, '0')}`;
            i.hosted_invoice_url = this.urlOf(`/i/${i.id}`);
            i.invoice_pdf = this.urlOf(`/i/${i.id}/pdf`);
            i.effective_at = store.now();
            i.status_transitions.finalized_at = store.now();
        }, 'invoice.finalized');
        subscription.latest_invoice = invoice.id;
        return invoice;
    }

    /** Tries to take an open invoice's money from the customer's card. → whether it is paid */
    collect(invoice) {
        const { store } = this;
        if (invoice.amount_due > 0) {
            const refused = store.hidden(invoice.customer).card === 'declined';
            this.charge(invoice, refused);
            store.change(invoice, (i) => {
                i.attempted = true;
                i.attempt_count += 1;
                if (refused) i.next_payment_attempt = store.now() + 3 * DAY;
            });
            if (refused) {
                store.event('invoice.payment_failed', invoice);
                return false;
            }
        }
        store.change(invoice, (i) => {
            i.status = 'paid';
            i.attempted = true;
            i.amount_paid = i.amount_due;
            i.amount_remaining = 0;
            i.next_payment_attempt = null;
            i.status_transitions.paid_at = store.now();
        });
        store.event('invoice.paid', invoice);
        store.event('invoice.payment_succeeded', invoice);
        return true;
    }

    /** The attempt to pay an invoice: one payment intent an invoice, one charge an attempt. */
    charge(invoice, refused) {
        const { store } = this;
        const { amount_due: amount, currency, customer } = invoice;
        let payment = store.all('invoice_payment').find((p) => p.invoice === invoice.id);
        if (!payment) {
            const intent = store.add('payment_intent', newId('pi_3'), { amount, currency, customer, status: 'processing' });
            payment = store.add('invoice_payment', newId('inpay_1'), {
                amount_requested: amount, currency, invoice: invoice.id,
                payment: { payment_intent: intent.id, type: 'payment_intent' },
            });
            store.event('payment_intent.created', intent);
        }
        const intent = store.get(payment.payment.payment_intent);
        const charge = store.add('charge', newId('ch_3'), {
            amount, amount_captured: refused ? 0 : amount, currency, customer, payment_intent: intent.id,
            captured: !refused, paid: !refused, status: refused ? 'failed' : 'succeeded',
            ...(refused && { failure_code: 'card_declined', failure_message: 'Your card was declined.' }),
        });
        store.event(refused ? 'charge.failed' : 'charge.succeeded', charge);
        store.change(intent, {
            latest_charge: charge.id, amount_received: refused ? 0 : amount,
            status: refused ? 'requires_payment_method' : 'succeeded',
            last_payment_error: refused ? { ...declined().error, charge: charge.id } : null,
        }, refused ? 'payment_intent.payment_failed' : 'payment_intent.succeeded');
        if (refused) return;
        store.change(payment, (p) => {
            p.status = 'paid';
            p.amount_paid = amount;
            p.status_transitions.paid_at = store.now();
        }, 'invoice_payment.paid');
    }

    /** What the change from the old items to the new ones costs for the rest of the period. */
    prorations(subscription, before, at) {
        const [first] = before;
        const share = Math.max(0, Math.min(1, (first.current_period_end - at)
            / (first.current_period_end - first.current_period_start)));
        const line = (item, sign, words) => ({
            item, proration: true, start: at, end: first.current_period_end,
            amount: sign * Math.round(item.price.unit_amount * item.quantity * share),
            description: `${words} ${this.store.get(item.price.product)?.name ?? item.price.id}`,
        });
        const same = (a, b) => a.id === b.id && a.price.id === b.price.id && a.quantity === b.quantity;
        const after = subscription.items.data;
        return [
            ...before.filter((a) => !after.some((b) => same(a, b))).map((i) => line(i, -1, 'Unused time on')),
            ...after.filter((a) => !before.some((b) => same(a, b))).map((i) => line(i, 1, 'Remaining time on')),
        ];
    }

    cancel(subscription, { reason = 'cancellation_requested', details = {} } = {}) {
        const now = this.store.now();
        this.store.change(subscription, (s) => {
            s.status = 'canceled';
            s.canceled_at ??= now;
            s.ended_at = now;
            s.pause_collection = null;
            s.cancellation_details = { comment: null, feedback: null, ...details, reason };
        });
        return this.store.event('customer.subscription.deleted', subscription);
    }

    ended(subscription) { return ENDED.includes(subscription.status); }

    refund({ charge, amount, reason = null, metadata = {} }) {
        const { store } = this;
        const left = charge.amount_captured - charge.amount_refunded;
        if (!charge.paid || left <= 0)
            throw invalid(`Charge ${charge.id} has already been refunded.`, { code: 'charge_already_refunded' });
        const wanted = amount ?? left;
        if (wanted > left)
            throw invalid(`Refund amount ($${(wanted / 100).toFixed(2)}) is greater than unrefunded amount on charge `
                + `($${(left / 100).toFixed(2)})`, { param: 'amount' });
        if (wanted <= 0 || !Number.isInteger(wanted))
            throw invalid('Invalid positive integer', { code: 'parameter_invalid_integer', param: 'amount' });
        const refund = store.add('refund', newId('re_3'), {
            amount: wanted, charge: charge.id, currency: charge.currency, payment_intent: charge.payment_intent, reason,
            metadata: metadata || {},
        });
        store.event('refund.created', refund);
        store.change(charge, (c) => {
            c.amount_refunded += wanted;
            c.refunded = c.amount_refunded === c.amount_captured;
        }, 'charge.refunded');
        return refund;
    }
}
