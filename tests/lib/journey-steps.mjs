// The steps of ./dev journey, in their order: what each needs of the server, what it does, and what must come of it.
import { keepSecret } from './journey-print.mjs';
import { until } from './process.mjs';

function insist(truth, sentence) {
    if (!truth) throw new Error(sentence);
}

const step = (title, needs, walk) => ({ title, needs: needs.split(' '), walk });

/** Asks quietly until the answer is as it should be, then shows it. */
async function settle(journey, where, isReady, what) {
    await until(async () => isReady((await journey.mine('GET', where, { quiet: true })).json), { what });
    return journey.mine('GET', where);
}

async function register(journey) {
    const { email, password } = journey;
    await journey.ask('POST', '/auth/register', { body: { email, password, first_name: 'Ada', last_name: 'Lovelace' } });
}

async function readMail(journey) {
    const mail = await journey.mail.waitFor(journey.email);
    keepSecret(mail.token);
    const { from, to, subject, text } = mail;
    journey.say(`From: ${from.name} <${from.address}>\nTo: ${to}\nSubject: ${subject}\n\n${text.trim()}`);
    journey.mailed = mail.token;
    insist(mail.token, 'the mail has no link with a token');
}

async function verify(journey) {
    const { email, password } = journey;
    const early = await journey.ask('POST', '/auth/login', { body: { email, password }, status: 403 });
    insist(early.json.code === 'email_unverified', 'logging in must wait for the address to be verified');
    await journey.ask('POST', '/auth/verify-email', { body: { token: journey.mailed } });
}

async function logIn(journey) {
    const { email, password } = journey;
    const { json } = await journey.ask('POST', '/auth/login', { body: { email, password } });
    journey.token = json.access_token;
}

async function plans(journey) {
    const { json } = await journey.ask('GET', '/plans');
    journey.plan = json.plans.filter((plan) => plan.api_calls !== null).sort((a, b) => a.api_calls - b.api_calls)[0];
    insist(journey.plan, 'no plan has a quota');
    journey.say(`${journey.plan.name} is taken: its quota of ${journey.plan.api_calls} calls is met soon.`);
}

async function checkout(journey) {
    const { json } = await journey.mine('POST', '/subscriptions/create', { body: { plan_id: journey.plan.id } });
    journey.checkout = json;
}

async function pay(journey) {
    await journey.press(journey.checkout.checkout_url, 'pay');
}

/** The customer of whom Stripe has told that they paid this checkout. */
async function payer(journey) {
    for (const [id] of (await journey.vvctl('webhooks', 'list')).matchAll(/evt_\w+/g)) {
        const event = await journey.vvctl('webhooks', 'show', id);
        if (event.includes(journey.checkout.session_id)) return event.match(/cus_\w+/)[0];
    }
    return null;
}

async function webhook(journey) {
    const customer = await until(() => payer(journey), { what: 'Stripe tells of the payment' });
    const list = await until(async () => {
        const text = await journey.vvctl('webhooks', 'list', customer);
        return text.trimEnd().split('\n').every((line) => / done /.test(line)) && text;
    }, { what: 'every event of Stripe has been taken in' });
    journey.say(`$ vvctl webhooks list ${customer}\n${list.trimEnd()}`);
}

async function active(journey) {
    await settle(journey, '/subscriptions/current', (s) => s?.status === 'active', 'the subscription is active');
    const { json } = await journey.mine('GET', '/profile');
    insist(json.subscription_status === 'active', 'the profile knows of the subscription');
    insist(json.api_calls_limit === journey.plan.api_calls, "the profile has the plan's quota");
}

async function portal(journey) {
    const { json } = await journey.mine('POST', '/subscriptions/portal', { body: {} });
    journey.portal = json.url;
    const page = await (await fetch(json.url)).text();
    journey.say(`GET ${json.url}\n${page.match(/<p>.*?<\/p>/)[0].replace(/<[^>]+>/g, '')}`);
}

async function cancel(journey) {
    const { json } = await journey.mine('POST', '/subscriptions/cancel', { body: {} });
    insist(json.cancel_at_period_end === true, 'the subscription ends with its period');
}

async function untilTheEnd(journey) {
    const { json } = await journey.mine('GET', '/profile');
    insist(json.subscription_status === 'active', 'what is paid for stays usable');
    await journey.press(journey.portal, 'end');
    const over = await settle(journey, '/profile', (p) => p.subscription_status === 'canceled', 'the subscription is over');
    insist(over.json.api_calls_limit === 0, 'after the period nothing is left');
}

async function leave(journey) {
    const { email, password } = journey;
    await journey.mine('DELETE', '/profile', { body: { password } });
    await journey.ask('POST', '/auth/login', { body: { email, password }, status: 401 });
}

export const STEPS = [
    step('Register', 'auth', register),
    step('The mail arrives', 'auth mail', readMail),
    step('Verify the address', 'auth mail', verify),
    step('Log in', 'auth', logIn),
    step('Which plans there are', 'stripe', plans),
    step('Check out', 'stripe', checkout),
    step('Pay, on the page of Stripe', 'stripe', pay),
    step('Stripe tells of it by webhooks', 'stripe', webhook),
    step('The subscription is active', 'stripe', active),
    step("Stripe's portal", 'stripe', portal),
    step('Cancel', 'stripe', cancel),
    step("Access until the period's end, and no longer", 'stripe', untilTheEnd),
    step('Delete the account', 'auth', leave),
];
