// Where state lives that outlives one run: .dev/, or beside it when another user has to reach it.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT, run } from './process.mjs';

/** VV_DEV_DIR is for the test of ./dev run, which must not touch what a developer has there. */
export const DEV = process.env.VV_DEV_DIR || path.join(ROOT, '.dev');

/**
 * .dev/NAME where `user` can reach that (always, when it is undefined: ourselves), else a folder under /var/tmp that
 * belongs to this checkout, with a link to it in .dev. A checkout under root's home is the usual case of the latter.
 */
export async function stateDir(name, user) {
    const inside = path.join(DEV, name);
    mkdirSync(DEV, { recursive: true });
    if (!user) return inside;
    const reach = await run('setpriv', ['--reuid', user, '--regid', 'nogroup', '--clear-groups', 'test', '-x', DEV]);
    if (reach.code === 0) return inside;
    const id = createHash('sha256').update(DEV).digest('hex').slice(0, 12);
    const outside = `/var/tmp/vvserver-${id}/${name}`;
    mkdirSync(path.dirname(outside), { recursive: true });
    if (!lstatSync(inside, { throwIfNoEntry: false })) symlinkSync(outside, inside);
    return outside;
}

export async function removeState(name, user) {
    rmSync(await stateDir(name, user), { recursive: true, force: true });
    rmSync(path.join(DEV, name), { recursive: true, force: true });
}

/** The file of a secret of ./dev run, which is drawn once, so that tokens stay good between runs. */
export function secretFile(name) {
    const file = path.join(DEV, 'secrets', name);
    if (!existsSync(file)) {
        mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
        writeFileSync(file, randomBytes(32).toString('hex'), { mode: 0o600 });
    }
    return file;
}

export const secret = (name) => readFileSync(secretFile(name), 'utf8');
