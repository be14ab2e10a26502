// Where machines find credentials of their own: EC2's instance metadata (version 2) and the container endpoint.
import { randomBytes } from 'node:crypto';
import { AwsError } from './errors.mjs';

const ROLES = '/latest/meta-data/iam/security-credentials/';
const TOKEN = '/latest/api/token';
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';

const isoDate = (date) => date.toISOString().replace(/\.\d+/, '');
const refuse = (status, message) => new AwsError(status, 'Refused', message);

/** Which call a request is, in the words that faults use; undefined: none of these. */
export function metadataAction(aws, { path }) {
    if (path === TOKEN) return 'imds:token';
    if (path === ROLES || path === ROLES.slice(0, -1)) return 'imds:role';
    if (path.startsWith(ROLES)) return 'imds:credentials';
    if (path.startsWith('/latest/')) return 'imds:other';
    return path === aws.container.path || path.startsWith('/v2/credentials/') ? 'container' : undefined;
}

function credentials(holder, more) {
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = holder;
    return JSON.stringify({
        ...more, AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken,
        Expiration: isoDate(expiration),
    }, null, 2);
}

function issueToken(aws, { method, headers }) {
    if (method !== 'PUT') throw refuse(405, 'Method Not Allowed');
    if (headers['x-forwarded-for'] !== undefined) throw refuse(403, 'Forbidden');
    const seconds = /^\d{1,5}$/.test(headers[TTL] ?? '') ? Number(headers[TTL]) : 0;
    if (seconds < 1 || seconds > 21_600) throw refuse(400, 'Bad Request');
    const token = `AQAEA${randomBytes(38).toString('base64')}`;
    aws.metadataTokens.set(token, aws.now() + seconds * 1000);
    return { text: token, type: 'text/plain', headers: { 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds': String(seconds) } };
}

function answerImds(aws, request) {
    const { method, path, headers } = request;
    if (path === TOKEN) return issueToken(aws, request);
    if (method !== 'GET') throw refuse(405, 'Method Not Allowed');
    if (!(aws.metadataTokens.get(headers['x-aws-ec2-metadata-token']) > aws.now())) throw refuse(401, 'Unauthorized');
    const role = aws.instanceRole;
    if (path === '/latest/meta-data/placement/region') return { text: aws.region, type: 'text/plain' };
    if (!role || ![ROLES, ROLES.slice(0, -1), `${ROLES}${role}`].includes(path)) throw refuse(404, 'Not Found');
    if (!path.endsWith(role)) return { text: role, type: 'text/plain' };
    const more = { Code: 'Success', LastUpdated: isoDate(new Date(aws.now())), Type: 'AWS-HMAC' };
    return { text: credentials(aws.baseOf('instance'), more), type: 'application/json' };
}

function answerContainer(aws, { method, path, headers }) {
    if (method !== 'GET') throw new AwsError(405, 'MethodNotAllowed', 'Method Not Allowed');
    if (headers.authorization !== aws.container.token)
        throw new AwsError(401, 'Unauthorized', 'The authorization token is not valid');
    if (path !== aws.container.path)
        throw new AwsError(404, 'InvalidIdInRequest', 'CredentialsV2Request: Credentials not found');
    const text = credentials(aws.baseOf('task'), { RoleArn: 'arn:aws:iam::123456789012:role/vvserver-task' });
    return { text, type: 'application/json' };
}

/** → {text, type, headers}; the container endpoint explains itself in JSON, metadata with a small page. */
export function answerMetadata(aws, action, request) {
    return action === 'container' ? answerContainer(aws, request) : answerImds(aws, request);
}

export function metadataError(action, { status, code, message }) {
    if (action === 'container') return { status, text: JSON.stringify({ code, message }), type: 'application/json' };
    const page = `<?xml version="1.0" encoding="iso-8859-1"?>\n<html><head><title>${status} - ${message}</title></head>\n`
        + `<body><h1>${status} - ${message}</h1></body></html>\n`;
    return { status, text: page, type: 'text/html' };
}
