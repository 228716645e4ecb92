// The interfaces for programs, as the server itself describes them in /api/openapi.json.

import { h, mark, say } from './dom.js';
import { Shapes, example } from './schema.js';
import { get, reasonOf } from './server.js';
import { onLogin } from './token.js';

const [main, announcer] = ['main', 'announcer'].map((id) => document.getElementById(id));

/** Whom an operation serves once logins are needed. */
const NEEDS = {
  nobody: 'no login',
  user: 'user',
  administrator: 'administrator',
};

/** What a command line needs of each method beside its address. */
const FLAGS = { get: '', post: '-X POST ', put: '-X PUT ', patch: '-X PATCH ', delete: '-X DELETE ' };

/** Text of the document, which marks code with backticks and ends paragraphs with an empty line. */
const prose = (text) =>
  (text ?? '').split(/\n\n+/).map((paragraph) =>
    h(
      'p',
      {},
      paragraph.split('`').map((piece, index) => (index % 2 ? h('code', {}, piece) : piece.replaceAll('\n', ' '))),
    ),
  );

const code = (text, name) => h('pre', { tabindex: 0, role: 'group', 'aria-label': name }, h('code', {}, text));

function copyable(text, name) {
  const shown = code(text, name);
  const button = h('button', { type: 'button', onclick: copy }, 'Copy');
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      say(announcer, 'Copied.');
      say(button, 'Copied');
      setTimeout(() => say(button, 'Copy'), 2_000);
    } catch {
      // Over http, and where it was not allowed: mark it, so that the keyboard can.
      getSelection().selectAllChildren(shown);
    }
  }
  return h('div', { class: 'command' }, shown, button);
}

/** A command that sends the request; what stands in capitals is to be replaced. */
function curl(path, method, operation) {
  const address = location.origin + path.replace(/\{(\w+)\}/g, (_, name) => name.toUpperCase());
  const [[kind, content] = []] = Object.entries(operation.requestBody?.content ?? {});
  const body = content && example(content);
  const data = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const sent = content
    ? ` -H 'Content-Type: ${kind.replace('*/*', 'text/plain')}' -d '${data.replaceAll("'", "'\\''")}'`
    : '';
  const stream = Object.values(operation.responses).some((answer) => answer.content?.['text/event-stream']);
  return `curl ${stream ? '-N ' : ''}${FLAGS[method]}'${address}'${sent}`;
}

function parameters(shapes, all) {
  if (!all.length) return null;
  const rows = all.map(({ name, in: place, description, schema }) =>
    h(
      'tr',
      {},
      h('th', { scope: 'row' }, h('code', {}, name), h('span', { class: 'hint' }, place)),
      h('td', {}, shapes.words(schema)),
      h('td', {}, prose(description)),
    ),
  );
  return [h('h3', {}, 'Parameters'), table(['Name', 'What it may be', 'What it is'], rows, 'Parameters')];
}

const table = (titles, rows, name) =>
  h(
    'div',
    { class: 'frame', tabindex: 0, role: 'group', 'aria-label': name },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          titles.map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h('tbody', {}, rows),
    ),
  );

function members(shapes, schema, name) {
  return shapes.tables(schema).map(({ title, rows }) => [
    title && h('div', { class: 'hint' }, prose(title)),
    rows.length > 0 &&
      table(
        ['Member', 'What it may be', 'What it is'],
        rows.map(({ path, required, words, says }) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, h('code', {}, path), required && h('span', { class: 'hint' }, 'required')),
            h('td', {}, words),
            h('td', {}, prose(says)),
          ),
        ),
        `Members of ${name}`,
      ),
  ]);
}

/** What is in a body, of a request or an answer. */
function content(shapes, media, name) {
  return Object.entries(media ?? {}).map(([kind, { schema, examples }]) => [
    kind !== 'application/json' && h('p', { class: 'hint' }, kind),
    kind === 'text/event-stream'
      ? schema.oneOf.map(({ properties: { event, data } }) => [
          h('p', {}, 'Event ', h('code', {}, event.const)),
          members(shapes, data.contentSchema, `the event ${event.const}`),
        ])
      : members(shapes, schema, name),
    Object.values(examples ?? {}).map(({ summary, value }) => [
      summary && h('p', { class: 'hint' }, summary),
      code(typeof value === 'string' ? value.trim() : JSON.stringify(value, null, 2), `Example of ${name}`),
    ]),
  ]);
}

function answer(shapes, status, said) {
  const response = shapes.resolve(said);
  const name = `the answer ${status}`;
  const tone = status < '300' ? 'good' : status < '500' ? 'warn' : status === 'default' ? 'info' : 'bad';
  const headers = Object.entries(response.headers ?? {}).map(([header, { description }]) =>
    h('p', { class: 'hint' }, h('code', {}, header), ` ${description}`),
  );
  const inside = [...headers, ...content(shapes, response.content, name)];
  const summary = [h('strong', { class: tone }, status), ' ', response.description];
  if (!inside.length) return h('li', {}, h('p', { class: 'bare' }, summary));
  const details = h('details', {}, h('summary', {}, summary));
  details.addEventListener('toggle', () => details.append(...inside.flat(Infinity).filter(Boolean)), { once: true });
  // What is answered to a request that goes well is what most look for.
  details.open = status.startsWith('2');
  return h('li', {}, details);
}

/** An operation; what is in it is made when it is opened. */
function operationView(shapes, path, method, operation, ofPath) {
  const need = operation['x-needs'];
  const node = h(
    'details',
    { class: 'operation', id: operation.operationId },
    h(
      'summary',
      {},
      h('span', { class: `method ${method}` }, method.toUpperCase()),
      h('code', { class: 'path' }, path),
      h('span', { class: 'what' }, operation.summary),
      h('span', { class: 'need' }, NEEDS[need]),
    ),
  );
  node.addEventListener('toggle', () => {
    if (node.open) history.replaceState(null, '', `#${operation.operationId}`);
    if (node.childElementCount > 1) return;
    const body = operation.requestBody?.content;
    node.append(
      h(
        'div',
        { class: 'inside' },
        prose(operation.description),
        copyable(curl(path, method, operation), `A command that calls ${operation.summary}`),
        parameters(shapes, [...ofPath, ...(operation.parameters ?? [])]),
        body && [h('h3', {}, 'Body'), content(shapes, body, 'the body')],
        h('h3', {}, 'Answers'),
        h(
          'ul',
          { class: 'answers' },
          Object.entries(operation.responses).map(([status, said]) => answer(shapes, status, said)),
        ),
      ),
    );
  });
  const words = `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  return { node, tag: operation.tags[0], words };
}

function show(description) {
  const shapes = new Shapes(description);
  const all = Object.entries(description.paths).flatMap(([path, { parameters: ofPath = [], ...methods }]) =>
    Object.entries(methods).map(([method, operation]) => operationView(shapes, path, method, operation, ofPath)),
  );
  const empty = h('p', { class: 'empty', hidden: true }, 'No operation fits.');
  const count = h('p', { class: 'hint', role: 'status', id: 'count' }, `${all.length} operations`);
  const sections = description.tags.map(({ name, description: says }, index) => {
    const mine = all.filter(({ tag }) => tag === name);
    const id = `tag-${index}`;
    const node = h(
      'section',
      { 'aria-labelledby': id },
      h('h2', { id }, name),
      h('div', { class: 'hint' }, prose(says)),
      h(
        'div',
        { class: 'operations' },
        mine.map((one) => one.node),
      ),
    );
    return { node, mine };
  });
  const search = h('input', {
    type: 'search',
    id: 'search',
    'aria-label': 'Search operations',
    placeholder: 'Search',
    oninput: filter,
  });

  function filter() {
    const wanted = search.value.trim().toLowerCase().split(/\s+/);
    for (const one of all) one.node.hidden = !wanted.every((word) => one.words.includes(word));
    for (const { node, mine } of sections) node.hidden = mine.every((one) => one.node.hidden);
    const found = all.filter((one) => !one.node.hidden).length;
    empty.hidden = found > 0;
    say(count, found === all.length ? `${found} operations` : `${found} of ${all.length} operations`);
  }

  const { title, version, description: about } = description.info;
  main.replaceChildren(
    h(
      'article',
      { class: 'interfaces' },
      h('h1', {}, 'Interfaces'),
      h(
        'div',
        { class: 'about' },
        h(
          'p',
          {},
          `${title}, version ${version}. As `,
          h('a', { href: '/api/openapi.json' }, 'OpenAPI'),
          ' for programs.',
        ),
        h('details', {}, h('summary', {}, 'What holds for all of them'), prose(about)),
      ),
      h('div', { class: 'search' }, search, count),
      empty,
      sections.map(({ node }) => node),
    ),
  );
}

/** Opens the operation that the address names. */
function open() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named?.classList.contains('operation')) return;
  named.open = true;
  named.scrollIntoView({ block: 'start' });
  named.querySelector('summary').focus({ preventScroll: true });
}

document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', open);
async function read() {
  try {
    show(await get('/api/openapi.json'));
    open();
    mark(document.body, 'data-shown', true);
  } catch (refused) {
    main.replaceChildren(
      h('h1', {}, 'Interfaces'),
      h('p', { class: 'failed', role: 'alert' }, reasonOf(refused)),
    );
  }
}
onLogin(read);
read();
