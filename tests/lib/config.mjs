// The configuration a test's server runs with: defaults for tests, overlaid with what the test says, as INI text.
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { BUILD, ROOT } from './process.mjs';

export const TEST_SECRET = 'a-secret-of-tests-that-is-long-enough-0123456789';
export const SERVICE_TOKEN = 'a-service-token-of-tests-0123456789';

/** {section: {key: value}} as INI; a value of null or undefined leaves the key out. */
export function toIni(config) {
    const lines = [];
    for (const [section, keys] of Object.entries(config)) {
        if (!keys) continue;
        lines.push(`[${section}]`);
        for (const [key, value] of Object.entries(keys))
            if (value !== null && value !== undefined) lines.push(`${key} = ${value}`);
        lines.push('');
    }
    return lines.join('\n');
}

/** What every test's server has, with the plugins that were asked for switched on. */
export function defaults({ port, pluginDir, databaseUrl, plugins = [], mail, stripe, aws }) {
    const config = {
        server: {
            listen: `127.0.0.1:${port}`, public_url: `http://127.0.0.1:${port}`, workers: 1, job_workers: 1,
            plugin_dir: pluginDir, log_format: 'json', log_level: 'info',
        },
        database: { url: databaseUrl, migrations_dir: path.join(ROOT, 'sql') },
        // What a test does not ask for must not refuse it: hundreds of calls come from one address here.
        limits: { auth: 'off', contact: 'off', user: 'off' },
    };
    for (const name of plugins) config[name] = { enabled: 'true' };
    if (config.auth) Object.assign(config.auth, { jwt_secret: TEST_SECRET, bcrypt_cost: 4 });
    if (config.mail) Object.assign(config.mail, mailSection(mail));
    if (config.stripe) Object.assign(config.stripe, stripeSection(stripe));
    if (config.apikeys) Object.assign(config.apikeys, { service_tokens: `search:${SERVICE_TOKEN}`, misses: 'off' });
    if (config.aws) Object.assign(config.aws, awsSection(aws));
    return config.stripe ? { ...config, ...planSections() } : config;
}

/** The [mail] section for a mail server of tests/peers/mail. */
export function mailSection(mail) {
    return {
        smtp_url: mail.smtpUrl, tls: 'required', ca_file: mail.caFile, smtp_user: mail.user,
        smtp_password: mail.password, from: 'vvserver <noreply@vv.test>',
        template_dir: path.join(ROOT, 'templates'),
    };
}

/** The [stripe] section for a stand-in of tests/peers/stripe. */
export function stripeSection(stripe) {
    return { secret_key: stripe.secretKey, webhook_secret: stripe.webhookSecret, api_base: stripe.apiBase };
}

/** The [aws] section for a stand-in of tests/peers/aws; its keys come by the environment: aws.env(). */
export function awsSection(aws) {
    return { region: aws.region, role_arn: aws.roleArn, sts_endpoint: aws.endpoint };
}

/** The plans that Stripe's stand-in sells by the month. */
export function planSections() {
    const plan = (name, price, calls) => ({
        name, price_id: `price_${name.toLowerCase()}_monthly`, price, currency: 'usd', interval: 'month', api_calls: calls,
    });
    return {
        'plan:basic': plan('Basic', '9.99', 1000), 'plan:pro': plan('Pro', '19.99', 5000),
        'plan:enterprise': plan('Enterprise', '49.99', 'unlimited'),
    };
}

/** Lays `over` over `base`, key by key; a section that is null is left out. */
export function merge(base, over = {}) {
    const merged = { ...base };
    for (const [section, keys] of Object.entries(over))
        merged[section] = keys === null ? null : { ...merged[section], ...keys };
    return merged;
}

/** A plugin folder for one server: links to all of ours and to those test plugins that were asked for. */
export function linkPlugins(dir, plugins) {
    mkdirSync(dir, { recursive: true });
    const places = ['lib/vvserver/plugins', 'lib/vvserver/examples', 'tests/plugins'].map((p) => path.join(BUILD, p));
    for (const place of places.filter(existsSync)) {
        for (const file of readdirSync(place).filter((f) => f.endsWith('.so'))) {
            const ours = place === places[0];
            const target = path.join(dir, file);
            if ((ours || plugins.includes(path.basename(file, '.so'))) && !existsSync(target))
                symlinkSync(path.join(place, file), target);
        }
    }
    return dir;
}
