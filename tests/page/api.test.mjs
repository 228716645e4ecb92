import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { accessible, fits, launch, quit, shows, visit } from './browser.mjs';
import { Server } from './server.mjs';

before(launch);
after(quit);

const SHOWN = { ready: 'body[data-shown]' };

test('every operation of the document is shown, in its group', async (t) => {
  const server = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, server, 'api', SHOWN);
  const { paths, tags } = await server.send('GET', '/api/openapi.json');
  const documented = Object.values(paths).flatMap(({ parameters, ...methods }) => Object.values(methods));
  assert.equal(await page.locator('.operation').count(), documented.length);
  await shows(page, '#count', `${documented.length} operations`);
  assert.deepEqual(
    await page.locator('h2').allInnerTexts(),
    tags.map(({ name }) => name),
  );
  await accessible(page);
  await fits(page);
});

test('an operation says its parameters, members, examples, answers and a command that calls it', async (t) => {
  const server = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, server, 'api#replaceClientFailover', SHOWN);
  const opened = '#replaceClientFailover[open]';
  await shows(page, `${opened} .need`, 'administrator');
  await shows(page, `${opened} tr`, /Mode.*required.*Hot \| Warm \| Cold \| None/s);
  await shows(page, `${opened} tr`, /FailoverTimeout.*time span, 00:00:00.2500000 to 1.00:00:00/s);
  await shows(page, `${opened} .inside`, 'Or an array of exactly 1 of them.');
  await shows(page, `${opened} .command`, `curl -X PUT '${server.url}/api/v1/configuration/System/ClientFailover'`);
  await page.locator(`${opened} .answers summary`, { hasText: '401' }).click();
  await shows(page, `${opened} .answers pre`, 'The login is wrong.');
  await page.locator('#listen > summary').click();
  await shows(page, '#listen', /Event Nudge.*Session.*Event Change/s);
  assert.ok((await page.evaluate(() => location.hash)) === '#listen', 'the address names what was opened');
  await page.evaluate(() => document.querySelectorAll('.operation').forEach((one) => (one.open = true)));
  await page.locator('#beat').getByText('Incarnation', { exact: true }).waitFor();
  await accessible(page);
  await fits(page);
});

test('operations are searched, and found from the page of the server', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const page = await visit(t, server, 'api', SHOWN);
  const all = await page.locator('.operation').count();
  await page.getByRole('searchbox').fill('role Override');
  await shows(page, '#count', `2 of ${all} operations`);
  await page.getByRole('searchbox').fill('nothing like it');
  await shows(page, '.empty', 'No operation fits.');
});

test('the page of the server leads to the interfaces', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const page = await visit(t, server);
  await shows(page, 'footer a[href="/api"]', 'Interfaces');
});
