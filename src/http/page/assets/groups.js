// All groups at a glance: the worst first, each with its health in words and shape.

import { fill, h, list, mark, say } from './dom.js';
import { ENDPOINT, watch } from './server.js';
import { iso, timed } from './time.js';
import { HEALTH, ORDER, shape, short } from './words.js';

/** Groups that are shown before more are asked for: as many as a browser lays out at once without a pause. */
const PAGE = 600;

export function groupsView(page) {
  const groups = new Map();
  let wanted = null;
  let shown = PAGE;
  let bad = null;
  let anew = true;
  let stale = false;
  let since = null;

  const search = h('input', { type: 'search', id: 'search', autocomplete: 'off', spellcheck: 'false', oninput: reset });
  const filters = h('div', { class: 'filters', role: 'group', 'aria-label': 'Show only' });
  const count = h('p', { class: 'count', id: 'count' });
  const tiles = h('ul', { class: 'tiles', 'aria-label': 'Groups' });
  const more = h('button', { type: 'button', onclick: showMore });
  const empty = h('p', { class: 'empty', hidden: true });
  const root = h(
    'article',
    {},
    h('h1', {}, 'Failover groups'),
    h('search', { class: 'search' }, h('label', { for: 'search' }, 'Find'), search, filters),
    count,
    empty,
    tiles,
    more,
  );

  function reset() {
    shown = PAGE;
    update();
  }

  function showMore() {
    shown += PAGE;
    update();
  }

  function filter(health) {
    wanted = wanted === health ? null : health;
    reset();
  }

  const matches = (group, text) =>
    !text ||
    [group.Id, group.Name, group.Primary, group.PrimaryName, group.PendingPrimary, group.PendingPrimaryName].some(
      (value) => value?.toLowerCase().includes(text),
    );

  function updateFilters() {
    const counts = new Map();
    for (const group of groups.values()) counts.set(group.Health, (counts.get(group.Health) ?? 0) + 1);
    const items = [null, ...ORDER.filter((health) => counts.has(health) || health === wanted)];
    list(filters, items, String, (health) => {
      const number = h('span', { class: 'number' });
      const look = health && HEALTH[health];
      const node = h(
        'button',
        { type: 'button', class: `filter ${look?.tone ?? ''}`, onclick: () => filter(health), title: look?.means },
        look && shape(look.shape),
        h('span', {}, look?.words ?? 'All'),
        number,
      );
      return {
        node,
        update() {
          say(number, String(health ? (counts.get(health) ?? 0) : groups.size));
          mark(node, 'aria-pressed', String(wanted === health));
        },
      };
    });
    return (counts.get('NoPrimary') ?? 0) + (counts.get('CannotWork') ?? 0);
  }

  function update() {
    const troubled = updateFilters();
    if (bad !== null && bad !== troubled)
      page.announce(
        troubled
          ? `${troubled} of ${groups.size} groups have no Primary that works.`
          : 'Every group has a Primary that works.',
      );
    bad = troubled;
    const asked = search.value.trim().toLowerCase();
    const found = [...groups.values()].filter((group) => (!wanted || group.Health === wanted) && matches(group, asked));
    found.sort((a, b) => ORDER.indexOf(a.Health) - ORDER.indexOf(b.Health) || (a.Id < b.Id ? -1 : 1));
    list(tiles, found.slice(0, shown), (group) => group.Id, tile);
    const all = `${groups.size} ${groups.size === 1 ? 'group' : 'groups'}`;
    const shownOf = found.length === groups.size ? all : `${found.length} of ${groups.size} groups`;
    const text = shownOf + (stale ? `, as they were at ${iso(since)}` : '');
    fill(count, text, () => timed(text));
    more.hidden = found.length <= shown;
    say(more, `Show ${Math.min(PAGE, found.length - shown)} more`);
    empty.hidden = found.length > 0;
    say(
      empty,
      groups.size === 0
        ? 'There is no group yet. An adapter creates its group when it registers.'
        : 'No group fits what you look for.',
    );
  }

  const close = watch(
    `${ENDPOINT}/overview/events`,
    {
      Groups({ Changed, Gone }) {
        // A stream that begins anew tells all groups, and not which are gone since.
        if (anew) groups.clear();
        for (const id of Gone) groups.delete(id);
        for (const group of Changed) groups.set(group.Id, group);
        if (anew || Changed.length || Gone.length) update();
        anew = false;
      },
    },
    (state) => {
      if (!state.live) anew = true;
      page.connection(state);
    },
  );
  return {
    node: root,
    title: 'Groups',
    close,
    stale(isStale, heard) {
      [stale, since] = [isStale, heard];
      if (heard) update();
    },
  };
}

/** A session as people call it. */
const called = (id, name) => name ?? short(id);

function tile() {
  const health = h('p', { class: 'health' });
  const name = h('span', { class: 'name' });
  const link = h('a', {}, name);
  const [primary, members, note] = [
    h('p', { class: 'primary' }),
    h('p', { class: 'members' }),
    h('p', { class: 'note' }),
  ];
  const node = h('li', {}, health, h('p', { class: 'id' }, link), primary, members, note);
  return {
    node,
    update(group) {
      const look = HEALTH[group.Health] ?? HEALTH.NoPrimary;
      mark(node, 'class', `tile ${look.tone}`);
      fill(health, group.Health, () => [shape(look.shape), h('span', {}, look.words)]);
      mark(link, 'href', `#groups/${encodeURIComponent(group.Id)}`);
      say(name, group.Name && group.Name !== group.Id ? `${group.Id} – ${group.Name}` : group.Id);
      const score = group.PrimaryScore === null ? '' : `, score ${group.PrimaryScore}`;
      mark(primary, 'title', [group.Primary, group.PendingPrimary].filter(Boolean).join(' → ') || null);
      say(
        primary,
        group.PendingPrimary
          ? `${called(group.Primary ?? 'Nobody', group.PrimaryName)} → ${called(group.PendingPrimary, group.PendingPrimaryName)}`
          : group.Primary
            ? `${called(group.Primary, group.PrimaryName)}${score}`
            : 'Nobody is Primary',
      );
      say(members, `${group.Heard} of ${group.Members} heard`);
      const notes = [
        group.RoleOverride && group.Health !== 'Forced' ? 'Override in force' : null,
        group.Warnings.length
          ? `${group.Warnings.length} ${group.Warnings.length === 1 ? 'warning' : 'warnings'}`
          : null,
      ];
      say(note, notes.filter(Boolean).join(', '));
      note.hidden = !note.textContent;
    },
  };
}
