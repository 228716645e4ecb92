// The audit trail in the page. It has no stream: it is read again and again.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LOST, accessible, fits, isLost, isTime, launch, quit, shows, visit } from './browser.mjs';
import { BASE, Server } from './server.mjs';

before(launch);
after(quit);

const CHANGED = { FailoverGroupId: 'Line 1', Mode: 'Hot', Endpoint: 'http://127.0.0.1:1/api/v1/clientfailover' };

test('who changed what is shown as it happens', async (t) => {
  const server = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const page = await visit(t, server, '#audit');
  await shows(page, '.empty', 'Nothing was changed or refused yet.');
  await server.send('PUT', '/api/v1/configuration/System/ClientFailover', CHANGED);
  const row = await shows(page, '.timeline li', /the configuration/);
  await isTime(row.locator('time').first());
  await row.getByText('Why?').click();
  await shows(page, '.timeline .facts', '127.0.0.1');
  await accessible(page);
  await fits(page);
});

test('a server that is gone is told, and found again', async (t) => {
  const server = await Server.start(t, 'endpoint');
  await server.group('g');
  await server.send('DELETE', `${BASE}/groups/g`);
  const page = await visit(t, server, '#audit');
  await shows(page, '.timeline', 'the group g');
  page.expected = LOST;
  await server.end();
  await isLost(page);
  await shows(page, '.timeline', 'the group g');
  await server.again();
  await shows(page, '#connection', /^Live$/);
});

test('a server that hangs is as good as gone', async (t) => {
  const server = await Server.start(t, 'endpoint');
  const page = await visit(t, server, '#audit');
  page.expected = LOST;
  server.child.kill('SIGSTOP');
  await isLost(page);
  server.child.kill('SIGCONT');
  await shows(page, '#connection', /^Live$/);
});
