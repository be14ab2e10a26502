// The pages people see: checkout with Pay and Cancel, the customer portal, an invoice.
import { current } from './checkout.mjs';

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const money = (amount, currency) => `${(amount / 100).toFixed(2)} ${currency.toUpperCase()}`;
const day = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 10);

function page(title, ...parts) {
    return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>body{font:16px/1.5 sans-serif;max-width:28em;margin:4em auto;padding:0 1em}button{font:inherit;padding:.5em 1.5em}
.note{color:#666;font-size:.85em}</style>
<h1>${escape(title)}</h1>
${parts.join('\n')}
<p class="note">This is a stand-in of Stripe, on this machine only. Nobody is charged.</p></html>`;
}

const form = (...buttons) => `<form method="post">${buttons.map(([action, text]) =>
    `<button name="action" value="${action}">${escape(text)}</button>`).join(' ')}</form>`;

const html = (status, body) => ({ status, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body });
const redirect = (url) => ({ status: 303, headers: { Location: url }, body: '' });

function checkoutPage(world, session, error) {
    if (session.status !== 'open') return html(410, page(`This checkout is ${session.status}`));
    const lines = world.store.hidden(session.id).lines.map(({ description, quantity, price }) =>
        `<p>${quantity} × <b>${escape(description)}</b>: ${money(price.unit_amount, price.currency)} `
        + `a ${price.recurring?.interval ?? 'piece'}</p>`);
    const { trial_period_days: days } = world.store.hidden(session.id).subscriptionData;
    return html(error ? 402 : 200, page('Checkout', ...lines, days ? `<p>The first ${days} days are free.</p>` : '',
        `<p>${escape(session.customer_details?.email ?? session.customer_email ?? '')}</p>`,
        error ? `<p role="alert">${escape(error)}</p>` : '',
        form(['pay', 'Pay'], ['cancel', 'Cancel'], ['decline', 'Pay with a card that is refused'])));
}

function checkout(world, method, id, { action, email }) {
    const session = current(world.context, id);
    const { success_url: success, cancel_url: back } = session;
    if (method === 'GET' || session.status !== 'open') return checkoutPage(world, session);
    if (action === 'cancel') return back ? redirect(back.replaceAll('{CHECKOUT_SESSION_ID}', id)) : checkoutPage(world, session);
    try {
        world.pay(session, { email, ...(action === 'decline' && { card: 'declined' }) });
    } catch (error) {
        if (error.status !== 402) throw error;
        return checkoutPage(world, session, error.message);
    }
    return redirect(success.replaceAll('{CHECKOUT_SESSION_ID}', id));
}

function portal(world, method, id, { action, subscription }) {
    const session = world.store.find('billing_portal.session', id);
    const mine = world.subscriptions.filter((s) => s.customer === session.customer && !world.billing.ended(s));
    const chosen = mine.find((s) => s.id === subscription) ?? mine[0];
    if (method === 'POST' && chosen) {
        if (action === 'cancel') world.cancelLater(chosen, { cancelAt: world.portalCancelAt });
        if (action === 'resume') world.resume(chosen);
        if (action === 'end' && chosen.cancel_at) world.endPeriod(chosen);
        return redirect(session.url);
    }
    const rows = mine.map((s) => {
        const [item] = s.items.data;
        return `<p><b>${escape(world.get(item.price.product).name)}</b>, ${s.status}, `
            + `${s.cancel_at ? 'ends' : 'renews'} on ${day(item.current_period_end)}</p>`
            + form(...(s.cancel_at ? [['resume', 'Go on with the subscription'], ['end', 'Let the period end now']]
                : [['cancel', 'Cancel the subscription']]));
    });
    return html(200, page('Your subscription', ...(rows.length ? rows : ['<p>There is none.</p>']),
        session.return_url ? `<p><a href="${escape(session.return_url)}">Back</a></p>` : ''));
}

function invoice(world, id) {
    const found = world.store.find('invoice', id);
    return html(200, page(`Invoice ${found.number}`, ...found.lines.data.map((line) =>
        `<p>${escape(line.description)}: ${money(line.amount, line.currency)}</p>`),
    `<p><b>${money(found.total, found.currency)}</b>, ${found.status}</p>`));
}

/** The answer to a request for a page: {status, headers, body}, or undefined where there is none. */
export function showPage(world, method, pathname, fields = {}) {
    const [, kind, id] = pathname.match(/^\/(c\/pay|p\/session|i)\/(\w+)(?:\/pdf)?$/) ?? [];
    if (kind === 'c/pay') return checkout(world, method, id, fields);
    if (kind === 'p/session') return portal(world, method, id, fields);
    return kind === 'i' ? invoice(world, id) : undefined;
}
