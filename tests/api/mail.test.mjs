// Mail as its receiver and its operator see it: through the contact form first.
import { assert, startServer, test } from '../lib/harness.mjs';

test('a message of the contact form reaches the support address', async (t) => {
    const server = await startServer(t, { plugins: ['mail'], config: { mail: { support_address: 'help@vv.test' } } });
    const began = Date.now();
    const { status, json: body } = await server.post('/public/contact',
        { name: 'Zoë Lindqvist', email: 'zoe@example.org', message: 'Do you <offer> a yearly plan?\nZoë' });
    assert.equal(status, 200, JSON.stringify(body));
    assert.match(body.message, /has been sent/);
    const mail = await server.mail.waitFor('help@vv.test');
    console.log('took', Date.now() - began);
    assert.equal(mail.subject, 'Contact form: Zoë Lindqvist');
    console.log(mail.raw);
});
