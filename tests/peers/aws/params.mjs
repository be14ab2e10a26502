// What STS takes as parameters: their names, shapes and limits, as its reference documents them.
import { deflateRawSync } from 'node:zlib';
import { AwsError, constraint, invalid } from './errors.mjs';
import { parsePolicy } from './policy.mjs';

const ROLE_ARN = /^arn:aws(-[a-z]+)*:iam::\d{12}:role\/(?:[\x21-\x7e]+\/)*[\w+=,.@-]{1,64}$/;
const POLICY_ARN = /^arn:aws(-[a-z]+)*:iam::(\d{12}|aws):policy\/[\w+=,.@/-]+$/;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const LISTED = /^(Tags|TransitiveTagKeys|PolicyArns)\.member\.([1-9]\d*)(?:\.(\w+))?$/;
const MEMBERS = { Tags: ['Key', 'Value'], TransitiveTagKeys: [undefined], PolicyArns: ['arn'] };

/** [name, shortest, longest, pattern]; STS names them in its messages with a small first letter. */
const TEXTS = {
    RoleSessionName: [2, 64, /^[\w+=,.@-]*$/],
    ExternalId: [2, 1224, /^[\w+=,.@:\\/-]*$/],
    SerialNumber: [9, 256, /^[\w+=/:,.@-]*$/],
    TokenCode: [6, 6, /^\d*$/],
    SourceIdentity: [2, 64, /^[\w+=,.@-]*$/],
    ProviderId: [4, 2048, /^[\x20-\x7e]*$/],
    WebIdentityToken: [4, 20_000, /^[\x21-\x7e]*$/],
    RoleArn: [20, 2048, /^[\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd]*$/],
    Policy: [1, 2048, /^[\t\n\r\x20-\xff]*$/],
};
const COMMON = ['RoleArn', 'RoleSessionName', 'DurationSeconds', 'Policy', 'PolicyArns'];
const TAKES = {
    AssumeRole: [...COMMON, 'Tags', 'TransitiveTagKeys', 'ExternalId', 'SerialNumber', 'TokenCode', 'SourceIdentity'],
    AssumeRoleWithWebIdentity: [...COMMON, 'ProviderId', 'WebIdentityToken'],
    GetCallerIdentity: [],
};
const NEEDS = {
    AssumeRole: ['RoleArn', 'RoleSessionName'],
    AssumeRoleWithWebIdentity: ['RoleArn', 'RoleSessionName', 'WebIdentityToken'],
    GetCallerIdentity: [],
};

/** A form, strictly: UTF-8, no name twice. → {name: value} */
export function parseForm(body) {
    const given = {};
    for (const part of body.toString('latin1').split('&').filter(Boolean)) {
        const [name, value] = part.split(/=(.*)/s).slice(0, 2).map((text) => {
            try {
                return decodeURIComponent(text.replaceAll('+', ' '));
            } catch {
                throw new AwsError(400, 'MalformedQueryString', `The query string contains a syntax error: ${text}`);
            }
        });
        if (Object.hasOwn(given, name)) throw new AwsError(400, 'MalformedQueryString', `Parameter given twice: ${name}`);
        given[name] = value ?? '';
    }
    return given;
}

/** Tags.member.1.Key and its like become {Tags: [{Key, Value}]}. */
export function gather(given) {
    const params = {};
    for (const [name, value] of Object.entries(given)) {
        const [, list, number, member] = LISTED.exec(name) ?? [];
        if (!list) {
            params[name] = value;
            continue;
        }
        if (!MEMBERS[list].includes(member)) throw invalid(`Unknown parameter: ${name}`);
        params[list] ??= [];
        const index = Number(number) - 1;
        if (index > 999) throw invalid(`Unknown parameter: ${name}`);
        if (member) params[list][index] = { ...params[list][index], [member]: value };
        else params[list][index] = value;
    }
    for (const name of Object.keys(MEMBERS))
        if (params[name] && Object.keys(params[name]).length !== params[name].length)
            throw new AwsError(400, 'MalformedInput', `The members of ${name} are not numbered from 1 without gaps`);
    return params;
}

const memberOf = (name) => name[0].toLowerCase() + name.slice(1);

function checkText(name, value) {
    const [shortest, longest, pattern] = TEXTS[name];
    const member = memberOf(name);
    if (value.length < shortest) throw constraint(value, member, `Member must have length greater than or equal to ${shortest}`);
    if (value.length > longest) throw constraint(value, member, `Member must have length less than or equal to ${longest}`);
    if (!pattern.test(value))
        throw constraint(value, member, `Member must satisfy regular expression pattern: ${pattern.source}`);
}

function checkDuration(text) {
    if (!/^\d{1,9}$/.test(text))
        throw new AwsError(400, 'MalformedInput', 'Start of structure or map found where not expected.');
    const seconds = Number(text);
    if (seconds < 900) throw constraint(text, 'durationSeconds', 'Member must have value greater than or equal to 900');
    if (seconds > 43_200) throw constraint(text, 'durationSeconds', 'Member must have value less than or equal to 43200');
    return seconds;
}

function checkTags(tags, transitive) {
    if (tags.length > 50) throw constraint(tags.length, 'tags', 'Member must have length less than or equal to 50');
    const seen = new Set();
    tags.forEach(({ Key, Value }, i) => {
        const at = `tags.${i + 1}.member`;
        if (!Key || [...Key].length > 128 || !TAG_TEXT.test(Key)) throw constraint(Key, `${at}.key`, 'Member must be a tag key');
        if (Value === undefined || [...Value].length > 256 || !TAG_TEXT.test(Value))
            throw constraint(Value, `${at}.value`, 'Member must be a tag value');
        if (/^aws:/i.test(Key)) throw invalid(`Tag keys may not begin with aws: ${Key}`);
        if (seen.has(Key.toLowerCase())) throw new AwsError(400, 'InvalidParameterValue', 'Duplicate tag keys found. '
            + 'Please note that Tag keys are case insensitive.');
        seen.add(Key.toLowerCase());
    });
    if (transitive.length > 50) throw constraint(transitive.length, 'transitiveTagKeys', 'Member must have length up to 50');
    for (const key of transitive)
        if (!seen.has(key.toLowerCase()))
            throw new AwsError(400, 'InvalidParameterValue', 'The specified transitive tag key must be included in the '
                + `requested tags: ${key}`);
}

/** How full the packed policy and tags are, in percent; AWS does not say how it packs, and refuses what is over all. */
function packedSize({ Policy, PolicyArns = [], Tags = [] }) {
    if (!Policy && !PolicyArns.length && !Tags.length) return undefined;
    const packed = deflateRawSync(JSON.stringify([Policy, PolicyArns, Tags])).length;
    const percent = Math.ceil(packed * 100 / 1536);
    if (percent > 100)
        throw new AwsError(400, 'PackedPolicyTooLarge', `Packed size of session policy and session tags consumes ${percent}% of `
            + 'allotted space.');
    return percent;
}

/** Checks gathered parameters of an action. → {params, duration, policy, packed} */
export function checkParams(action, { Action: _action, Version: _version, ...params }) {
    const unknown = Object.keys(params).find((name) => !TAKES[action].includes(name));
    if (unknown) throw invalid(`Unknown parameter: ${unknown}`);
    for (const name of NEEDS[action])
        if (params[name] === undefined) throw constraint(undefined, memberOf(name), 'Member must not be null');
    for (const name of Object.keys(TEXTS)) if (params[name] !== undefined) checkText(name, params[name]);
    if (params.RoleArn && !ROLE_ARN.test(params.RoleArn)) throw invalid(`${params.RoleArn} is invalid`);
    for (const entry of params.PolicyArns ?? [])
        if (!POLICY_ARN.test(entry.arn)) throw invalid(`ARN ${entry.arn} is not valid.`);
    if (params.PolicyArns?.length > 10)
        throw constraint(params.PolicyArns.length, 'policyArns', 'Member must have length up to 10');
    if (params.SerialNumber || params.TokenCode) throw new AwsError(403, 'AccessDenied', 'MultiFactorAuthentication failed.');
    checkTags(params.Tags ?? [], params.TransitiveTagKeys ?? []);
    return {
        params, duration: params.DurationSeconds === undefined ? 3600 : checkDuration(params.DurationSeconds),
        policy: params.Policy === undefined ? null : parsePolicy(params.Policy), packed: packedSize(params),
    };
}
