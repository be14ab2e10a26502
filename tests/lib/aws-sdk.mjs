// What the tests of AWS's stand-in have in common: AWS's own client for it, and requests signed by hand.
import assert from 'node:assert/strict';
import http from 'node:http';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { signer } from '../peers/aws/signature.mjs';

export const POLICY = {
    Version: '2012-10-17',
    Statement: [{
        Effect: 'Allow', Resource: '*',
        Action: ['transcribe:StartStreamTranscription', 'transcribe:StartStreamTranscriptionWebSocket'],
    }],
};

/** What a good AssumeRole says. */
export const wanted = (aws, more) => ({
    RoleArn: aws.roleArn, RoleSessionName: 'vv-7', DurationSeconds: 900, Policy: JSON.stringify(POLICY),
    Tags: [{ Key: 'user', Value: '7' }, { Key: 'plan', Value: 'pro' }], ...more,
});

/** AWS's own client; with credentials of null it looks for them in the environment, as every program of AWS's SDK does. */
export function sdkOf(t, aws, { credentials = aws.keys, ...more } = {}) {
    const where = { endpoint: aws.endpoint, region: aws.region, maxAttempts: 1, ...more };
    const client = new STSClient({ ...where, ...(credentials && { credentials }) });
    t.after(() => client.destroy());
    return client;
}

/** Who the SDK becomes in an environment. */
export async function whoIs(t, aws, source, more = {}) {
    const before = { ...process.env };
    const set = (env) => Object.entries(env).forEach(([name, value]) => {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
    });
    const env = { ...aws.env(source), AWS_ENDPOINT_URL_STS: aws.endpoint, AWS_REGION: aws.region, ...more };
    set(env);
    try {
        return (await sdkOf(t, aws, { credentials: null }).send(new GetCallerIdentityCommand())).Arn;
    } finally {
        set({ ...Object.fromEntries(Object.keys(env).map((name) => [name, undefined])), ...before });
    }
}

/** A request as it is → {status, headers, text}; rejects when the connection is cut. */
export function send(aws, { method = 'GET', path = '/', headers = {}, body }) {
    return new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port: aws.port, method, path, headers, agent: false }, (response) => {
            const parts = [];
            const { statusCode: status, headers: got } = response;
            response.on('data', (part) => parts.push(part)).once('error', reject)
                .once('end', () => resolve({ status, headers: got, text: Buffer.concat(parts).toString() }));
        });
        request.once('error', reject).end(body);
    });
}

/** {Tags: [{Key: 'a'}]} as STS's form. */
export function formOf(params) {
    const flat = Object.entries({ Version: '2011-06-15', ...params }).filter(([, value]) => value !== undefined)
        .flatMap(([name, value]) => (Array.isArray(value) ? value.flatMap((member, i) => (typeof member === 'object'
            ? Object.entries(member).map(([key, v]) => [`${name}.member.${i + 1}.${key}`, v])
            : [[`${name}.member.${i + 1}`, member]])) : [[name, String(value)]]));
    return new URLSearchParams(flat).toString();
}

/**
 * A form signed by hand. how: credentials, region, service, date: for the signature; headers: signed too; after(request):
 * changes what was signed.
 */
export async function signed(aws, params, how = {}) {
    const { credentials = aws.keys, region = aws.region, service = 'sts', date = new Date(), headers, after } = how;
    const body = typeof params === 'string' ? params : formOf(params);
    const request = await signer(credentials, region, service).sign({
        method: 'POST', protocol: 'http:', hostname: '127.0.0.1', port: aws.port, path: '/', query: {}, body,
        headers: { host: `127.0.0.1:${aws.port}`, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    }, { signingDate: date });
    after?.(request);
    return send(aws, request);
}

/** Expects STS's error, with its code and its words. */
export function refused({ status, headers, text }, expected, code, words) {
    assert.match(text, new RegExp(`<Code>${code}</Code>`));
    assert.equal(status, expected, text);
    assert.match(headers['content-type'], /xml/);
    assert.ok(text.startsWith('<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>'), text);
    assert.match(text, expected < 500 ? /<Type>Sender</ : /<Type>Receiver</);
    assert.match(text, /<RequestId>[\da-f-]{36}<\/RequestId><\/ErrorResponse>/);
    if (words) assert.match(text, words);
}
