// The steps of ./dev journey, in their order: what each needs of the server, what it does, and what must come of it.
import { keepSecret } from './journey-print.mjs';
import { until } from './process.mjs';
import { secret } from './state.mjs';

function insist(truth, sentence) {
    if (!truth) throw new Error(sentence);
}

const step = (title, needs, walk) => ({ title, needs: needs.split(' '), walk });

/** Asks quietly until the answer is as it should be, then shows it. */
async function settle(journey, where, isReady, what) {
    await until(async () => isReady((await journey.mine('GET', where, { quiet: true })).json), { what });
    return journey.mine('GET', where);
}

/** A mail that has come, or comes, to the person the journey is about. → the mail */
async function showMail(journey, options) {
    const mail = await journey.mail.waitFor(journey.email, options);
    keepSecret(mail.token);
    const { from, to, subject, text } = mail;
    journey.say(`From: ${from.name} <${from.address}>\nTo: ${to}\nSubject: ${subject}\n\n${text.trim()}`);
    return mail;
}

/** Asks as the search service does that has been shown a key; what it is refused with is `code`. */
async function validate(journey, { key = journey.key, code, ...options } = {}) {
    const answer = await journey.ask('POST', '/api-keys/validate', {
        token: secret('service_token'), as: 'the search service', body: { api_key: key, endpoint: '/search' }, ...options,
    });
    insist(answer.json.code === code, `the search service is told ${answer.json.code}; expected was ${code}`);
    return answer;
}

async function register(journey) {
    const { email, password } = journey;
    const { json } = await journey.ask('POST', '/auth/register',
        { body: { email, password, first_name: 'Ada', last_name: 'Lovelace' } });
    journey.firstKey = json.api_key;
}

async function readMail(journey) {
    journey.mailed = (await showMail(journey)).token;
    insist(journey.mailed, 'the mail has no link with a token');
}

async function verify(journey) {
    const { email, password } = journey;
    const early = await journey.ask('POST', '/auth/login', { body: { email, password }, status: 403 });
    insist(early.json.code === 'email_unverified', 'logging in must wait for the address to be verified');
    if (journey.firstKey) await validate(journey, { key: journey.firstKey, status: 401, code: 'invalid_api_key' });
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

async function awsCredentials(journey) {
    const { json } = await journey.mine('POST', '/aws/credentials');
    insist(Date.parse(json.expiration) > Date.now(), 'the credentials are good for a while');
    // For browsers, which then need no SDK of AWS.
    await journey.mine('POST', '/aws/transcribe-url',
        { body: { language_code: 'en-US', media_encoding: 'pcm', sample_rate: 16000 } });
}

async function apiKey(journey) {
    const { json } = await journey.mine('POST', '/api-keys', { body: { name: 'Search' } });
    journey.key = json.api_key;
    const list = await journey.mine('GET', '/api-keys');
    insist(list.json.length === 2 && !list.text.includes(journey.key), 'both keys are listed, and neither is shown');
}

/** Calls until so many are used. → the usage after the last one */
async function call(journey, usage, used) {
    let last = usage;
    while (last.used < used) last = (await validate(journey, { quiet: true })).json.usage;
    journey.say(`... and ${last.used - usage.used} more: ${last.used} of ${last.limit} calls are used, ${last.remaining} left.`);
    return last;
}

async function calls(journey) {
    const { usage } = (await validate(journey)).json;
    insist(usage.limit === journey.plan.api_calls, "the plan's quota counts");
    journey.usage = await call(journey, usage, Math.ceil(usage.limit * 0.8));
}

async function useUp(journey) {
    await call(journey, journey.usage, journey.usage.limit);
    const { headers } = await validate(journey, { status: 429, code: 'quota_exceeded' });
    journey.say(`Retry-After: ${headers.get('retry-after')}\nRateLimit: ${headers.get('ratelimit')}`);
}

const mostAreUsed = (journey) => showMail(journey, { subject: /^Most of your/ });
const allAreUsed = (journey) => showMail(journey, { subject: /used up$/ });

async function usage(journey) {
    const { json } = await journey.mine('GET', '/usage');
    insist(json.used === json.limit && json.remaining === 0, 'all that was allowed is counted, and nothing else');
    const { series } = (await journey.mine('GET', '/usage/history')).json;
    insist(series.reduce((sum, { cost }) => sum + cost, 0) === json.used, 'the history adds up to what was used');
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
    // Refused by the quota still, and not for the want of a subscription.
    if (journey.key) await validate(journey, { status: 429, code: 'quota_exceeded' });
    await journey.press(journey.portal, 'end');
    const over = await settle(journey, '/profile', (p) => p.subscription_status === 'canceled', 'the subscription is over');
    insist(over.json.api_calls_limit === 0, 'after the period nothing is left');
    if (journey.key) await validate(journey, { status: 403, code: 'subscription_required' });
}

async function leave(journey) {
    const { email, password } = journey;
    await journey.mine('DELETE', '/profile', { body: { password } });
    await journey.ask('POST', '/auth/login', { body: { email, password }, status: 401 });
    if (journey.key) await validate(journey, { status: 401, code: 'invalid_api_key' });
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
    step('Credentials of AWS, for a while', 'stripe aws', awsCredentials),
    step('An API key', 'stripe apikeys', apiKey),
    step('Calls with the key', 'stripe apikeys', calls),
    step('A mail tells that most are used', 'stripe apikeys usage mail', mostAreUsed),
    step('Until the quota refuses', 'stripe apikeys', useUp),
    step('A mail tells that all are used', 'stripe apikeys usage mail', allAreUsed),
    step('What was used', 'stripe apikeys usage', usage),
    step("Stripe's portal", 'stripe', portal),
    step('Cancel', 'stripe', cancel),
    step("Access until the period's end, and no longer", 'stripe', untilTheEnd),
    step('Delete the account', 'auth', leave),
];
