// A real browser, Debian's Chromium without a window, for the pages that people see.
import { chromium } from 'playwright-core';
import { cleanup } from './process.mjs';

// It asks nobody but the pages it is sent to.
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'];

/** A page of a fresh browser. What the page itself complains of (scripts, refused resources) is in page.complaints. */
export async function openBrowser(t) {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
    cleanup(t, () => browser.close());
    const page = await browser.newPage();
    page.complaints = [];
    page.on('pageerror', (error) => page.complaints.push(String(error)));
    page.on('console', (message) => {
        // A refused request is the page's to show, and no mistake of the page.
        if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) page.complaints.push(message.text());
    });
    return page;
}
