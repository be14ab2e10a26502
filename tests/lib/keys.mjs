// API keys in tests: a server that knows them, texts that can be keys, and asking about one.
import zlib from 'node:zlib';
import { merge, SERVICE_TOKEN } from './config.mjs';
import { startServer } from './server.mjs';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A server where every verified account may make any number of calls. */
export function startKeys(t, { config, ...more } = {}) {
    return startServer(t, {
        plugins: ['auth', 'mail', 'usage', 'apikeys'], ...more,
        config: merge({ usage: { rate_limit: 'off', default_quota: 'unlimited' } }, config),
    });
}

/** A text of a key's form, checksum and all, that nobody has. */
export function strangeKey(prefix = 'vv_', random = undefined) {
    const letters = random ?? Array.from({ length: 37 }, () => ALPHABET[Math.floor(Math.random() * 62)]).join('');
    let sum = zlib.crc32(letters);
    let check = '';
    for (let i = 0; i < 6; i++) {
        check = ALPHABET[sum % 62] + check;
        sum = Math.floor(sum / 62);
    }
    return prefix + letters + check;
}

/** Asks as another back end; fields are the rest of the body. */
export function validate(s, key, fields = {}, { headers, token = SERVICE_TOKEN } = {}) {
    return s.post('/api-keys/validate', { api_key: key, ...fields }, { token, headers });
}

/** Asks as a proxy. */
export function authorize(s, key, headers = {}) {
    return s.get('/api-keys/authorize', { key, headers });
}
