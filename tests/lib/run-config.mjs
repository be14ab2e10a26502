// The configuration ./dev run serves with: every plugin of this build, small plans, and the stand-ins that were started.
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { awsSection, mailSection, planSections, stripeSection, toIni } from './config.mjs';
import { BUILD, ROOT } from './process.mjs';
import { DEV, secretFile } from './state.mjs';
import { CATALOG } from '../peers/stripe/world.mjs';

export const PORT = Number(process.env.VV_DEV_PORT || 8000);
export const URL_ = `http://127.0.0.1:${PORT}`;
export const CONFIG = path.join(DEV, 'vvserver.ini');

/** A plan whose quota can be met with within a minute, for ./dev journey and for trying things out. */
const TINY = { id: 'price_tiny_monthly', name: 'Tiny', cents: 99, calls: 20 };

/** What Stripe's stand-in sells here. */
export const SOLD = [...CATALOG, [TINY.name, TINY.id, TINY.cents, 'month']];

const plans = () => ({
    'plan:tiny': {
        name: TINY.name, price_id: TINY.id, price: (TINY.cents / 100).toFixed(2), currency: 'usd', interval: 'month',
        api_calls: TINY.calls, features: `${TINY.calls} calls a month`,
    },
    ...planSections(),
});

export const has = (plugin) => existsSync(path.join(BUILD, `lib/vvserver/plugins/${plugin}.so`));

/** Writes it. → its path */
export function writeConfig({ databaseUrl, mail, stripe, aws }) {
    const sections = {
        auth: { jwt_secret_file: secretFile('jwt') },
        mail: mailSection(mail),
        stripe: stripe && stripeSection(stripe),
        usage: {},
        apikeys: { service_tokens_file: secretFile('service_token') },
        aws: aws && awsSection(aws),
    };
    const enabled = Object.entries(sections).filter(([name, keys]) => keys && has(name))
        .map(([name, keys]) => [name, { enabled: 'true', ...keys }]);
    writeFileSync(CONFIG, toIni({
        server: {
            listen: `127.0.0.1:${PORT}`, public_url: URL_, log_format: 'text',
            plugin_dir: path.join(BUILD, 'lib/vvserver/plugins'),
        },
        database: { url: databaseUrl, migrations_dir: path.join(ROOT, 'sql') },
        ...Object.fromEntries(enabled), ...(stripe && plans()),
    }), { mode: 0o600 });
    chmodSync(CONFIG, 0o600);
    return CONFIG;
}
