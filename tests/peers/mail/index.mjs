// The mail servers the tests start: a real one (Exim) and one that misbehaves by script.
import { cleanup, tempDir } from '../../lib/process.mjs';
import { EximServer } from './exim.mjs';
import { FaultyMail } from './faulty.mjs';

/** A real SMTP server: {smtpUrl, smtpsUrl, caFile, user, password, messages(), waitFor(), refuse(), stop(), start()}. */
export async function startMail(t) {
    const mail = new EximServer(tempDir(t, 'vv-mail-'));
    await mail.prepare();
    await mail.start();
    cleanup(t, () => mail.stop());
    return mail;
}

/** A scripted SMTP server with the same address fields; see faulty.mjs for what it can do wrong. */
export async function startFaultyMail(t, faults = {}) {
    const mail = new FaultyMail(tempDir(t, 'vv-mail-'), faults);
    await mail.start();
    cleanup(t, () => mail.stop());
    return mail;
}
