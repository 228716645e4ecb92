// A browser that fails a test when the page does what it must not: an error on its console, a request to
// another host, a fault that axe finds.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { atEnd, until } from './server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Where Debian puts it. */
const PROGRAM = '/usr/bin/chromium';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long a page may take to show what a test waits for. */
const LIMIT_MS = 60_000;

/** What the browser says on the console of a server that is gone. */
export const LOST =
  /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/;

/** How wide: a phone, a desk, the wall of a control room. */
export const WIDTHS = { phone: [390, 844], desk: [1280, 900], wall: [3840, 2160] };

let context = null;
let folder = null;

/** Starts the browser once for all tests of a file; call it in `before`. */
export async function launch(options = {}) {
  folder = mkdtempSync(join(tmpdir(), 'client-failover-browser-'));
  context = await chromium.launchPersistentContext(folder, {
    executablePath: PROGRAM,
    headless: true,
    args: ARGUMENTS,
    timezoneId: 'Asia/Kolkata',
    locale: 'en-GB',
    colorScheme: 'light',
    // The hook of a runner is no object of options.
    ...(options.httpCredentials && { httpCredentials: options.httpCredentials }),
  });
}

/** An empty page, held to no rules; it is closed when the test `t` ends. */
export async function open(t) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  atEnd(t, () => page.close());
  return page;
}

/** Ends it; call it in `after`. */
export async function quit() {
  await context?.close();
  rmSync(folder, { recursive: true, force: true });
}

/** What the browser asks for a name and a password: us, instead of a person. */
export async function promptsOf(page) {
  const browser = await page.context().newCDPSession(page);
  const asked = [];
  // A request of a page that is being closed needs no going on.
  browser.on('Fetch.requestPaused', ({ requestId }) => browser.send('Fetch.continueRequest', { requestId }).catch(() => {}));
  browser.on('Fetch.authRequired', (event) => asked.push(event));
  await browser.send('Fetch.enable', { handleAuthRequests: true });
  const wait = () => until('the browser asks', async () => asked.length > 0);
  return {
    count: () => asked.length,
    wait,
    async answer(authChallengeResponse) {
      await wait();
      for (const { requestId, request } of asked.splice(0))
        await browser.send('Fetch.continueWithAuth', { requestId, authChallengeResponse }).catch((gone) => {
          assert.fail(`the page gave ${request.url} up while it was being answered: ${gone}`);
        });
    },
  };
}

/** Opens the page of `server` at `hash` until it is `ready`, and holds it to the rules until the test `t` ends. */
export async function visit(t, server, hash = '', { width = 'desk', ready = 'body[data-connection="live"]' } = {}) {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const [widthPx, heightPx] = WIDTHS[width];
  await page.setViewportSize({ width: widthPx, height: heightPx });
  const faults = [];
  /** What a test provokes on purpose. */
  page.expected = null;
  page.on('pageerror', (error) => faults.push(`${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !page.expected?.test(message.text()))
      faults.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${server.url}/`)) faults.push(`asked another host: ${request.url()}`);
  });
  let loads = 0;
  page.on('load', () => (loads += 1));
  atEnd(t, async () => {
    await page.close();
    assert.deepEqual(faults, []);
    assert.equal(loads, 1, 'the page changes without being loaded again');
  });
  await page.goto(`${server.url}/${hash}`);
  await page.locator(ready).waitFor();
  return page;
}

/** Waits until the element of this selector shows `text` (a string or a regular expression). */
export async function shows(page, selector, text) {
  const found = page.locator(selector).filter({ hasText: text }).first();
  await found.waitFor().catch(async () => {
    assert.fail(
      `${selector} does not show ${text}, but ${JSON.stringify(await page.locator(selector).allInnerTexts())}`,
    );
  });
  return found;
}

/** The server cannot be reached, and the page says so, and since when. */
export async function isLost(page) {
  await shows(page, '#lost', /The server cannot be reached since .*\d\d:\d\d/);
  await isTime(page.locator('#lost time'));
  await shows(page, '#connection', 'Not live');
}

/** What axe has to say against the page, in light and dark. */
export async function accessible(page) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    // Evaluated by the debugger, which the page's policy does not hold.
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    const found = violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map((node) => `${node.html} ${node.failureSummary}`)
          .join(' | ')}`,
    );
    assert.deepEqual(found, [], colorScheme);
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** What is shown by these elements is a moment: local, and UTC on hover. */
export async function isTime(locator) {
  await locator.waitFor();
  assert.match(await locator.innerText(), /\d\d:\d\d:\d\d/);
  assert.match(await locator.getAttribute('title'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
}

/** Nothing is wider than the screen. */
export async function fits(page) {
  for (const [name, [width, height]] of Object.entries(WIDTHS)) {
    await page.setViewportSize({ width, height });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${over} px too wide on a ${name}`);
  }
  await page.setViewportSize({ width: WIDTHS.desk[0], height: WIDTHS.desk[1] });
}
