import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LOST, accessible, fits, isTime, launch, quit, shows, visit } from './browser.mjs';
import { BASE, Server, until } from './server.mjs';

before(launch);
after(quit);

/** An endpoint and two adapters of ours, the first of them Primary; and their sessions. */
async function plant(t) {
  const endpoint = await Server.start(t, 'endpoint');
  const [first, second] = [await Server.start(t, 'serve'), await Server.start(t, 'serve')];
  const sessions = [];
  for (const adapter of [first, second]) {
    await adapter.configure(endpoint, 'Line 1');
    const { SessionId } = await until('a session', async () => {
      const said = await adapter.failover();
      return said.LastHeartbeat && said;
    });
    // As the page shows it: without most of its GUID.
    sessions.push(SessionId.replace(/(-[0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, '$1'));
    if (adapter === first) await first.untilRole('Primary');
  }
  return { endpoint, first, second, sessions };
}

const GROUP = '#groups/Line%201';

test('a failover is seen as it happens: who was Primary when, the gap, and why', async (t) => {
  const {
    endpoint,
    first,
    second,
    sessions: [a, b],
  } = await plant(t);
  const page = await visit(t, endpoint, GROUP);
  await shows(page, '#health', 'One Primary');
  await shows(page, '#role', `${a} is Primary`);
  await shows(page, '.since', /since .*epoch \d+/);
  await first.end();
  await shows(page, '.members td', /silent|ago/);
  await shows(page, '#role', `${b} is Primary`);
  await shows(page, '#health', 'One member only');
  await shows(page, '#announcer', `${b} is Primary now.`);
  await shows(page, '.timeline .gap', /gap up to \d/);
  await page.getByRole('button', { name: '10 min' }).click();
  await page.locator('svg.lanes .tenure').nth(1).waitFor();
  assert.equal(await page.locator('svg.lanes .session').count(), 2);
  await shows(page, 'svg.lanes .gap-word', /gap/);
  await page.locator('svg.lanes .silence').first().waitFor({ state: 'attached' });
  // B's score is known now; of A it is not, from its last heartbeat on.
  await until('only what is known is a score', async () => {
    const words = await page.locator('svg.lanes .score-word').allTextContents();
    const scores = await page.locator('svg.lanes .score-line title').allTextContents();
    const now = scores.filter((score) => score === 'Score, now 100');
    const before = scores.filter((score) => score.startsWith('Score 100, not known after '));
    return words.join() === ' score 100' && now.length === 1 && before.length > 0;
  });
  await page.getByText('The picture as a table').click();
  await shows(page, 'tbody tr', /Primary, epoch/);
  await shows(page, 'tbody tr', /heartbeats? missed/);
  await shows(page, 'tbody tr', /gap .* counted from the last heartbeat/);
  const promoted = page.locator('.timeline li').filter({ hasText: `${b} became Primary` });
  await promoted.getByText('Why?').click();
  await promoted.getByText('No heartbeat', { exact: true }).waitFor();
  await promoted.getByText('What was known then').waitFor();
  await accessible(page);
  await fits(page);
  await second.end('SIGTERM');
  await shows(page, '#role', 'Nobody is Primary');
});

test('adapters are called by the names that they were given, and what a silent one said last is shown as that', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const [first, second] = [await Server.start(t, 'serve'), await Server.start(t, 'serve')];
  await first.configure(endpoint, 'Line 1', { Name: 'North' });
  await first.untilRole('Primary');
  await second.configure(endpoint, 'Line 1', { Name: 'South' });
  const page = await visit(t, endpoint, GROUP);
  await page.getByRole('button', { name: 'Make South Primary' }).waitFor();
  await shows(page, '#role', 'North is Primary');
  await first.end();
  await shows(page, '#role', 'South is Primary');
  await shows(page, '.explanation', 'No heartbeat from North');
  await shows(page, '.members td', 'yes, when last heard');
  await shows(page, '.members td', '100, when last heard');
  await shows(page, '.timeline', 'South acts as Primary');
  assert.deepEqual(await page.locator('svg.lanes .session .name').allTextContents(), ['North', 'South']);
  const adapter = await visit(t, second);
  const row = await shows(adapter, '.timeline .what', 'South took over from');
  assert.doesNotMatch(await row.innerText(), /\dT\d/, 'its times are local');
  await isTime(row.locator('time').first());
});

test('an override says what will happen, happens, is shown with its end, and can be ended', async (t) => {
  const {
    endpoint,
    second,
    sessions: [a, b],
  } = await plant(t);
  const page = await visit(t, endpoint, GROUP);
  const button = page.getByRole('button', { name: `Make ${b} Primary` });
  await button.click();
  const dialog = page.getByRole('dialog', { name: `Make ${b} Primary?` });
  await dialog.getByText(`${a}, which is Primary now, is told to stop.`).waitFor();
  await dialog.getByText(/It holds until .*\d\d:\d\d/).waitFor();
  await isTime(dialog.locator('time'));
  await accessible(page);
  // Nothing happens before it is confirmed.
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await button.evaluate((node) => node === document.activeElement), 'the focus comes back');
  assert.equal((await endpoint.status('Line 1')).RoleOverride, null);
  await button.click();
  await dialog.getByLabel('For how long').selectOption('until somebody ends it');
  await dialog.getByText('It holds until somebody ends it').waitFor();
  await dialog.getByLabel('For how long').selectOption('1 hour');
  await dialog.getByLabel('Your name').fill('Shift lead');
  await dialog.getByLabel('Why').fill('patching <the other>');
  await dialog.getByRole('button', { name: `Make ${b} Primary` }).click();
  await dialog.waitFor({ state: 'detached' });
  await shows(page, '#role', `${b} is Primary`);
  await shows(page, '#health', 'Forced');
  await second.untilRole('Primary');
  await shows(page, '.forced', `${b} is forced to be Primary by Shift lead (patching <the other>). It ends at`);
  const { ExpirationTime } = (await endpoint.status('Line 1')).RoleOverride;
  assert.equal(await page.locator('.forced time').getAttribute('datetime'), ExpirationTime);
  await shows(page, '.timeline', `An operator asked for ${b}`);
  await page.getByRole('region', { name: 'Role override' }).getByRole('button', { name: 'End the override…' }).click();
  const ending = page.getByRole('dialog', { name: `End the override for ${b}?` });
  await ending.getByText('Scores decide again who is Primary.').waitFor();
  await ending.getByRole('button', { name: 'End the override' }).click();
  await shows(page, '#health', 'One Primary');
  assert.ok(await page.locator('.forced').isHidden());
  assert.equal((await endpoint.status('Line 1')).RoleOverride, null);
});

test('an override that can do no good is warned of, and one that is refused says why', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const [a, b] = [await server.member('g', 'a'), await server.member('g', 'b', 0)];
  await server.member('g', 'asleep');
  for (const member of [a, a, b]) await member.beat();
  const page = await visit(t, server, '#groups/g');
  await page.getByRole('button', { name: 'Make asleep Primary' }).click();
  await shows(page, '.effects .warns', 'asleep has not been heard. Unless it is heard within');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Make a Primary' }).click();
  await shows(page, '.effects', 'a is Primary already');
  await shows(page, '.effects', 'It ends, too, once a has been silent for 1 min 0 s.');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Make b Primary' }).click();
  await shows(page, '.effects .warns', 'b scores 0');
  page.expected = /ERR_FAILED/;
  await page.route('**/roleoverride', (route) => route.abort());
  await page.getByRole('dialog').getByRole('button', { name: 'Make b Primary' }).click();
  await shows(page, 'dialog .failed', 'No answer came: it may still be done. The server cannot be reached.');
  await page.unroute('**/roleoverride');
  page.expected = /409/;
  const refused = { Error: 'This cannot be.', Reason: 'A test says so.' };
  await page.route('**/roleoverride', (route) => route.fulfill({ status: 409, json: refused }));
  await page.getByRole('dialog').getByRole('button', { name: 'Make b Primary' }).click();
  await shows(page, 'dialog .failed', 'It was not done. This cannot be. A test says so.');
});

test('in a group whose overrides outlive silence, the question says so', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g', '00:01:00', { AdditionalData: { KeepSilentOverride: true } });
  await server.member('g', 'asleep');
  const page = await visit(t, server, '#groups/g');
  await page.getByRole('button', { name: 'Make asleep Primary' }).click();
  await shows(page, '.effects .warns', 'asleep has not been heard. The override waits for it.');
  await shows(page, '.effects .warns', 'Once asleep is Primary nobody takes over, also while it is silent');
  await accessible(page);
});

test('an override that is not answered may still be done, and is said to be', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const [a, b] = [await server.member('g', 'a'), await server.member('g', 'b')];
  for (const member of [a, a, b]) await member.beat();
  const page = await visit(t, server, '#groups/g');
  await page.getByRole('button', { name: 'Make b Primary' }).click();
  await shows(page, 'dialog', 'This will happen:');
  // Asked once, and never answered.
  let unanswered = null;
  await page.route('**/groups/g/clientsessions/b/**', (route) => (unanswered = route));
  await page.getByRole('dialog').getByRole('button', { name: 'Make b Primary' }).click();
  await shows(page, 'dialog', 'Until the answer comes it may still be done, also if this is closed.');
  await shows(page, 'dialog .failed', 'No answer came: it may still be done. The server did not answer in time.');
  assert.equal(unanswered.request().method(), 'POST');
  await accessible(page);
  await shows(page, 'dialog', 'This will happen:');
});

test('an override is made and ended by keyboard alone', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const [a, b] = [await server.member('g', 'a'), await server.member('g', 'b')];
  for (const member of [a, a, b]) await member.beat();
  const page = await visit(t, server, '#groups/g');
  const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
  const reach = async (what) => {
    for (let tabs = 0; !(await focused()).startsWith(what); tabs += 1) {
      assert.ok(tabs < 30, `${what} is reached by the Tab key`);
      await page.keyboard.press('Tab');
    }
  };
  await page.getByRole('button', { name: 'Make b Primary' }).waitFor();
  await reach('Make b Primary');
  await page.keyboard.press('Enter');
  await shows(page, 'dialog', 'This will happen:');
  await reach('by');
  await page.keyboard.type('Shift lead');
  await page.keyboard.press('Enter');
  await shows(page, '.forced', 'b is forced to be Primary by Shift lead');
  await reach('End the override…');
  await page.keyboard.press('Enter');
  await shows(page, 'dialog', 'Scores decide again who is Primary.');
  await reach('End the override');
  await page.keyboard.press('Enter');
  await until('the override ended', async () => !(await server.status('g')).RoleOverride);
});

test('an overlap is drawn, and said', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server);
  const at = (ago) => new Date(Date.now() - ago).toISOString();
  const HandOver = { From: 'z', To: 'a', LastAct: 'Said', LastActTime: at(5_000), FirstActTime: at(6_500), GapMilliseconds: -1_500 };
  const row = { Kind: 'HandOver', SessionId: 'a', Epoch: 1, Reason: 'Acts', Explanation: 'a acts', Members: [], Since: null };
  const Items = [{ ...row, Time: at(4_000), HandOver }];
  await page.route('**/history?*', (route) => route.fulfill({ json: { Items, NextCursor: null } }));
  await page.evaluate(() => (location.hash = '#groups/g'));
  await shows(page, 'svg.lanes .gap-word', 'overlap 1.5 s');
  const wide = await page.locator('svg.lanes .overlap').getAttribute('width');
  assert.ok(Number(wide) >= 2, wide);
  assert.equal(await page.locator('svg.lanes .gap').count(), 0);
  await page.getByText('The picture as a table').click();
  await shows(page, 'tbody tr', 'a after z: overlap 1.5 s');
});

test('a name and a FailoverTimeout that change are shown without a reload', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a', 100, 'North');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server, '#groups/g');
  await shows(page, '#role', 'North is Primary');
  await server.send('DELETE', `${BASE}/groups/g/clientsessions/a`);
  const again = await server.member('g', 'a', 100, 'South');
  for (const _ of [1, 2]) await again.beat();
  await shows(page, '#role', 'South is Primary');
  page.expected = /404/;
  await server.send('DELETE', `${BASE}/groups/g/clientsessions/a`);
  await server.send('DELETE', `${BASE}/groups/g`);
  await shows(page, '#connection', 'Not live');
  await server.group('g', '00:00:10');
  await server.member('g', 'a', 100, 'South');
  await shows(page, '.facts', '00:00:10: a Primary that is silent');
});

test('an adapter that has left keeps its name in what happened', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g', '00:00:02');
  const a = await server.member('g', 'a', 100, 'North');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server, '#groups/g');
  await shows(page, '.members th', 'North');
  await server.send('DELETE', `${BASE}/groups/g/clientsessions/a`);
  await shows(page, '.timeline', 'North is not Primary any more');
});

test('a page that stays open keeps the newest rows, and not all there ever were', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const page = await visit(t, server);
  const Items = (last) => Array.from({ length: 100 }, (_, at) => ({ Number: last - at }));
  let last = 100;
  await page.route('**/rows?*', (route) => route.fulfill({ json: { Items: Items(last), NextCursor: null } }));
  await page.evaluate(async () => {
    const { History } = await import('/page/history.js');
    globalThis.kept = new History('/rows');
    await kept.refresh();
  });
  assert.ok(await page.evaluate(() => kept.whole));
  for (let more = 0; more < 60; more += 1) {
    last += 99;
    await page.evaluate(() => kept.refresh());
  }
  const kept = await page.evaluate(() => [kept.items.length, kept.items[0].Number, kept.items.at(-1).Number, kept.more, kept.whole]);
  assert.deepEqual(kept, [5_000, last, last - 4_999, false, false]);
});

test('a question that stands says what would happen now, and nothing while that is not known', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const [a, b, c] = [await server.member('g', 'a'), await server.member('g', 'b'), await server.member('g', 'c')];
  for (const member of [a, a, b, c]) await member.beat();
  const page = await visit(t, server, '#groups/g');
  await page.getByRole('button', { name: 'Make c Primary' }).click();
  await shows(page, '.effects', 'a, which is Primary now, is told to stop.');
  await server.send('POST', `${BASE}/groups/g/clientsessions/b/roleoverride`, { Value: 'Primary' });
  await until('b is Primary', async () => (await a.beat(), (await b.beat()) === 1));
  await shows(page, '.effects', 'b, which is Primary now, is told to stop.');
  const yes = page.getByRole('dialog').getByRole('button', { name: 'Make c Primary' });
  assert.equal(await yes.getAttribute('aria-disabled'), null);
  page.expected = LOST;
  await server.end();
  await shows(page, 'dialog', 'The server cannot be reached: what would happen now is not known.');
  assert.equal(await page.locator('.effects li').count(), 0);
  assert.equal(await yes.getAttribute('aria-disabled'), 'true');
  await page.keyboard.press('Escape');
  await shows(page, '#role', 'b was Primary');
  await shows(page, '.members td', 'not known');
  assert.equal(await page.getByRole('button', { name: 'Make c Primary' }).getAttribute('aria-disabled'), 'true');
  await server.again();
  await shows(page, '#connection', /^Live$/);
  await page.getByRole('button', { name: 'Make c Primary' }).click();
  await shows(page, 'dialog', 'This will happen:');
  await server.send('DELETE', `${BASE}/groups/g/clientsessions/c`);
  await shows(page, 'dialog', 'c is not registered in the group any more.');
  await accessible(page);
});

test('an empty group and one that is gone say so', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('empty');
  const page = await visit(t, server, '#groups/empty');
  await shows(page, '#health', 'No members');
  await shows(page, '.empty', 'No adapter is registered in this group.');
  await shows(page, '.empty', 'Nothing has happened yet.');
  await accessible(page);
  await server.member('empty', 'first');
  await shows(page, '.members', 'first');
  await shows(page, '#health', 'No Primary');
  page.expected = /404/;
  await server.send('DELETE', `${BASE}/groups/empty/clientsessions/first`);
  await server.send('DELETE', `${BASE}/groups/empty`);
  await shows(page, '.failed', 'There is no group of this Id');
  await shows(page, '#lost', 'The failover group is not known.');
  await shows(page, '#health', 'Last known');
  await server.group('empty');
  await shows(page, '#connection', /^Live$/);
  assert.ok(await page.getByText('There is no group of this Id').isHidden());
});

test('whoever comes by a link to a group that is gone is told so, and what happened in it', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  await server.send('DELETE', `${BASE}/groups/g/clientsessions/a`);
  await server.send('DELETE', `${BASE}/groups/g`);
  const page = await visit(t, server);
  page.expected = /404/;
  await page.evaluate(() => (location.hash = '#groups/g'));
  await shows(page, '.failed', 'There is no group of this Id');
  await shows(page, '.timeline', 'a became Primary');
  await page.evaluate(() => (location.hash = '#groups/never'));
  await shows(page, '.failed', 'There is no group of this Id');
  assert.equal(await page.locator('.failed').filter({ hasText: /could not be read/ }).count(), 0);
});

test('what happened while the endpoint was away is unknown, and not an unbroken bar of a Primary', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server, '#groups/g');
  await shows(page, '.timeline', 'a became Primary');
  page.expected = /ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING/;
  await server.end();
  await shows(page, '#connection', 'Not live');
  await server.again();
  const away = await shows(page, '.timeline li', 'The endpoint was away');
  await away.getByText('Why?').click();
  await isTime(away.locator('.why p time'));
  assert.doesNotMatch(await away.innerText(), /\dT\d/, 'all times are local');
  await page.locator('.lanes .away').first().waitFor();
  await page.getByText('The picture as a table').click();
  await shows(page, 'table', /Unknown for .*: the endpoint was away/);
  await accessible(page);
});

test('until the server has said something, the page says that it asks', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const page = await visit(t, server);
  await page.route('**/status/events', () => {});
  await page.evaluate(() => (location.hash = '#groups/g'));
  await shows(page, 'main', 'Asking the server…');
  assert.equal(await page.locator('h1').isVisible(), false, 'nothing is shown of what is not known');
});

test('a Primary whose promotion is in no row any more is shown all the same, with since when', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server);
  // As after `--history-days`.
  await page.route('**/history?*', (route) => route.fulfill({ json: { Items: [], NextCursor: null } }));
  await page.evaluate(() => (location.hash = '#groups/g'));
  await shows(page, '.empty', 'Nothing has happened yet.');
  await isTime(page.locator('.since time'));
  assert.equal(await page.locator('.since time').getAttribute('datetime'), (await server.status('g')).PrimarySince);
  assert.equal(await page.locator('svg.lanes .tenure').count(), 1);
  assert.match(
    await page.locator('svg.lanes .tenure title').textContent(),
    /^Primary, epoch \d+, from .*\d\d:\d\d.* \(.* UTC\) to now$/,
  );
});

test('as long as a history is not known, the page does not say that it is empty', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  await server.member('g', 'a');
  const page = await visit(t, server);
  await page.route('**/history?*', () => {});
  await page.evaluate(() => (location.hash = '#groups/g'));
  await shows(page, '.members', 'a');
  assert.ok(await page.getByText('Nothing has happened yet.').isHidden());
  assert.ok(await page.getByRole('button', { name: 'Load older' }).isHidden());
});

test('the longest names there can be fit on every screen', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const long = (letter) => letter.repeat(256);
  await server.group(long('g'), '00:01:00', { Name: long('G'), Description: long('d') });
  const [a, b] = [
    await server.member(long('g'), long('a'), 100, long('W')),
    await server.member(long('g'), long('b'), 100, long('M')),
  ];
  for (const member of [a, a, b]) await member.beat();
  const forced = { Value: 'Primary', RequestedBy: long('o'), Reason: 'r'.repeat(1_024) };
  await server.send('POST', `${BASE}/groups/${long('g')}/clientsessions/${long('b')}/roleoverride`, forced);
  const page = await visit(t, server);
  await shows(page, '.tile', long('W'));
  await fits(page);
  await page.getByRole('link', { name: long('g') }).click();
  await shows(page, '.forced', long('o'));
  await page.locator('svg.lanes .score-word').nth(1).waitFor();
  await fits(page);
  const cut = await page.evaluate(() => {
    const right = document.querySelector('svg.lanes').getBoundingClientRect().right;
    return [...document.querySelectorAll('svg.lanes .score-word')].every((one) => one.getBoundingClientRect().right <= right);
  });
  assert.ok(cut, 'a name is cut so that the score beside it is seen');
  await page.getByRole('button', { name: `Make ${long('W')} Primary` }).click();
  await shows(page, 'dialog .effects', long('W'));
  await fits(page);
  const over = await page.locator('dialog').evaluate((dialog) => dialog.scrollWidth - dialog.clientWidth);
  assert.ok(over <= 0, `the question is ${over} px too wide`);
});

test('a long history is read page by page', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  const path = `${BASE}/groups/g/clientsessions/a/roleoverride`;
  for (let count = 0; count < 330; count += 1)
    await server.send('POST', path, { Value: count % 2 ? 'Off' : 'Primary' });
  await server.send('POST', path, { Value: 'Off' });
  const page = await visit(t, server, '#groups/g');
  await shows(page, '.timeline', 'a became Primary');
  const rows = await page.locator('.timeline li').count();
  assert.equal(rows, (await server.send('GET', `${BASE}/groups/g/history?limit=1000`)).Items.length, 'each once');
  await server.send('POST', path, { Value: 'Primary' });
  await page.locator(`.timeline li:nth-child(${rows + 1})`).waitFor();
});

test('the whole page can be used by keyboard', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  const a = await server.member('g', 'a');
  for (const _ of [1, 2]) await a.beat();
  const page = await visit(t, server);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main', 'the skip link leads to the content');
  await page.getByRole('searchbox').focus();
  for (
    let tabs = 0;
    (await page.evaluate(() => document.activeElement.closest('.tile')?.tagName)) !== 'LI';
    tabs += 1
  ) {
    assert.ok(tabs < 20, 'a tile is reached by the Tab key');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await shows(page, 'h1', 'g');
  const reached = new Set();
  for (let tabs = 0; tabs < 30; tabs += 1) {
    await page.keyboard.press('Tab');
    reached.add(
      await page.evaluate(
        () => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent,
      ),
    );
  }
  for (const name of ['All groups', 'Make a Primary', '10 min', 'The picture as a table'])
    assert.ok(
      [...reached].some((text) => text.includes(name)),
      `${name} in ${[...reached]}`,
    );
});
