// A page of somebody else, in a browser on the same machine: whatever it tries, it changes nothing and reads nothing.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { launch, open, quit } from './browser.mjs';
import { BASE, FACET, Server, atEnd, until } from './server.mjs';

before(launch);
after(quit);

/** A page of another origin, and its address. */
async function stranger(t) {
  const server = createServer((request, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><title>stranger</title><iframe name="frame"></iframe>');
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  atEnd(t, () => {
    server.close();
    // A browser opens connections that it may need one day.
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}/`;
}

/** Everything a page can try, done in the browser; gives what it could read. */
async function attack({ url, facet, base }) {
  const read = [];
  const note = (what, text) => text && read.push(`${what}: ${text}`);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const fetched = async (what, path, options) => {
    try {
      const answer = await fetch(url + path, options);
      note(what, await answer.text());
      note(`${what}, its headers`, [...answer.headers.keys()].join());
    } catch {
      // Refused, as it should be.
    }
  };
  const json = { 'content-type': 'application/json' };
  const group = JSON.stringify({ Id: 'planted', FailoverTimeout: '00:01:00' });
  const configuration = JSON.stringify({ FailoverGroupId: 'planted', Mode: 'Hot', Endpoint: url });
  for (const path of [facet, `${base}/groups`, '/healthz', '/page/main.js']) {
    await fetched(`GET ${path}`, path, {});
    await fetched(`GET ${path} with credentials`, path, { credentials: 'include' });
    await fetched(`GET ${path} without cors`, path, { mode: 'no-cors' });
  }
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
    await fetched(`${method} the facet`, facet, { method, headers: json, body: configuration });
    await fetched(`${method} the groups`, `${base}/groups`, { method, headers: json, body: group });
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    for (const [path, body] of [
      [facet, configuration],
      [`${base}/groups`, group],
    ]) {
      await fetched(`POST ${path} as ${type}`, path, { method: 'POST', mode: 'no-cors', headers: { 'content-type': type }, body });
      navigator.sendBeacon(url + path, new Blob([body], { type }));
    }
  }
  const form = document.createElement('form');
  Object.assign(form, { action: `${url}${base}/groups`, method: 'post', enctype: 'text/plain', target: 'frame' });
  const field = document.createElement('input');
  // What a form sends as plain text can be JSON.
  [field.name, field.value] = ['{"Id": "planted", "FailoverTimeout": "00:01:00", "Description": "', '"}'];
  form.append(field);
  document.body.append(form);
  form.submit();
  await wait(500);
  try {
    note('the frame', document.querySelector('iframe').contentDocument?.body?.innerText);
  } catch {
    // It is another origin's.
  }
  await new Promise((done) => {
    const source = new EventSource(`${url}${base}/overview/events`, { withCredentials: true });
    source.addEventListener('Groups', (event) => note('the stream', event.data));
    source.addEventListener('error', () => (source.close(), done()));
    setTimeout(() => (source.close(), done()), 3_000);
  });
  for (const [tag, attribute] of [
    ['img', 'src'],
    ['script', 'src'],
    ['link', 'href'],
    ['object', 'data'],
  ]) {
    for (const path of [facet, '/page/icon.svg', '/page/words.js']) {
      await new Promise((done) => {
        const node = document.createElement(tag);
        if (tag === 'link') node.rel = 'stylesheet';
        node.addEventListener('load', () => {
          // A frame that was refused loads, too: with an error of the browser's own.
          if (tag !== 'object') note(`<${tag}> of ${path}`, 'it was loaded');
          done();
        });
        node.addEventListener('error', done);
        node[attribute] = url + path;
        document.body.append(node);
        setTimeout(done, 300);
      });
    }
  }
  return read;
}

/** Images from every address: waits, in the browser, until it has given up each, or `ms` have passed. */
async function showImages([addresses, ms]) {
  const shown = addresses.map(
    (address) =>
      new Promise((done) => {
        const image = new Image();
        image.addEventListener('load', done);
        image.addEventListener('error', done);
        image.src = address;
        document.body.append(image);
      }),
  );
  await Promise.race([Promise.all(shown), new Promise((done) => setTimeout(done, ms))]);
}

/** A destination of the gate that tells how often it was asked. */
async function destination(t) {
  const asked = [];
  const server = createServer((request, answer) => {
    asked.push(request.url);
    answer.end('well');
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  atEnd(t, () => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, asked };
}

test('images of a page of another origin make the gate send nothing, and take no place of who watches', async (t) => {
  const server = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const { url: endpoint, asked } = await destination(t);
  const lanes = [
    { Id: 'asks', Endpoint: endpoint },
    { Id: 'takes', Endpoint: endpoint, ReadOnlyMethods: [] },
  ];
  await server.send('PUT', '/api/v1/configuration/Egress/DataEndpoints', lanes);
  const reports = () => server.send('GET', '/api/v1/diagnostics/Egress');
  await until('the gate knows its destinations', async () => (await reports()).length === 2);

  const page = await open(t);
  await page.goto(await stranger(t));
  const gate = lanes.map(({ Id }) => `${server.url}/egress/${Id}/x?y=1`);
  await page.evaluate(showImages, [gate, 5_000]);
  assert.deepEqual(asked, []);
  assert.deepEqual((await reports()).map(({ Waiting }) => Waiting), [0, 0]);

  // A browser opens six connections to a name, and this machine has many.
  const names = Array.from({ length: 15 }, (_, at) => server.url.replace('127.0.0.1', `127.0.0.${at + 1}`));
  for (const stream of [`${BASE}/overview/events`, '/api/v1/diagnostics/Failover/events']) {
    const addresses = names.flatMap((name) => Array.from({ length: 6 }, (_, at) => `${name}${stream}?${at}`));
    await page.evaluate(showImages, [addresses, 5_000]);
    const own = await fetch(server.url + stream);
    assert.equal(own.status, 200, 'whoever may watch has a place');
    await own.body.cancel();
  }
});

test('a link on a page of another origin opens the page', async (t) => {
  const server = await Server.start(t, 'serve');
  const page = await open(t);
  await page.goto(await stranger(t));
  await page.evaluate((address) => {
    const link = document.createElement('a');
    link.href = address;
    link.textContent = 'there';
    document.body.append(link);
  }, server.url);
  await page.click('a');
  await page.waitForURL(`${server.url}/`);
  await page.locator('main').waitFor();
});

test('a page of another origin changes nothing and reads nothing', async (t) => {
  const server = await Server.start(t, 'serve', { more: ['--with-endpoint'] });
  const url = await stranger(t);
  const page = await open(t);
  const asked = [];
  page.on('request', (request) => request.url().startsWith(server.url) && asked.push(request.method()));
  await page.goto(url);
  const read = await page.evaluate(attack, { url: server.url, facet: FACET, base: BASE });
  assert.deepEqual(read, []);
  assert.ok(asked.length > 30, `it tried: ${asked}`);
  assert.deepEqual(await server.send('GET', FACET), []);
  assert.deepEqual(await server.send('GET', `${BASE}/groups`), []);
});
