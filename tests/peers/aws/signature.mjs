// Signatures, version 4, checked by signing once more with an implementation that is not ours.
import { createHash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { AwsError, badSignature, expired, unknownKey } from './errors.mjs';

const SKEW = 5 * 60_000;

export const signer = (credentials, region, service) =>
    new SignatureV4({ credentials, region, service, sha256: Sha256, applyChecksum: false });

export const longDate = (ms) => new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');

/** 20260131T235959Z → milliseconds, or undefined. */
export function parseDate(text) {
    const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '') ?? [];
    if (!parts.length) return undefined;
    const [year, month, day, hour, minute, second] = parts.map(Number);
    const ms = Date.UTC(year, month - 1, day, hour, minute, second);
    return longDate(ms) === text ? ms : undefined;
}

const incomplete = (message) => new AwsError(400, 'IncompleteSignature', message);

function parseAuthorization(text) {
    const [algorithm, ...rest] = text.split(' ');
    if (algorithm !== 'AWS4-HMAC-SHA256') throw incomplete(`Unsupported AWS 'algorithm': '${algorithm}'`);
    const parts = Object.fromEntries(rest.join(' ').split(',').map((part) => {
        const [name, ...value] = part.trim().split('=');
        return [name, value.join('=')];
    }));
    for (const name of ['Credential', 'SignedHeaders', 'Signature'])
        if (!parts[name]) throw incomplete(`Authorization header requires '${name}' parameter.`);
    return { ...parts, ...parseScope(parts.Credential) };
}

/** AKID/20260131/us-east-1/sts/aws4_request in its parts. */
export function parseScope(credential) {
    const parts = credential.split('/');
    if (parts.length !== 5 || parts[4] !== 'aws4_request')
        throw incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, '
            + `got '${credential}'`);
    const [accessKeyId, date, region, service] = parts;
    return { accessKeyId, date, region, service };
}

export function checkScope(scope, { date, region, service }) {
    if (scope.region !== region) throw badSignature(`Credential should be scoped to a valid region. Expected: '${region}'.`);
    if (scope.service !== service) throw badSignature(`Credential should be scoped to correct service: '${service}'.`);
    if (scope.date !== date.slice(0, 8))
        throw badSignature(`Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: `
            + `'${scope.date}' != '${date.slice(0, 8)}', from '${date}'.`);
}

/** The credentials behind a key and a token, as they were handed out. */
export function holderOf(credentials, accessKeyId, token, now) {
    const holder = credentials.get(accessKeyId);
    if (!holder || (holder.sessionToken ?? '') !== (token ?? '')) throw unknownKey();
    if (holder.expiration && holder.expiration.getTime() <= now) throw expired();
    return holder;
}

function checkClock(date, now) {
    const signed = parseDate(date);
    if (signed === undefined) throw incomplete(`Date must be in ISO-8601 'basic format'. Got '${date}'.`);
    const at = longDate(now);
    if (signed < now - SKEW)
        throw badSignature(`Signature expired: ${date} is now earlier than ${longDate(now - SKEW)} (${at} - 5 min.)`);
    if (signed > now + SKEW)
        throw badSignature(`Signature not yet current: ${date} is still later than ${longDate(now + SKEW)} (${at} + 5 min.)`);
    return new Date(signed);
}

function checkSigned(names, headers) {
    if (names.join() !== [...names].sort().join()) throw badSignature();
    for (const name of ['host', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256']) {
        const needed = headers[name] !== undefined || name === 'host' || name === 'x-amz-date';
        if (needed && !names.includes(name)) throw incomplete(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
    const absent = names.find((name) => headers[name] === undefined);
    if (absent) throw badSignature(`The header '${absent}' is signed but was not sent.`);
}

/** Who signed this request for STS; throws what AWS would answer otherwise. */
export async function verifyRequest({ method, path, headers, body }, { credentials, region, service, now }) {
    if (!headers.authorization)
        throw new AwsError(403, 'MissingAuthenticationToken', 'Request is missing Authentication Token');
    const auth = parseAuthorization(headers.authorization);
    const names = auth.SignedHeaders.split(';');
    const date = headers['x-amz-date'];
    if (!date) throw incomplete(`Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.`);
    checkSigned(names, headers);
    const holder = holderOf(credentials, auth.accessKeyId, headers['x-amz-security-token'], now);
    checkScope(auth, { date, region, service });
    const signingDate = checkClock(date, now);
    const claimed = headers['x-amz-content-sha256'];
    if (claimed !== undefined && claimed !== createHash('sha256').update(body).digest('hex'))
        throw badSignature('The provided \'x-amz-content-sha256\' header does not match what was computed.');
    const signed = await signer(holder, region, service).sign(
        { method, protocol: 'http:', hostname: headers.host, path, query: {}, body,
            headers: Object.fromEntries(names.map((name) => [name, headers[name]])) },
        { signingDate, signableHeaders: new Set(names) });
    if (parseAuthorization(signed.headers.authorization).Signature !== auth.Signature) throw badSignature();
    return holder;
}
