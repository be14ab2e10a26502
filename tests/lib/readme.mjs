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
