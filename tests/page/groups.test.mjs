import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LOST, accessible, fits, isTime, launch, quit, shows, visit } from './browser.mjs';
import { BASE, Server } from './server.mjs';

before(launch);
after(quit);

/** A group of two, of whom the first acts. */
async function pair(server, group) {
  await server.group(group);
  const [a, b] = [await server.member(group, `${group}-a`), await server.member(group, `${group}-b`)];
  for (const member of [a, a, b]) await member.beat();
  return [a, b];
}

const force = (server, group, session, value) =>
  server.send('POST', `${BASE}/groups/${group}/clientsessions/${session}/roleoverride`, { Value: value });

test('an endpoint without groups says so, and shows a group as soon as there is one', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const page = await visit(t, server);
  await shows(page, '.empty', 'There is no group yet');
  await accessible(page);
  await server.group('new');
  await shows(page, '.tile', 'No members');
  await server.send('DELETE', `${BASE}/groups/new`);
  await page.locator('.tile').waitFor({ state: 'detached' });
});

test('the health of each group is said in words, and the worst come first', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await pair(server, 'good');
  await server.group('empty');
  await server.group('headless');
  await server.member('headless', 'asleep');
  await server.group('lonely');
  const lonely = await server.member('lonely', 'lonely-a');
  for (const _ of [1, 2]) await lonely.beat();
  const [faulty] = await pair(server, 'faulty');
  faulty.score = 0;
  await faulty.beat();
  await pair(server, 'forced');
  await force(server, 'forced', 'forced-a', 'Primary');
  await pair(server, 'moving');
  await force(server, 'moving', 'moving-b', 'Primary');
  await server.group('<b>odd</b> / name', '00:01:00', { Name: 'Hall & 2' });
  const page = await visit(t, server, '#groups');
  const order = [
    ['headless', 'No Primary'],
    ['faulty', 'Primary cannot work'],
    ['moving', 'Hand-over'],
    ['lonely', 'One member only'],
    ['forced', 'Forced'],
    ['<b>odd</b> / name – Hall & 2', 'No members'],
    ['empty', 'No members'],
    ['good', 'One Primary'],
  ];
  await shows(page, '.tile', 'good');
  const tiles = await page
    .locator('.tile')
    .evaluateAll((all) =>
      all.map((tile) => [tile.querySelector('.name').textContent, tile.querySelector('.health span').textContent]),
    );
  assert.deepEqual(tiles, order);
  await shows(page, '.tile', 'moving-a → moving-b');
  await shows(page, '.tile', '2 of 2 heard');
  await accessible(page);
  await fits(page);
  await page.getByRole('link', { name: /odd/ }).click();
  await shows(page, 'h1', '<b>odd</b> / name');
});

test('a group that changes moves without a reload, and keeps the focus', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await pair(server, 'a');
  await server.group('b');
  const b = await server.member('b', 'b-a');
  const page = await visit(t, server);
  await shows(page, '.tile >> nth=0', 'No Primary');
  const link = page.getByRole('link', { name: 'b', exact: true });
  await link.focus();
  await b.beat();
  await shows(page, '.tile', 'b-a, score 100');
  const [second] = [await server.member('b', 'b-b')];
  await second.beat();
  await shows(page, '.tile >> nth=1', 'b-a, score 100');
  assert.ok(await link.evaluate((node) => node === document.activeElement), 'the focus stays where it was');
  await shows(page, '#announcer', 'Every group has a Primary that works.');
});

test('adapters are called by their names', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const [a, b] = [await server.member('g', 'id-a', 100, 'North'), await server.member('g', 'id-b', 100, 'South')];
  for (const member of [a, a, b]) await member.beat();
  const page = await visit(t, server);
  await shows(page, '.tile .primary', /^North, score 100$/);
  assert.equal(await page.locator('.tile .primary').getAttribute('title'), 'id-a');
  await force(server, 'g', 'id-b', 'Primary');
  await shows(page, '.tile .primary', /^North → South$/);
  await page.getByRole('searchbox').fill('south');
  await shows(page, '#count', /^1 group$/);
});

test('two thousand groups are searched, filtered and kept up to date', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const names = Array.from({ length: 2_000 }, (_, index) => `line-${String(index).padStart(4, '0')}`);
  for (let at = 0; at < names.length; at += 50)
    await Promise.all(names.slice(at, at + 50).map((name) => server.group(name)));
  const member = await server.member('line-1234', 'plc-x');
  const page = await visit(t, server);
  await shows(page, '#count', '2000 groups');
  await shows(page, '.filter', /All\s*2000/);
  assert.equal(await page.locator('.tile').count(), 600, 'no more than a browser lays out at once');
  await page.getByRole('button', { name: 'Show 600 more' }).click();
  assert.equal(await page.locator('.tile').count(), 1_200);
  await page.getByRole('searchbox').fill('LINE-1234');
  await shows(page, '#count', '1 of 2000 groups');
  await shows(page, '.tile', 'No Primary');
  await member.beat();
  await shows(page, '.tile', 'One member only');
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: /One member only/ }).click();
  await shows(page, '#count', '1 of 2000 groups');
  await page.getByRole('button', { name: /^All/ }).click();
  await page.getByRole('searchbox').fill('nothing like it');
  await shows(page, '.empty', 'No group fits');
});

test('groups that are gone while the server was lost are not shown any more', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('stays');
  await server.group('goes');
  const page = await visit(t, server);
  await shows(page, '#count', '2 groups');
  page.expected = LOST;
  await server.end();
  await shows(page, '#lost', 'The server cannot be reached since');
  await shows(page, '#count', /^2 groups, as they were at .*\d\d:\d\d/);
  await isTime(page.locator('#count time'));
  const elsewhere = await Server.start(t, 'endpoint', { data: server.data });
  await elsewhere.send('DELETE', `${BASE}/groups/goes`);
  await elsewhere.end('SIGTERM');
  await server.again();
  await shows(page, '#count', /^1 group$/);
  await shows(page, '.tile', 'stays');
});

test('the groups of a tenant are shown under the tenant', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.send('POST', '/api/v1/Tenants/t-1/Namespaces/n-1/ClientFailover/groups', {
    Id: 'of the cloud',
    FailoverTimeout: '00:01:00',
  });
  await server.group('on premises');
  const page = await visit(t, server, '?tenant=t-1&namespace=n-1');
  await shows(page, '.tile', 'of the cloud');
  await shows(page, '#count', /^1 group$/);
});
