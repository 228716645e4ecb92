// Which view is shown, whether it is live, and what is said aloud.

import { adapterView } from './adapter.js';
import { auditView } from './audit.js';
import { fill, h, mark, say } from './dom.js';
import { groupView } from './group.js';
import { groupsView } from './groups.js';
import { reasonOf } from './server.js';
import { iso, renewTimes, span, timed } from './time.js';
import { onLogin } from './token.js';

const halves = document.querySelector('meta[name="halves"]').content.split(' ');
const [main, nav, lost, pill, announcer] = ['main', 'views', 'lost', 'connection', 'announcer'].map((id) =>
  document.getElementById(id),
);
const pillText = document.getElementById('connection-text');

/** The least time between two announcements: who listens must not be talked over. */
const ANNOUNCE_MS = 3_000;

/** What stands in place of a view of which nothing is known yet. */
const waiting = h('p', { class: 'empty' }, 'Asking the server…');

let view = null;
let connection = { live: null, since: null };
let announced = 0;
let later = 0;

/** Says something to those who do not see the page; the latest wins. */
function announce(text) {
  clearTimeout(later);
  const wait = Math.max(0, announced + ANNOUNCE_MS - Date.now());
  later = setTimeout(() => {
    announced = Date.now();
    say(announcer, text);
  }, wait);
}

const howLong = h('span', { 'aria-hidden': 'true' });
const lostText = h('span');
const tryAgain = h('button', { type: 'button', onclick: () => connection.again?.() }, 'Try again');
const lostLine = h('p', {}, lostText, ' ', tryAgain);

function showConnection() {
  const { live, since, refused, again } = connection;
  mark(document.body, 'data-connection', live === null ? 'opening' : live ? 'live' : 'lost');
  say(pillText, live === null ? 'Connecting' : live ? 'Live' : 'Not live');
  if (live !== false) {
    lost.replaceChildren();
    return;
  }
  const from = since ? 'What is shown is from then, and may not be true any more.' : 'Nothing is known yet.';
  const text = refused
    ? `${reasonOf(refused)} ${since ? `The page knows nothing new since ${iso(since)}.` : ''}`
    : `The server cannot be reached${since ? ` since ${iso(since)}` : ''}. ${from}`;
  fill(lostText, text, () => [...timed(text), ' ', howLong]);
  tryAgain.hidden = !again;
  if (!lost.firstChild) lost.append(lostLine);
  tellHowLong();
}

function tellHowLong() {
  const { live, since } = connection;
  if (live !== false) return;
  const seconds = Math.max(0, Math.floor((Date.now() - since) / 1_000));
  say(howLong, since ? `(${seconds < 60 ? `${seconds} s` : span(seconds * 1_000)})` : '');
}
setInterval(() => {
  tellHowLong();
  renewTimes();
}, 1_000);

const page = {
  announce,
  /** Each view tells whether it is live, most by their stream. */
  connection(state) {
    connection = state;
    showConnection();
    if (state.live || state.refused) reveal();
    view?.stale?.(!state.live, state.since);
  },
};

function wanted() {
  const hash = location.hash.slice(1);
  const [name, ...rest] = hash.split('/');
  if (name === 'groups' && halves.includes('endpoint')) {
    const id = rest.length ? decoded(rest.join('/')) : null;
    return id ? ['groups', () => groupView(page, id)] : ['groups', () => groupsView(page)];
  }
  if (name === 'audit') return ['audit', () => auditView(page)];
  if (name === 'adapter' && halves.includes('adapter')) return ['adapter', () => adapterView(page)];
  return halves.includes('adapter') ? ['adapter', () => adapterView(page)] : ['groups', () => groupsView(page)];
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function showNav(name) {
  const names = { adapter: 'This adapter', groups: 'Groups', audit: 'Audit trail' };
  const targets = [...halves.map((half) => (half === 'endpoint' ? 'groups' : 'adapter')), 'audit'];
  const links = targets.map((target) =>
    h('a', { href: `#${target}`, 'aria-current': target === name ? 'page' : null }, names[target]),
  );
  nav.replaceChildren(...links);
}

/** The server has said something: until then the view would show that there is nothing. */
function reveal() {
  if (view) view.node.hidden = false;
  waiting.hidden = true;
}

let first = true;

function show() {
  view?.close();
  view = null;
  page.connection({ live: null, since: null });
  const [name, make] = wanted();
  showNav(name);
  view = make();
  view.node.hidden = true;
  waiting.hidden = false;
  main.replaceChildren(waiting, view.node);
  document.title = `${view.title} – client-failover`;
  // Whoever follows a link by keyboard goes on in what it led to.
  if (!first) main.focus({ preventScroll: true });
  first = false;
  scrollTo(0, 0);
}

document.getElementById('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', show);
onLogin(show);
show();
