// The pictures of the architecture show the server as it is.
import { readFileSync } from 'node:fs';
import { assert, startServer, test } from '../lib/harness.mjs';
import { openBrowser } from '../lib/browser.mjs';
import { draw, PICTURE, readPlugins } from '../lib/picture.mjs';
import { blocksOf } from '../lib/readme.mjs';

test('the picture of the plugins is what they say of themselves', async (t) => {
    const drawn = draw(await readPlugins());
    assert.equal(readFileSync(PICTURE, 'utf8'), drawn, '`./dev picture` draws it again');
    const page = await openBrowser(t);
    await page.goto(`file://${PICTURE}`);
    // Nothing stands in the next column or outside of the picture.
    const wide = await page.evaluate(() => {
        const boxes = [...document.querySelectorAll('text')].map((node) => ({ said: node.textContent, at: node.getBBox() }));
        const { width } = document.documentElement.viewBox.baseVal;
        return boxes.filter(({ at }) => at.x + at.width > width || boxes.some(({ at: other }) =>
            other.x > at.x && Math.abs(other.y - at.y) < 2 && other.x < at.x + at.width)).map(({ said }) => said);
    });
    assert.deepEqual(wide, []);
});

test('the picture of the processes names those that run', async (t) => {
    const s = await startServer(t);
    const picture = blocksOf('README.md').find((b) => b.section === 'How it works').text;
    for (const { role } of s.processes()) assert.match(picture, new RegExp(`\\b${role}\\b`));
});
