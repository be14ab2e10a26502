// The stand-in's refusals, in the words and the XML of AWS STS.
const NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';

export class AwsError extends Error {
    constructor(status, code, message) {
        super(message);
        this.status = status;
        this.code = code;
    }
}

export const escapeXml = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** {A: {B: 'c'}} → <A><B>c</B></A>; what is undefined or null is left out. */
export function xmlOf(value) {
    if (typeof value !== 'object') return escapeXml(value);
    return Object.entries(value).filter(([, v]) => v !== undefined && v !== null)
        .map(([name, v]) => `<${name}>${xmlOf(v)}</${name}>`).join('');
}

export function resultXml(action, result, requestId) {
    return `<${action}Response xmlns="${NAMESPACE}">${xmlOf({ [`${action}Result`]: result })}`
        + `${xmlOf({ ResponseMetadata: { RequestId: requestId } })}</${action}Response>\n`;
}

export function errorXml({ status, code, message }, requestId) {
    const Type = status < 500 ? 'Sender' : 'Receiver';
    return `<ErrorResponse xmlns="${NAMESPACE}">${xmlOf({ Error: { Type, Code: code, Message: message } })}`
        + `${xmlOf({ RequestId: requestId })}</ErrorResponse>\n`;
}

/** A parameter that is missing, too long, or of a wrong shape. */
export const invalid = (message) => new AwsError(400, 'ValidationError', message);

/** The same for one constraint, in the sentence that AWS makes of its models. */
export function constraint(value, member, what) {
    const shown = value === undefined ? 'null' : value;
    return invalid(`1 validation error detected: Value '${shown}' at '${member}' failed to satisfy constraint: ${what}`);
}

export const denied = (message) => new AwsError(403, 'AccessDenied', message);

export function notAllowed(who, action, resource) {
    return denied(`User: ${who} is not authorized to perform: ${action} on resource: ${resource}`);
}

export const badSignature = (message = 'The request signature we calculated does not match the signature you provided. '
    + 'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.') =>
    new AwsError(403, 'SignatureDoesNotMatch', message);

export const unknownKey = () =>
    new AwsError(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.');

/** Of STS's own caller; an expired web identity is an ExpiredTokenException. */
export const expired = () => new AwsError(403, 'ExpiredToken', 'The security token included in the request is expired');

/** What a fault's answer looks like as an error: a status, or one of AWS's ways to say no. */
export function unwell(answer) {
    if (answer === 'throttle') return new AwsError(400, 'Throttling', 'Rate exceeded');
    if (answer === 'refuse') return denied('Access denied by a service control policy');
    if (answer === 'expired') return expired();
    if (answer === 429) return new AwsError(429, 'TooManyRequestsException', 'Too Many Requests');
    if (answer === 503) return new AwsError(503, 'ServiceUnavailable', 'Service is unavailable');
    if (answer >= 500) return new AwsError(answer, 'InternalFailure', 'An internal error has occurred');
    return new AwsError(answer, 'InvalidAction', 'The request was refused.');
}
