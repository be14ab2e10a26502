// The steps of an account's life, for tests whose subject is something else.
import assert from 'node:assert/strict';

export const PASSWORD = 'Tr0mbone-and-cello';
let number = 0;

/** Registers somebody new (fields override the defaults) → {id, email, password, reply} */
export async function register(s, fields = {}) {
    const person = {
        email: `person${++number}.${process.pid}@vv.test`, password: PASSWORD,
        first_name: 'Ada', last_name: 'Lovelace', ...fields,
    };
    const reply = await s.post('/auth/register', person);
    assert.equal(reply.status, 200, `register: ${reply.text}`);
    return { ...person, id: reply.json.user_id, reply };
}

/** The newest mail to a person, as the mail server got it; see waitFor in peers/mail/exim.mjs. */
export function readMail(s, person, options) {
    return s.mail.waitFor(person.email ?? person, options);
}

/** Verifies a registered person's address with the token out of the mail. */
export async function verify(s, person) {
    const mail = await readMail(s, person);
    assert.ok(mail.token, `a token in the mail: ${mail.text}`);
    const reply = await s.post('/auth/verify-email', { token: mail.token });
    assert.equal(reply.status, 200, `verify-email: ${reply.text}`);
    return reply;
}

/** Logs in → the login's JSON, with the person's fields beside it. */
export async function login(s, person) {
    const reply = await s.post('/auth/login', { email: person.email, password: person.password });
    assert.equal(reply.status, 200, `login: ${reply.text}`);
    return { ...person, ...reply.json, token: reply.json.access_token };
}

/** Somebody who is registered, verified and logged in: {id, email, password, token, refresh_token, …} */
export async function newUser(s, fields) {
    const person = await register(s, fields);
    await verify(s, person);
    return login(s, person);
}
