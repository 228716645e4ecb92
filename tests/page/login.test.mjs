// The page where a login is needed: the browser asks for it, as it does for any page.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { accessible, fits, launch, open, promptsOf, quit, shows } from './browser.mjs';
import { Server } from './server.mjs';

const PASSWORD = 'a long password';

afterEach(quit);

/** A server with an administrator `chief` and a user `plc`. */
async function guarded(t, half, more = []) {
  const data = mkdtempSync(join(tmpdir(), 'client-failover-page-'));
  for (const [name, role] of [
    ['chief', 'administrator'],
    ['plc', 'user'],
  ]) {
    const words = ['user', 'add', name, '--role', role, '--data-dir', data];
    const added = spawnSync(process.env.CLIENT_FAILOVER_PROGRAM, words, { input: `${PASSWORD}\n` });
    assert.equal(added.status, 0, `${added.stderr}`);
  }
  return Server.start(t, half, { data, more });
}

const login = (username, password = PASSWORD) => ({ httpCredentials: { username, password } });

test('who logs in sees the page live, and an administrator the audit trail', async (t) => {
  const server = await guarded(t, 'serve', ['--with-endpoint']);
  await launch(login('chief'));
  const page = await open(t);
  await page.goto(`${server.url}/#adapter`);
  await page.locator('body[data-connection="live"]').waitFor();
  await shows(page, '#role', 'Out of failover');
  await page.goto(`${server.url}/#groups`);
  await page.locator('body[data-connection="live"]').waitFor();
  await page.goto(`${server.url}/#audit`);
  await shows(page, '.timeline', /made the user plc/);
  await page.locator('.timeline summary').first().click();
  await accessible(page);
  await fits(page);
});

test('who takes time to log in is asked once', async (t) => {
  const server = await guarded(t, 'serve');
  await launch({});
  const page = await open(t);
  const asked = await promptsOf(page);
  await page.clock.install();
  await page.goto(server.url);
  await asked.wait();
  // Much longer than a stream may be silent that was let in.
  await page.clock.fastForward(60_000);
  await asked.answer({ response: 'ProvideCredentials', username: 'plc', password: PASSWORD });
  await page.locator('body[data-connection="live"]').waitFor();
  await shows(page, '#role', 'Out of failover');
});

test('who does not log in is asked again only when somebody wants it', async (t) => {
  const server = await guarded(t, 'serve');
  await launch({});
  const page = await open(t);
  const asked = await promptsOf(page);
  await page.clock.install();
  for (const hash of ['#adapter', '#audit']) {
    await page.goto(`${server.url}/${hash}`);
    await asked.answer({ response: 'CancelAuth' });
    await shows(page, '#lost', 'A login is needed.');
    await shows(page, '#connection', 'Not live');
    await accessible(page);
    // Longer than between any two attempts.
    await page.clock.runFor(30_000);
    assert.equal(asked.count(), 0);
    await page.getByRole('button', { name: 'Try again' }).click();
    await asked.answer({ response: 'CancelAuth' });
    await page.getByRole('button', { name: 'Try again' }).waitFor();
  }
  await page.getByRole('button', { name: 'Try again' }).click();
  await asked.answer({ response: 'ProvideCredentials', username: 'chief', password: PASSWORD });
  await page.locator('body[data-connection="live"]').waitFor();
  await shows(page, '.timeline', 'made the user plc');
});

test('a user reads, and is told that the audit trail is an administrator’s', async (t) => {
  const server = await guarded(t, 'serve');
  await launch(login('plc'));
  const page = await open(t);
  await page.goto(server.url);
  await shows(page, '#role', 'Out of failover');
  await page.goto(`${server.url}/#audit`);
  await shows(page, '.failed', 'This needs an administrator.');
  assert.equal(await page.locator('.timeline li').count(), 0);
});

for (const [who, options, place, told] of [
  // A browser that asks and is not answered gives the page no answer at all.
  ['nobody', {}, '.empty', 'Asking the server…'],
  ['whose password is wrong', login('plc', 'a wrong password'), '#lost', /login/i],
]) {
  test(`who logs in as ${who} is told so, and shown nothing`, async (t) => {
    const server = await guarded(t, 'serve');
    await launch(options);
    const page = await open(t);
    await page.goto(server.url);
    await shows(page, place, told);
    assert.equal(await page.locator('#role').filter({ hasText: /\w/ }).count(), 0);
  });
}
