// Policies: whether a text is one, and what it allows.
import { AwsError } from './errors.mjs';

const VERSIONS = ['2012-10-17', '2008-10-17'];
const FIELDS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const list = (value) => (Array.isArray(value) ? value : [value]);

function malformed(message) {
    return new AwsError(400, 'MalformedPolicyDocument', message);
}

const isText = (value) => typeof value === 'string' && value !== '';
const isTexts = (value) => list(value).length > 0 && list(value).every(isText);

function checkStatement(statement) {
    if (!statement || typeof statement !== 'object') throw malformed('Syntax errors in policy.');
    const unknown = Object.keys(statement).find((field) => !FIELDS.includes(field));
    // A session policy speaks of the session alone: Principal is not for it either.
    if (unknown) throw malformed(`Syntax errors in policy: ${unknown} is not expected here.`);
    if (!['Allow', 'Deny'].includes(statement.Effect)) throw malformed('Invalid effect in policy.');
    if (statement.Sid !== undefined && !/^[A-Za-z0-9]*$/.test(statement.Sid))
        throw malformed('Statement IDs (SID) must be alpha-numeric.');
    for (const [one, other] of [['Action', 'NotAction'], ['Resource', 'NotResource']]) {
        if ((statement[one] === undefined) === (statement[other] === undefined) || !isTexts(statement[one] ?? statement[other]))
            throw malformed(`Policy statement must contain ${one.toLowerCase()}s.`);
    }
    for (const action of list(statement.Action ?? statement.NotAction))
        if (action !== '*' && !/^[a-z0-9-]+:[\w*?]+$/i.test(action))
            throw malformed(`Actions/Conditions must be prefaced by a vendor: ${action}`);
    for (const resource of list(statement.Resource ?? statement.NotResource))
        if (resource !== '*' && !/^arn:/.test(resource))
            throw malformed(`Resource ${resource} must be in ARN format or "*".`);
    if (statement.Condition !== undefined) checkCondition(statement.Condition);
}

function checkCondition(condition) {
    for (const [operator, keys] of Object.entries(condition)) {
        if (!OPERATORS[operator]) throw malformed(`Invalid Condition type : ${operator}.`);
        if (!keys || typeof keys !== 'object' || !Object.values(keys).every(isTexts))
            throw malformed('Syntax errors in policy.');
    }
}

/** The text of a policy → its document; throws MalformedPolicyDocument. */
export function parsePolicy(text) {
    let policy;
    try {
        policy = JSON.parse(text);
    } catch {
        throw malformed('This policy contains invalid Json');
    }
    if (!policy || typeof policy !== 'object' || Array.isArray(policy)) throw malformed('Syntax errors in policy.');
    const unknown = Object.keys(policy).find((field) => !['Version', 'Id', 'Statement'].includes(field));
    if (unknown) throw malformed(`Syntax errors in policy: ${unknown} is not expected here.`);
    if (policy.Version !== undefined && !VERSIONS.includes(policy.Version))
        throw malformed('The policy is not in the valid format: Version');
    if (!policy.Statement || !list(policy.Statement).length) throw malformed('Policy document must have a statement.');
    list(policy.Statement).forEach(checkStatement);
    return policy;
}

/** Does a pattern with * and ? match? Actions do so in any case of letters. */
function matches(pattern, text, flags = '') {
    const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.');
    return new RegExp(`^${source}$`, `s${flags}`).test(text);
}

const OPERATORS = {
    StringEquals: (wanted, value) => value === wanted,
    StringNotEquals: (wanted, value) => value !== wanted,
    StringLike: (wanted, value) => value !== undefined && matches(wanted, value),
    DateLessThan: (wanted, value) => Date.parse(value) < Date.parse(wanted),
    DateLessThanEquals: (wanted, value) => Date.parse(value) <= Date.parse(wanted),
    DateGreaterThan: (wanted, value) => Date.parse(value) > Date.parse(wanted),
    Bool: (wanted, value) => value === wanted,
};

function holds(condition = {}, context) {
    return Object.entries(condition).every(([operator, keys]) => Object.entries(keys).every(([key, wanted]) => {
        const value = Object.entries(context).find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1];
        const test = (one) => OPERATORS[operator](one, value);
        return operator.includes('Not') ? list(wanted).every(test) : list(wanted).some(test);
    }));
}

function applies(statement, action, resource, context) {
    const named = (patterns, text, flags) => list(patterns).some((pattern) => matches(pattern, text, flags));
    return (statement.Action ? named(statement.Action, action, 'i') : !named(statement.NotAction, action, 'i'))
        && (statement.Resource ? named(statement.Resource, resource) : !named(statement.NotResource, resource))
        && holds(statement.Condition, context);
}

/** Does the policy allow an action on a resource, in a context such as {'aws:CurrentTime': '2026-01-31T00:00:00Z'}? */
export function allows(policy, action, resource = '*', context = {}) {
    const effects = list(policy.Statement).filter((s) => applies(s, action, resource, context)).map((s) => s.Effect);
    return effects.includes('Allow') && !effects.includes('Deny');
}
