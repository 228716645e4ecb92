// The page where tokens of an OpenID provider are logins: one is pasted, held in memory, and gone when the page is loaded
// again.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { accessible, fits, launch, open, promptsOf, quit, shows } from './browser.mjs';
import { BASE, Server, atEnd } from './server.mjs';

before(launch);
after(quit);

const AUDIENCE = 'https://failover.plant.example';

const SECRETS = { adapter: 'first+secret &=%', chief: 'chief', guest: 'guest' };

/** A real provider, as a process that ends with the test `t`. */
async function provider(t) {
  const program = fileURLToPath(new URL('../oidc/provider.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, '3600', AUDIENCE], { stdio: ['pipe', 'pipe', 'ignore'] });
  atEnd(t, () => child.kill());
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error('the OpenID provider did not start');
}

/** A fresh token of one of the provider's clients. */
async function tokenOf(issuer, client) {
  const form = { grant_type: 'client_credentials', client_id: client, client_secret: SECRETS[client] };
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(form) });
  return (await answer.json()).access_token;
}

/** A server of both halves that takes the provider's tokens alone. */
const trusting = (t, issuer) =>
  Server.start(t, 'serve', { more: ['--with-endpoint', '--oidc-issuer', issuer, '--oidc-audience', AUDIENCE] });

/** Gives the page a token, by the keyboard alone. */
async function give(page, token) {
  const button = page.getByRole('button', { name: /the token|with a token/ });
  await button.waitFor();
  await button.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog', { name: 'Log in with a token' }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token-text');
  await page.keyboard.insertText(token);
  await page.keyboard.press('Enter');
}

const LIVE = 'body[data-connection="live"]';

/** Where a browser keeps things. */
const kept = () =>
  JSON.stringify([
    { ...localStorage },
    { ...sessionStorage },
    document.cookie,
    location.href,
    history.state,
    document.documentElement.outerHTML,
  ]);

test('a pasted token logs in to both halves, is kept nowhere, and is gone when the page is loaded again', async (t) => {
  const issuer = await provider(t);
  const server = await trusting(t, issuer);
  const token = await tokenOf(issuer, 'chief');
  const page = await open(t);
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${server.url}/#adapter`);
  await shows(page, '#lost', 'A login is needed.');
  assert.equal(await page.locator('#role').filter({ hasText: /\w/ }).count(), 0);
  await accessible(page);
  await fits(page);

  await give(page, token);
  await page.locator(LIVE).waitFor();
  await shows(page, '#role', 'Out of failover');
  await shows(page, '#token', 'Change the token');
  for (const [hash, seen] of [
    ['groups', 'There is no group yet.'],
    ['audit', 'Nothing was changed or refused yet.'],
  ]) {
    await page.evaluate((to) => (location.hash = to), hash);
    await page.locator(LIVE).waitFor();
    await shows(page, '.empty', seen);
  }
  const stored = await page.evaluate(kept);
  assert.ok(!stored.includes(token), 'the token is in no store of the browser');
  assert.equal(await page.evaluate(async () => (await indexedDB.databases()).length + (await caches.keys()).length), 0);
  assert.ok(asked.every((url) => url.startsWith(server.url) && !url.includes(token)), 'and in no address');
  await accessible(page);
  await fits(page);

  await page.reload();
  await shows(page, '#lost', 'A login is needed.');
  await shows(page, '#token', 'Log in with a token');
});

test('what needs an administrator is asked with the token, and a role is overridden with it', async (t) => {
  const issuer = await provider(t);
  const server = await trusting(t, issuer);
  const [user, chief] = [await tokenOf(issuer, 'adapter'), await tokenOf(issuer, 'chief')];
  const call = async (path, body) => {
    const headers = { authorization: `Bearer ${user}`, 'content-type': 'application/json' };
    const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, await answer.text());
  };
  await call(`${BASE}/groups`, { Id: 'g', FailoverTimeout: '00:01:00' });
  await call(`${BASE}/groups/g/clientsessions`, { Id: 'a', Name: 'a' });
  const page = await open(t);
  await page.goto(`${server.url}/#audit`);
  await give(page, user);
  await shows(page, '.failed', 'This needs an administrator.');
  await give(page, chief);
  await page.locator('.timeline li').first().waitFor();
  await page.evaluate(() => (location.hash = 'groups/g'));
  await page.getByRole('button', { name: 'Make a Primary…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Make a Primary', exact: true }).click();
  await page.getByRole('region', { name: 'Role override' }).waitFor();
});

test('who is about to give a token is not asked for a password', async (t) => {
  const issuer = await provider(t);
  const data = mkdtempSync(join(tmpdir(), 'client-failover-page-'));
  const added = spawnSync(process.env.CLIENT_FAILOVER_PROGRAM, ['user', 'add', 'plc', '--role', 'user', '--data-dir', data], { input: 'a long password\n' });
  assert.equal(added.status, 0, `${added.stderr}`);
  const server = await Server.start(t, 'serve', { data, more: ['--oidc-issuer', issuer, '--oidc-audience', AUDIENCE] });
  const page = await open(t);
  const asked = await promptsOf(page);
  await page.goto(server.url);
  await asked.answer({ response: 'CancelAuth' });
  await shows(page, '#lost', 'A login is needed.');
  await page.getByRole('button', { name: 'Log in with a token' }).click();
  const back = () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await back();
  await page.evaluate(() => fetch('/healthz').then((answer) => answer.text()));
  assert.equal(asked.count(), 0);
  await page.keyboard.press('Escape');
  await back();
  await asked.answer({ response: 'CancelAuth' });
  await give(page, await tokenOf(issuer, 'adapter'));
  await page.locator(LIVE).waitFor();
});

test('a token that is refused is said to be, and another can be given or none', async (t) => {
  const issuer = await provider(t);
  const server = await trusting(t, issuer);
  const page = await open(t);
  await page.goto(server.url);
  await give(page, 'two words');
  await shows(page, '#token-failed', 'This is no token');
  await accessible(page);
  await page.keyboard.press('Escape');
  await give(page, await tokenOf(issuer, 'guest'));
  await shows(page, '#lost', /The token is refused\..*neither of the roles/s);
  await give(page, `Bearer ${await tokenOf(issuer, 'adapter')}`);
  await page.locator(LIVE).waitFor();
  await page.getByRole('button', { name: 'Change the token' }).click();
  await page.getByRole('button', { name: 'Forget the token' }).click();
  await shows(page, '#lost', 'A login is needed.');
});

test('the interfaces are shown to who gives a token', async (t) => {
  const issuer = await provider(t);
  const server = await trusting(t, issuer);
  const page = await open(t);
  await page.goto(`${server.url}/api`);
  await shows(page, '.failed', 'A login is needed.');
  await accessible(page);
  await give(page, await tokenOf(issuer, 'adapter'));
  await page.locator('body[data-shown]').waitFor();
  await shows(page, '#count', /\d+ operations/);
});
