import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LOST, accessible, fits, isLost, launch, quit, shows, visit } from './browser.mjs';
import { FACET, Server } from './server.mjs';

before(launch);
after(quit);

test('an adapter without configuration says so, and shows the configuration as soon as there is one', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const adapter = await Server.start(t, 'serve');
  const page = await visit(t, adapter);
  await shows(page, '#role', 'Out of failover');
  await shows(page, '.empty', 'Nothing is configured');
  await accessible(page);
  await adapter.configure(endpoint, 'Line 1', { Name: 'Boiler house' });
  await shows(page, '#role', 'Primary');
  await shows(page, 'h1', 'Boiler house');
  await shows(page, '.facts', endpoint.url);
  await shows(page, '.timeline', 'Role: Primary The endpoint answered Primary');
  await adapter.send('DELETE', FACET);
  await shows(page, '#role', 'Out of failover');
  await shows(page, '.empty', 'Nothing is configured');
});

test('role, lease, score, mode, endpoint and configuration are shown, and secrets only as masks', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const adapter = await Server.start(t, 'serve');
  await adapter.configure(endpoint, 'Line 1', {
    UserName: 'u',
    Password: 'a planted secret',
    FailoverTimeout: '00:00:08',
  });
  await adapter.untilRole('Primary');
  const page = await visit(t, adapter);
  await shows(page, '#role', /^Primary$/);
  await shows(page, '.since', 'since');
  await shows(page, '.score', '100 of 100');
  await shows(page, '.order', 'Hot');
  await shows(page, '.explanation', /\w+\.$/);
  const lease = await shows(page, '#lease-text', /s of 7\.2 s left/);
  const before = await lease.innerText();
  await page.waitForFunction((text) => document.getElementById('lease-text').innerText !== text, before);
  await shows(page, '.explanation', /^The endpoint answered Primary/);
  await shows(page, '.facts', '*'.repeat(15));
  assert.ok(!(await page.content()).includes('a planted secret'));
  await accessible(page);
  await fits(page);
});

test('a configuration that cannot be used is not shown as none: its collector does not run as if alone', async (t) => {
  const adapter = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  await adapter.configure(adapter, 'Line 1', { UserName: 'u', Password: '{{not there}}' });
  const page = await visit(t, adapter, '#adapter');
  await shows(page, '#role', 'Secondary');
  await shows(page, '.order', 'The configuration cannot be used');
  await shows(page, '.demand', 'The collector is not to run.');
  await shows(page, '.warnings li', 'This adapter stays Secondary and cannot act: ');
  // Its history says, rightly, that it began so.
  const text = await page.locator('section').filter({ has: page.locator('.order') }).innerText();
  assert.ok(!/as if alone|not configured/i.test(text), text);
  await accessible(page);
});

test('the score is shown with the components that make it, and what the collector is to do', async (t) => {
  const adapter = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, adapter, '#adapter');
  await shows(page, '.score-why', 'Nothing is reported or probed');
  await adapter.configure(adapter, 'Line 1');
  await shows(page, '#role', 'Primary');
  await shows(page, '.demand', /^The collector is to run, collect.* and send/);
  const report = (id, StreamCount, DeviceStatus) =>
    adapter.send('PUT', `/api/v1/diagnostics/Components/${id}`, { StreamCount, DeviceStatus });
  await report('PLC-1', 3, 'Good');
  await report('PLC-2', 1, 'DeviceInError');
  await shows(page, '.score', '75 of 100');
  await shows(page, '.parts li >> nth=0', 'PLC-2: Device in error, 1 stream');
  await shows(page, '.parts li >> nth=1', 'PLC-1: Good, 3 streams');
  await report('PLC-2', 1, 'Good');
  await shows(page, '.score', '100 of 100');
  await shows(page, '.parts', 'PLC-2: Good');
  for (let count = 3; count <= 15; count += 1) await report(`PLC-${count}`, 1, 'Good');
  await report('PLC-16', 1, 'Shutdown');
  await shows(page, '.parts li >> nth=0', 'PLC-16: Shutdown');
  await shows(page, '.more-parts', 'and 4 more, of which 0 are not connected');
  await accessible(page);
});

test('times are local, and UTC on hover', async (t) => {
  const adapter = await Server.start(t, 'serve');
  const page = await visit(t, adapter);
  const time = page.locator('.timeline time').first();
  const [shown, title, iso] = [
    await time.innerText(),
    await time.getAttribute('title'),
    await time.getAttribute('datetime'),
  ];
  assert.match(title, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$/);
  const local = new Date(iso).toLocaleTimeString('en-GB', { timeZone: 'Asia/Kolkata' });
  assert.ok(shown.startsWith(local), `${shown} is ${local}`);
});

test('what is shown over midnight has its date from then on', async (t) => {
  const adapter = await Server.start(t, 'serve');
  const page = await visit(t, adapter);
  const time = page.locator('.timeline time').first();
  const shown = new Date(await time.getAttribute('datetime'));
  // The clock of the browser's tests is that of all pages.
  const setClock = (at) =>
    page.evaluate((at) => {
      globalThis.RealDate ??= Date;
      globalThis.Date = class extends RealDate {
        constructor(...given) {
          super(...(given.length ? given : [at]));
        }
        static now = () => at;
      };
    }, at);
  await setClock(shown.getTime());
  await shows(page, '.timeline time', /^\d\d:\d\d:\d\d\.\d{3}$/);
  await setClock(shown.getTime() + 86_400e3);
  await shows(page, '.timeline time', /\d{4}, \d\d:\d\d:\d\d\.\d{3}$/);
});

test('a change is told without moving what somebody reads', async (t) => {
  const adapter = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, adapter, '#adapter');
  await shows(page, '#role', 'Out of failover');
  const why = page.locator('.timeline summary').last();
  await why.focus();
  await page.keyboard.press('Enter');
  await adapter.configure(adapter, 'Line 1');
  await shows(page, '#role', 'Primary');
  await shows(page, '#announcer', 'The role is Primary now.');
  assert.ok(await page.locator('.timeline details[open]').last().isVisible(), 'what was opened stays open');
  assert.ok(await why.evaluate((node) => node === document.activeElement), 'the focus stays');
});

test('a lost server is told, nothing of it is shown as live, and it is found again', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const adapter = await Server.start(t, 'serve');
  await adapter.configure(endpoint, 'Line 1');
  await adapter.untilRole('Primary');
  const page = await visit(t, adapter);
  await shows(page, '#role', /^Primary$/);
  page.expected = LOST;
  await adapter.end();
  await isLost(page);
  await shows(page, '#role', 'Last known: Primary');
  await shows(page, '#lease-text', 'Not known');
  await accessible(page);
  await adapter.again();
  await shows(page, '#connection', /^Live$/);
  await shows(page, '#role', /^(Primary|Secondary)$/);
  assert.equal(await page.locator('#lost').innerText(), '');
  assert.ok(
    (await page.locator('.row').filter({ hasText: 'Server started' }).count()) >= 2,
    'what happened meanwhile is read',
  );
});

test('a server that hangs is as good as lost', async (t) => {
  const adapter = await Server.start(t, 'serve');
  const page = await visit(t, adapter);
  page.expected = LOST;
  adapter.child.kill('SIGSTOP');
  await isLost(page);
  adapter.child.kill('SIGCONT');
  await shows(page, '#connection', /^Live$/);
});

test('a history that is refused is said to be, and read again', async (t) => {
  const adapter = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, adapter, '#adapter');
  await shows(page, '.timeline', 'Server started');
  let refuses = true;
  const refused = { Error: 'The store is busy.', Reason: 'A test says so.', Resolution: 'Wait.' };
  page.expected = /503/;
  await page.route('**/FailoverHistory?*', (route) =>
    refuses ? route.fulfill({ status: 503, json: refused }) : route.continue(),
  );
  await adapter.configure(adapter, 'Line 1');
  await shows(page, '.failed', 'What happened could not be read. The store is busy. A test says so. Wait.');
  await accessible(page);
  refuses = false;
  await shows(page, '.timeline', 'Role: Primary');
  await page.locator('.failed').filter({ hasText: 'could not be read' }).waitFor({ state: 'detached' });
});

test('a history that is refused before anything of it is known is not just missing', async (t) => {
  const adapter = await Server.start(t, 'serve');
  const page = await visit(t, adapter, '#audit');
  page.expected = /503/;
  await page.route('**/FailoverHistory?*', (route) => route.fulfill({ status: 503, json: { Error: 'Not now.' } }));
  await page.evaluate(() => (location.hash = '#adapter'));
  await shows(page, '.failed', 'What happened could not be read. Not now.');
  assert.ok(await page.getByText('Nothing has happened yet.').isHidden());
  await page.unroute('**/FailoverHistory?*');
  await shows(page, '.timeline', 'Server started');
});

test('an answer that never comes keeps nothing else from being read', async (t) => {
  const adapter = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, adapter, '#adapter');
  await shows(page, '.empty', 'Nothing is configured');
  for (const path of ['**/FailoverHistory?*', '**/diagnostics/Order', '**/System/ClientFailover'])
    await page.route(path, () => {}, { times: 1 });
  await adapter.configure(adapter, 'Line 1');
  await shows(page, '#role', 'Primary');
  await shows(page, '.facts', /Failover group id\s*Line 1/);
  await shows(page, '.demand', 'The collector is to run');
  await shows(page, '.timeline', 'Role: Primary');
  await shows(page, '#connection', /^Live$/);
});

test('warnings and the last error of the endpoint are shown', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const [adapter, other] = [
    await Server.start(t, 'serve', { more: ['--endpoint-loss', 'step-down'] }),
    await Server.start(t, 'serve', { more: ['--endpoint-loss', 'keep-role'] }),
  ];
  for (const one of [adapter, other]) await one.configure(endpoint, 'Line 1');
  const group = await visit(t, endpoint, '#groups/Line%201');
  await shows(group, '.warnings li', 'The members of the group do not agree');
  await accessible(group);
  const page = await visit(t, adapter);
  await shows(page, '.warnings li', 'The members of the group do not agree');
  await accessible(page);
  group.expected = LOST;
  await endpoint.end();
  await shows(page, '.warnings li', /^The endpoint: /);
  await shows(page, '.facts > div', /^Last error\s*a heartbeat/);
});

test('what the server says is text, whatever it looks like', async (t) => {
  const endpoint = await Server.start(t, 'endpoint');
  const adapter = await Server.start(t, 'serve');
  const name = '<img src=x onerror="document.title=1"><b>bold</b>';
  await adapter.configure(endpoint, name, { Name: name });
  await adapter.untilRole('Primary');
  const page = await visit(t, adapter);
  await shows(page, 'h1', name);
  assert.equal(await page.locator('main img, main b').count(), 0);
  page.expected = /TrustedHTML/;
  // A page that would make markup of text is stopped by its policy.
  await assert.rejects(
    page.evaluate(() => {
      document.body.innerHTML = '<p>';
    }),
    /TrustedHTML/,
  );
});

test('a server with both halves shows both', async (t) => {
  const both = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  await both.configure(both, 'Line 1');
  const page = await visit(t, both);
  await page.getByRole('link', { name: 'Groups' }).click();
  await shows(page, '.tile', 'Line 1');
  await shows(page, '.tile', 'One member only');
  await page.getByRole('link', { name: 'This adapter' }).click();
  await shows(page, '#role', 'Primary');
});
