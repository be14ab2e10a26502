// The stand-in's AWS account: its roles, who holds which credentials until when, and its clock.
import { randomBytes, randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const ID = '123456789012';
const DAY = 86_400;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const letters = (length) => Array.from({ length }, () => BASE32[randomInt(32)]).join('');
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** What belongs to the chain of credentials and must not come from the machine the tests run on. */
const CHAIN = [
    'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE', 'AWS_DEFAULT_PROFILE', 'AWS_ROLE_ARN',
    'AWS_ROLE_SESSION_NAME', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI', 'AWS_CONTAINER_AUTHORIZATION_TOKEN', 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    'AWS_EC2_METADATA_SERVICE_ENDPOINT', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_STS', 'AWS_REGION', 'AWS_DEFAULT_REGION',
];

export class Account {
    constructor(options = {}) {
        this.options = options;
        this.region = options.region ?? 'eu-central-1';
        this.clockOffset = 0; // seconds its clock is ahead of ours
        this.baseLifetime = options.baseLifetime ?? 6 * 3600; // seconds, of what metadata and container hand out
        this.stale = false; // true: metadata and container go on handing out what has expired
        this.credentials = new Map(); // by access key id, whoever holds them
        this.issued = []; // what AssumeRole handed out, oldest first
        this.identities = new Map(); // web identity tokens
        this.container = { path: `/v2/credentials/${crypto.randomUUID()}`, token: randomBytes(24).toString('base64') };
        this.instanceRole = 'vvserver-instance';
        this.roles = new Map();
        this.roleArn = this.addRole('vvserver-transcribe').arn;
        this.webRoleArn = this.addRole('vvserver-web', { web: true, assumable: false }).arn;
        this.keys = this.#add({
            accessKeyId: options.accessKeyId ?? `AKIA${letters(16)}`,
            secretAccessKey: options.secretAccessKey ?? randomBytes(30).toString('base64'),
            arn: `arn:aws:iam::${ID}:user/vvserver`, userId: `AIDA${letters(17)}`, kind: 'user',
        });
        this.base = {}; // temporary base credentials: session, instance, task
    }

    /** Its clock, in milliseconds. */
    now() { return Date.now() + this.clockOffset * 1000; }

    /**
     * A role that can be assumed. more: externalId: must be given; maxDuration: seconds; tagSession: false: tags are
     * refused; allows: the actions its own policy allows; web: a web identity may assume it; assumable: others may.
     */
    addRole(name, more) {
        const role = {
            name, arn: `arn:aws:iam::${ID}:role/${name}`, id: `AROA${letters(17)}`, maxDuration: 43_200, tagSession: true,
            assumable: true, web: false, allows: ['transcribe:*'], ...more,
        };
        this.roles.set(role.arn, role);
        return role;
    }

    /** The role that vvserver is told to assume. */
    get role() { return this.roles.get(this.roleArn); }

    #add(holder) {
        this.credentials.set(holder.accessKeyId, holder);
        return holder;
    }

    /** Temporary credentials of a role. more: policy, tags, via … */
    grant(roleName, roleId, sessionName, seconds, more) {
        return this.#add({
            accessKeyId: `ASIA${letters(16)}`, secretAccessKey: randomBytes(30).toString('base64'),
            sessionToken: randomBytes(420).toString('base64'), kind: 'role', sessionName,
            expiration: new Date(Math.floor(this.now() / 1000 + seconds) * 1000),
            arn: `arn:aws:sts::${ID}:assumed-role/${roleName}/${sessionName}`, userId: `${roleId}:${sessionName}`, ...more,
        });
    }

    lookup(accessKeyId) { return this.credentials.get(accessKeyId); }

    /** From now on these credentials have expired. */
    expire(holder) { holder.expiration = new Date(this.now() - 1000); }

    /** From now on nobody knows these credentials. */
    revoke(holder) { this.credentials.delete(holder.accessKeyId); }

    /** The temporary base credentials of a place: 'session' (environment), 'instance' (metadata), 'task' (container). */
    baseOf(place) {
        const held = this.base[place];
        const margin = Math.min(300, this.baseLifetime / 2) * 1000;
        if (held && (this.stale || place === 'session' || held.expiration.getTime() - this.now() > margin)) return held;
        return this.rotate(place);
    }

    /** The next ones are new; what was handed out before is good until it expires. */
    rotate(place) {
        const name = place === 'instance' ? this.instanceRole : `vvserver-${place}`;
        const sessionName = place === 'instance' ? `i-0${randomBytes(8).toString('hex')}` : randomBytes(16).toString('hex');
        this.base[place] = this.grant(name, `AROA${letters(17)}`, sessionName, this.baseLifetime, { via: place });
        return this.base[place];
    }

    /** A token as an identity provider signs it; more: subject, audience, lifetime in seconds. */
    webIdentityToken({ subject = 'system:serviceaccount:vv:vvserver', audience = 'sts.amazonaws.com', lifetime = DAY } = {}) {
        const exp = Math.floor(this.now() / 1000) + lifetime;
        const claims = { iss: 'https://oidc.vv.test', sub: subject, aud: [audience], iat: exp - lifetime, exp };
        const header = { alg: 'RS256', kid: '1', typ: 'JWT' };
        const token = `${base64url(header)}.${base64url(claims)}.${randomBytes(64).toString('base64url')}`;
        this.identities.set(token, claims);
        return token;
    }

    #file(name, text) {
        if (!this.options.dir) throw new Error('the stand-in was given no folder for files');
        const file = path.join(this.options.dir, name);
        writeFileSync(file, text, { mode: 0o600 });
        return file;
    }

    /**
     * The environment of a program whose credentials come from: 'keys', 'session' (temporary keys), 'web', 'profile',
     * 'container', 'container-file', 'imds' or 'none'; everything else of the chain is shut off.
     */
    env(source = 'keys') {
        const given = ENV[source];
        if (!given) throw new Error(`no credentials come from '${source}'`);
        return {
            ...Object.fromEntries(CHAIN.map((name) => [name, undefined])), AWS_EC2_METADATA_DISABLED: 'true',
            AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
            ...given(this, (name, text) => this.#file(name, text)),
        };
    }
}

const keysOf = ({ accessKeyId, secretAccessKey, sessionToken }) => ({
    AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken,
});

const ENV = {
    none: () => ({}),
    keys: (aws) => keysOf(aws.keys),
    session: (aws) => keysOf(aws.baseOf('session')),
    web: (aws, file) => ({
        AWS_WEB_IDENTITY_TOKEN_FILE: file('web-identity-token', aws.webIdentityToken()), AWS_ROLE_ARN: aws.webRoleArn,
        AWS_ROLE_SESSION_NAME: 'vvserver',
    }),
    profile: (aws, file) => ({
        AWS_SHARED_CREDENTIALS_FILE: file('credentials', `[default]\naws_access_key_id = ${aws.keys.accessKeyId}\n`
            + `aws_secret_access_key = ${aws.keys.secretAccessKey}\n`),
    }),
    container: (aws) => ({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: aws.containerUrl, AWS_CONTAINER_AUTHORIZATION_TOKEN: aws.container.token,
    }),
    'container-file': (aws, file) => ({
        AWS_CONTAINER_CREDENTIALS_FULL_URI: aws.containerUrl,
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('container-token', aws.container.token),
    }),
    imds: (aws) => ({ AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: aws.endpoint }),
};
