// Makes a throw-away certificate authority and a certificate for loopback, signed by it.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { mustRun } from '../lib/process.mjs';

/** Writes ca.pem, cert.pem and key.pem into dir; the certificate names localhost and 127.0.0.1 unless told otherwise. */
export async function makeCertificates(dir, { names = 'DNS:localhost,IP:127.0.0.1' } = {}) {
    const file = (name) => path.join(dir, name);
    const ssl = (...args) => mustRun('openssl', args, { cwd: dir });
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

    await ssl('req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.pem'),
        '-days', '3650', '-subj', '/CN=vvserver test authority');
    await ssl('req', ...newKey, '-keyout', file('key.pem'), '-out', file('cert.csr'), '-subj', '/CN=localhost');
    writeFileSync(file('cert.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
    await ssl('x509', '-req', '-in', file('cert.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'),
        '-CAcreateserial', '-days', '3650', '-extfile', file('cert.ext'), '-out', file('cert.pem'));
    return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem') };
}
