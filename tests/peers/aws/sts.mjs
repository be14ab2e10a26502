// STS's actions: who may assume what, for how long, and what they are handed.
import { AwsError, denied, invalid, notAllowed, resultXml } from './errors.mjs';
import { checkParams, gather, parseForm } from './params.mjs';
import { verifyRequest } from './signature.mjs';

const VERSION = '2011-06-15';
const ACTIONS = { AssumeRole: assumeRole, AssumeRoleWithWebIdentity: assumeWithWebIdentity, GetCallerIdentity: identity };
const UNSIGNED = ['AssumeRoleWithWebIdentity'];

const isoDate = (date) => date.toISOString().replace(/\.\d+/, '');

function shown({ accessKeyId, secretAccessKey, sessionToken, expiration, arn, userId }, packed) {
    return {
        Credentials: {
            AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: sessionToken,
            Expiration: isoDate(expiration),
        },
        AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
        PackedPolicySize: packed,
    };
}

/** What the role's own side says to a request. */
function admit(role, { duration }, chained) {
    if (chained && duration > 3600)
        throw invalid('The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining');
    if (duration > role.maxDuration)
        throw invalid('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
}

function assumeRole(aws, entry, checked) {
    const { params, duration, policy, packed } = checked;
    const { caller } = entry;
    const role = aws.roles.get(params.RoleArn);
    if (!role?.assumable || (role.externalId !== undefined && role.externalId !== params.ExternalId))
        throw notAllowed(caller.arn, 'sts:AssumeRole', params.RoleArn);
    if (params.Tags?.length && !role.tagSession) throw notAllowed(caller.arn, 'sts:TagSession', params.RoleArn);
    admit(role, checked, caller.kind === 'role');
    entry.issued = aws.grant(role.name, role.id, params.RoleSessionName, duration, {
        role, policy, duration, tags: Object.fromEntries((params.Tags ?? []).map(({ Key, Value }) => [Key, Value])),
        transitive: params.TransitiveTagKeys ?? [], via: 'AssumeRole', caller,
    });
    aws.issued.push(entry.issued);
    return shown(entry.issued, packed);
}

function assumeWithWebIdentity(aws, entry, checked) {
    const { params, duration, policy, packed } = checked;
    const claims = aws.identities.get(params.WebIdentityToken);
    if (!claims)
        throw new AwsError(400, 'InvalidIdentityToken', 'The ID Token provided is not a valid JWT. (You may see this '
            + 'error if you sent an Access Token)');
    const now = Math.floor(aws.now() / 1000);
    if (claims.exp <= now)
        throw new AwsError(400, 'ExpiredTokenException', `Token expired: current date/time ${now} must be before the expiration `
            + `date/time ${claims.exp}`);
    const role = aws.roles.get(params.RoleArn);
    if (!role?.web) throw denied('Not authorized to perform sts:AssumeRoleWithWebIdentity');
    admit(role, checked, false);
    entry.issued = aws.grant(role.name, role.id, params.RoleSessionName, duration, {
        role, policy, duration, tags: {}, transitive: [], via: 'AssumeRoleWithWebIdentity',
    });
    return {
        ...shown(entry.issued, packed), SubjectFromWebIdentityToken: claims.sub, Audience: claims.aud[0],
        Provider: 'arn:aws:iam::123456789012:oidc-provider/oidc.vv.test',
    };
}

function identity(_aws, { caller }) {
    return { Arn: caller.arn, UserId: caller.userId, Account: caller.arn.split(':')[4] };
}

/** What a request asks for, before it is known who asks; fills entry's action and params. */
export function readRequest(entry, { method, headers, body }) {
    if (method !== 'POST' || !/^application\/x-www-form-urlencoded\b/.test(headers['content-type'] ?? ''))
        throw new AwsError(404, 'UnknownOperationException', 'The stand-in of STS takes forms by POST.');
    entry.params = parseForm(body);
    entry.action = entry.params.Action ?? '';
}

/** Does what is asked. → the answer's XML */
export async function answerSts(aws, entry, request) {
    const { Action, Version } = entry.params;
    if (!Action) throw new AwsError(400, 'MissingAction', 'The request must contain the parameter Action.');
    if (Version !== VERSION || !Object.hasOwn(ACTIONS, Action))
        throw new AwsError(400, 'InvalidAction', `Could not find operation ${Action} for version `
            + `${Version ?? 'NO_VERSION_SPECIFIED'}`);
    const { credentials, region } = aws;
    if (!UNSIGNED.includes(Action) || request.headers.authorization)
        entry.caller = await verifyRequest(request, { credentials, region, service: 'sts', now: aws.now() });
    entry.params = gather(entry.params);
    return resultXml(Action, ACTIONS[Action](aws, entry, checkParams(Action, entry.params)), entry.id);
}
