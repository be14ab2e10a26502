// The small pages behind the links of mails, and paying, as a person meets them in a browser.
import { assert, login, newUser, PASSWORD, readMail, register, startServer, startStripe, test, until }
    from '../lib/harness.mjs';
import { openBrowser } from '../lib/browser.mjs';

test('the link of the verification mail: a page, a button, a verified address', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail'] });
    const person = await register(s);
    const page = await openBrowser(t);
    const mail = await readMail(s, person);
    await page.goto(mail.links.find((link) => link.includes('/verify-email')));
    // The token is not left behind in the address bar, and opening the page has used nothing up.
    assert.equal(new URL(page.url()).search, '');
    assert.equal((await s.post('/auth/login', { email: person.email, password: PASSWORD })).status, 403);
    await page.getByRole('button', { name: 'Verify my address' }).click();
    await page.getByText('Your email address is verified.').waitFor();
    assert.equal(await page.getByRole('button').isVisible(), false);
    await login(s, person);

    await page.goto(`${s.url}/verify-email?token=not-a-token`);
    await page.getByRole('button').click();
    await page.getByText('Invalid or expired verification token').waitFor();
    await page.goto(`${s.url}/verify-email`);
    await page.getByText('This link is not complete').waitFor();
    assert.equal(await page.getByRole('button').isDisabled(), true);
    assert.deepEqual(page.complaints, []);
});

test('the link of the reset mail: a bad password is explained, a good one counts', async (t) => {
    const s = await startServer(t, { plugins: ['auth', 'mail'] });
    const person = await newUser(s);
    const seen = await s.mail.messages();
    await s.post('/auth/forgot-password', { email: person.email });
    const mail = await readMail(s, person, { except: seen });
    const page = await openBrowser(t);
    await page.goto(mail.links.find((link) => link.includes('/reset-password')));
    await page.getByLabel('New password').fill('password1');
    await page.getByRole('button', { name: 'Change my password' }).click();
    await until(async () => /password/.test(await page.getByRole('status').textContent()),
        { what: 'the page says what is wrong with the password' });
    await page.getByLabel('New password').fill('Ein ganz neues Paßwort');
    await page.getByRole('button', { name: 'Change my password' }).click();
    await until(async () => !await page.getByRole('button').isVisible(), { what: 'the password is changed' });
    await login(s, { ...person, password: 'Ein ganz neues Paßwort' });
    assert.deepEqual(page.complaints, []);
});

test('a plan is paid on the checkout page, and the subscription is active', async (t) => {
    const stripe = await startStripe(t);
    const s = await startServer(t, { plugins: ['auth', 'mail', 'stripe'], stripe });
    const person = await newUser(s);
    const { json } = await s.post('/subscriptions/create', { plan_id: 'pro' }, { token: person.token });
    const page = await openBrowser(t);
    await page.goto(json.checkout_url);
    await page.getByRole('button', { name: 'Pay', exact: true }).click();
    await until(async () => (await s.get('/profile', { token: person.token })).json.subscription_status === 'active',
        { what: 'the subscription is active' });
    const profile = (await s.get('/profile', { token: person.token })).json;
    assert.equal(profile.subscription_plan, 'Pro');
    assert.equal(profile.api_calls_limit, 5000);
});
