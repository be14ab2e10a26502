// The documents' code blocks, for those who run them: what a reader would copy is what the tests run.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './process.mjs';

/** [{section, language, text}] of a document, in order; a block belongs to the nearest heading above it. */
export function blocksOf(file) {
    const blocks = [];
    let section = '';
    let open = null;
    for (const line of readFileSync(path.join(ROOT, file), 'utf8').split('\n')) {
        const [, fence] = line.match(/^\s*```(.*)$/) ?? [];
        if (fence !== undefined && open) {
            blocks.push(open);
            open = null;
        } else if (fence !== undefined) {
            open = { section, language: fence.trim(), text: '' };
        } else if (open) {
            open.text += `${line}\n`;
        } else {
            section = line.match(/^#+ (.*)$/)?.[1] ?? section;
        }
    }
    if (open) throw new Error(`${file}: a block below "${open.section}" has no end`);
    return blocks;
}

/** The shell blocks of a document's section, or of the whole document. readme.test.mjs sees to it that each is asked for. */
export function shellOf(file, section) {
    const found = blocksOf(file).filter((b) => b.language === 'sh' && (section === undefined || b.section === section));
    if (!found.length) throw new Error(`${file} has no shell block${section === undefined ? '' : ` below "${section}"`}`);
    return found.map((b) => b.text);
}

// ---- what a document shows of answers, against the real ones -----------------------------------

/** The JSON objects in what programs printed, in order. */
export function jsonIn(text) {
    const found = [];
    let start = 0;
    let depth = 0;
    for (const { 0: token, index } of text.matchAll(/"(?:\\.|[^"\\])*"|[{}]/g)) {
        if (token === '{' && depth++ === 0) start = index;
        if (token === '}' && depth > 0 && --depth === 0) found.push(JSON.parse(text.slice(start, index + 1)));
    }
    return found;
}

const withoutNumbers = (text) => text.replace(/\d+/g, '0');

/** What is different in a shown value, as paths: ids, seconds left and digits may be others, "..." leaves the rest out. */
export function differences(shown, real, where = '') {
    const differs = [`${where}: ${JSON.stringify(shown)} is shown, ${JSON.stringify(real)} is answered`];
    if (typeof shown === 'string' && typeof real === 'string') {
        const [said, is] = [shown, real].map(withoutNumbers);
        return (said.endsWith('...') ? is.startsWith(said.slice(0, -3)) : is === said) ? [] : differs;
    }
    if (typeof shown === 'number' && /(^|[._])(id|expires_in)$/.test(where)) return typeof real === 'number' ? [] : differs;
    if (shown === null || typeof shown !== 'object') return shown === real ? [] : differs;
    if (Array.isArray(shown)) {
        const more = shown.at(-1) === '...';
        const items = more ? shown.slice(0, -1) : shown;
        if (!Array.isArray(real) || (more ? real.length < items.length : real.length !== items.length)) return differs;
        return items.flatMap((item, i) => differences(item, real[i], `${where}[${i}]`));
    }
    if (Object.keys(shown).join() !== Object.keys(real ?? {}).join()) return differs;
    return Object.entries(shown).flatMap(([key, item]) => differences(item, real[key], `${where}.${key}`));
}
