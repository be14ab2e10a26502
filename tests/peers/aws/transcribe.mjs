// Transcribe streaming's presigned URLs, judged as the service would judge the browser that opens one.
import { AwsError, badSignature, denied, notAllowed } from './errors.mjs';
import { allows } from './policy.mjs';
import { checkScope, holderOf, longDate, parseDate, parseScope, signer } from './signature.mjs';

const PATH = '/stream-transcription-websocket';
const ACTION = 'transcribe:StartStreamTranscriptionWebSocket';
const SKEW = 5 * 60_000;
const LANGUAGES = `af-ZA am-ET ar-AE ar-SA be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK de-CH de-DE
    el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US et-ET eu-ES fa-AF fa-IR fi-FI fr-CA
    fr-FR gl-ES gu-IN he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID kab-DZ ka-GE kk-KZ km-KH kn-IN
    ko-KR lg-IN lt-LT lv-LV mk-MK ml-IN mr-IN ms-MY my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO
    ru-RU si-LK sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH tl-PH tr-TR
    uk-UA uz-UZ vi-VN zh-CN zh-HK zh-TW zu-ZA`.split(/\s+/);
const SIGNING = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Date', 'X-Amz-Expires', 'X-Amz-SignedHeaders', 'X-Amz-Signature',
    'X-Amz-Security-Token'];
const PARAMETERS = [
    'language-code', 'media-encoding', 'sample-rate', 'session-id', 'vocabulary-name', 'vocabulary-filter-name',
    'vocabulary-filter-method', 'show-speaker-label', 'enable-channel-identification', 'number-of-channels',
    'enable-partial-results-stabilization', 'partial-results-stability', 'language-model-name', 'identify-language',
    'language-options', 'preferred-language', 'content-identification-type', 'content-redaction-type',
    'pii-entity-types',
];

const bad = (message) => new AwsError(400, 'BadRequestException', message);

/** The query as it stands in the URL, each name once, in AWS's encoding: a + would be a plus, not a space. */
function readQuery(search) {
    const query = {};
    for (const part of search.slice(1).split('&')) {
        if (!/^([\w.~-]|%[0-9A-F]{2})+=([\w.~-]|%[0-9A-F]{2})*$/.test(part))
            throw bad(`'${part}' is not encoded as RFC 3986 says`);
        const [name, value] = part.split('=').map(decodeURIComponent);
        if (Object.hasOwn(query, name)) throw bad(`${name} is given twice`);
        if (![...SIGNING, ...PARAMETERS].includes(name)) throw bad(`${name} is not a parameter of ${PATH}`);
        query[name] = value;
    }
    return query;
}

function checkAsked({ 'language-code': language, 'media-encoding': encoding, 'sample-rate': rate }) {
    if (!LANGUAGES.includes(language)) throw bad(`language-code '${language}' is not supported.`);
    if (!['pcm', 'ogg-opus', 'flac'].includes(encoding)) throw bad(`media-encoding '${encoding}' is not supported.`);
    if (!/^[1-9]\d{3,4}$/.test(rate) || rate < 8000 || rate > 48_000)
        throw bad(`sample-rate '${rate}' is not within 8000 and 48000.`);
    return { languageCode: language, mediaEncoding: encoding, sampleRate: Number(rate) };
}

function checkTimes({ 'X-Amz-Date': date, 'X-Amz-Expires': expires }, now) {
    const signed = parseDate(date);
    if (signed === undefined) throw bad(`X-Amz-Date must be in ISO-8601 'basic format'. Got '${date}'.`);
    if (!/^[1-9]\d*$/.test(expires ?? '') || Number(expires) > 300)
        throw bad('X-Amz-Expires must be between 1 and 300 seconds.');
    const expiresAt = new Date(signed + Number(expires) * 1000);
    if (signed > now + SKEW)
        throw badSignature(`Signature not yet current: ${date} is still later than ${longDate(now + SKEW)}`);
    if (expiresAt <= now)
        throw badSignature(`Signature expired: ${longDate(expiresAt.getTime())} is now earlier than ${longDate(now)}`);
    return { signedAt: new Date(signed), expiresAt };
}

/** The same URL, signed once more by another implementation. */
async function signAgain(url, query, holder, region, signedAt) {
    const plain = Object.fromEntries(Object.entries(query).filter(([name]) => !SIGNING.includes(name)));
    const request = {
        method: 'GET', protocol: 'wss:', hostname: url.hostname, port: Number(url.port), path: url.pathname,
        headers: { host: url.host }, query: plain,
    };
    const options = { signingDate: signedAt, expiresIn: Number(query['X-Amz-Expires']) };
    return (await signer(holder, region, 'transcribe').presign(request, options)).query['X-Amz-Signature'];
}

function checkAllowed(holder, region, now) {
    const context = {
        'aws:RequestedRegion': region, 'aws:CurrentTime': new Date(now).toISOString(), 'aws:SecureTransport': 'true',
        ...Object.fromEntries(Object.entries(holder.tags ?? {}).map(([key, value]) => [`aws:PrincipalTag/${key}`, value])),
    };
    const role = { Statement: [{ Effect: 'Allow', Action: holder.role?.allows ?? [], Resource: '*' }] };
    for (const policy of [role, holder.policy ?? role])
        if (!allows(policy, ACTION, '*', context)) throw notAllowed(holder.arn, ACTION, '*');
}

/** What a browser gets for this URL: {holder, languageCode, mediaEncoding, sampleRate, signedAt, expiresAt}, or an AwsError. */
export async function verifyTranscribe(aws, text) {
    const url = new URL(text);
    const { region } = aws;
    const now = aws.now();
    if (url.protocol !== 'wss:' || url.host !== `transcribestreaming.${region}.amazonaws.com:8443` || url.pathname !== PATH)
        throw bad(`${url.protocol}//${url.host}${url.pathname} is not where Transcribe streams in ${region}`);
    if (url.hash || url.username || url.password) throw bad('Only a query may follow the path.');
    const query = readQuery(url.search);
    if (query['X-Amz-Algorithm'] !== 'AWS4-HMAC-SHA256') throw bad('X-Amz-Algorithm must be AWS4-HMAC-SHA256.');
    if (query['X-Amz-SignedHeaders'] !== 'host') throw bad('The one header a browser sends as it was signed is host.');
    const times = checkTimes(query, now);
    const scope = parseScope(query['X-Amz-Credential'] ?? '');
    checkScope(scope, { date: query['X-Amz-Date'], region, service: 'transcribe' });
    const holder = holderOf(aws.credentials, scope.accessKeyId, query['X-Amz-Security-Token'], now);
    if (await signAgain(url, query, holder, region, times.signedAt) !== query['X-Amz-Signature']) throw badSignature();
    if (!holder.sessionToken) throw denied('Keys that do not expire are not for browsers.');
    checkAllowed(holder, region, now);
    return { holder, ...checkAsked(query), ...times };
}
