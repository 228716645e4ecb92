// One group: who is Primary and why, its members, a picture of its past, and overrides.

import { changeRow } from './changes.js';
import { facts, fill, h, list, mark, say, sentence } from './dom.js';
import { History, timeline } from './history.js';
import { lanesOf } from './lanes.js';
import { membersTable } from './members.js';
import { askEnd, askOverride } from './override.js';
import { picture, table } from './picture.js';
import { reading } from './reading.js';
import { get, groupPath, now, reasonOf, watch } from './server.js';
import { millis, time, timed } from './time.js';
import { HEALTH, callByName, shape, short } from './words.js';

const RANGES = [
  [120e3, '2 min'],
  [600e3, '10 min'],
  [3_600e3, '1 h'],
  [28_800e3, '8 h'],
  [86_400e3, '24 h'],
  [604_800e3, '7 d'],
];

/** Looks at the members that are kept: an hour of them. */
const SAMPLES = 3_600;

/** How often names and T are read again, of which no event tells that they changed, in ms. */
const NAMES_MS = 10_000;

/** Rows of history that the picture reads by itself, so that a long range has them. */
const ROWS = 600;

/** Whose sessions a group has. */
const ids = (status) => JSON.stringify(status.Members.map((member) => member.SessionId));

export function groupView(page, id) {
  const health = h('p', { class: 'health', id: 'health' });
  const headline = h('p', { class: 'role', id: 'role' });
  const since = h('p', { class: 'since' });
  const explanation = h('p', { class: 'explanation' });
  const warnings = h('ul', { class: 'warnings', 'aria-label': 'Warnings' });
  const forcedText = h('p');
  const endButton = h('button', { type: 'button', onclick: end }, 'End the override…');
  const forced = h('section', { class: 'forced', 'aria-label': 'Role override', hidden: true }, forcedText, endButton);
  const members = membersTable(act);
  const about = h('div');
  const frame = h('div', { class: 'frame', role: 'group', 'aria-label': 'Picture' });
  const tableFrame = h('div', {
    class: 'frame',
    tabindex: '0',
    role: 'region',
    'aria-label': 'The picture as a table',
  });
  const tableDetails = h(
    'details',
    { ontoggle: () => draw(true) },
    h('summary', {}, 'The picture as a table'),
    tableFrame,
  );
  const ranges = h('div', { class: 'filters', role: 'group', 'aria-label': 'How much of the past' });
  const partial = h(
    'p',
    { class: 'hint', hidden: true },
    'Older changes than these are not in the picture; load older ones below.',
  );
  const empty = h('p', { class: 'empty', hidden: true }, 'No adapter is registered in this group.');
  const history = new History(`${groupPath(id)}/history`);
  const shown = timeline(history, changeRow, () => {
    shown.update();
    draw(true);
  });
  const gone = h(
    'p',
    { class: 'failed', hidden: true },
    'There is no group of this Id: it was never created, or it was deleted. What happened in it is below, if anything is known.',
  );

  const unread = h('p', { class: 'failed', role: 'alert' });

  const root = h(
    'article',
    { class: 'group' },
    h('p', { class: 'back' }, h('a', { href: '#groups' }, 'All groups')),
    h('h1', {}, id),
    gone,
    unread,
    h('section', { class: 'hero', 'aria-label': 'State' }, health, headline, since, explanation),
    warnings,
    forced,
    h(
      'section',
      { 'aria-labelledby': 'members-title' },
      h('h2', { id: 'members-title' }, 'Adapters'),
      empty,
      h('div', { class: 'frame', tabindex: '0', role: 'region', 'aria-label': 'Table of adapters' }, members.node),
    ),
    h(
      'section',
      { 'aria-labelledby': 'picture-title' },
      h('div', { class: 'title-row' }, h('h2', { id: 'picture-title' }, 'Who was Primary when'), ranges),
      frame,
      legend(),
      partial,
      tableDetails,
    ),
    h('section', { 'aria-labelledby': 'changes-title' }, h('h2', { id: 'changes-title' }, 'What happened'), shown.node),
    h(
      'section',
      { class: 'card', 'aria-labelledby': 'about-title' },
      h('h2', { id: 'about-title' }, 'About the group'),
      about,
    ),
  );

  let group = null;
  let status = null;
  let sessions = new Map();
  let left = [];
  let samples = [];
  let range = null;
  let stale = false;
  let named = 0;
  let naming = null;
  let told;
  let drawn = 0;
  let asking = null;
  let width = 0;

  for (const [ms, words] of RANGES) {
    const button = h(
      'button',
      { type: 'button', class: 'filter', 'aria-pressed': 'false', onclick: () => choose(ms) },
      words,
    );
    button.dataset.range = ms;
    ranges.append(button);
  }

  function choose(ms) {
    setRange(ms);
    draw(true);
    past.ask();
  }

  function setRange(ms) {
    range = ms;
    for (const button of ranges.children) mark(button, 'aria-pressed', String(Number(button.dataset.range) === ms));
  }

  /** All that happened in a young group, else the last hour. */
  function firstRange() {
    const age = now() - Date.parse(history.items.at(-1)?.Time ?? new Date(now()).toISOString());
    const whole = history.whole && RANGES.slice(0, 4).find(([ms]) => age < ms);
    setRange((whole || RANGES[2])[0]);
  }

  const timeout = () => millis(group?.FailoverTimeout) ?? 60_000;
  const keeps = () =>
    Object.entries(group?.AdditionalData ?? {}).some(([name, value]) => name.toLowerCase() === 'keepsilentoverride' && value === true);
  const context = () => ({ status, timeout: timeout(), keeps: keeps(), stale });

  function update() {
    if (!status || !group) return;
    const look = HEALTH[status.Health];
    fill(health, [look.words, stale], () => [
      shape(look.shape),
      h('span', {}, `${stale ? 'Last known: ' : ''}${look.words}`),
      h('span', { class: 'hint' }, look.means),
    ]);
    mark(health, 'class', `health ${stale ? 'quiet' : look.tone}`);
    mark(headline, 'title', status.Primary);
    say(
      headline,
      status.Primary
        ? `${short(status.Primary)} ${stale ? 'was' : 'is'} Primary`
        : `Nobody ${stale ? 'was' : 'is'} Primary`,
    );
    mark(headline, 'class', `role ${stale ? 'quiet' : status.Primary ? '' : 'bad'}`);
    const { PrimarySince, Epoch } = status;
    fill(since, [PrimarySince, Epoch], () => [
      PrimarySince && h('span', {}, 'since ', time(PrimarySince), ' under '),
      Epoch !== null && `epoch ${Epoch}`,
    ]);
    const reason = sentence(short(status.Reason));
    fill(explanation, reason, () => timed(reason, true));
    list(
      warnings,
      status.Warnings,
      (text) => text,
      (text) => ({ node: h('li', {}, shape('warning'), h('span', {}, timed(short(text), true))) }),
    );
    warnings.hidden = !status.Warnings.length;
    updateForced();
    empty.hidden = status.Members.length > 0;
    members.update({ status, sessions, timeout: timeout(), stale });
    const rows = [
      ['Name', group.Name ?? 'not set'],
      ['Description', group.Description ?? 'not set'],
      ['FailoverTimeout', `${group.FailoverTimeout}: a Primary that is silent for so long is replaced`],
      ['Data processed up to', time(status.LastDataProcessedTime)],
    ];
    fill(about, [group, status.LastDataProcessedTime], () => facts(rows));
    asking?.refresh();
  }

  function updateForced() {
    const override = status.RoleOverride;
    forced.hidden = !override;
    fill(forcedText, override, () => {
      if (!override) return null;
      const until = override.ExpirationTime
        ? [h('span', {}, ' It ends at '), time(override.ExpirationTime), h('span', {}, '.')]
        : [h('span', {}, ' It holds until somebody ends it.')];
      return [
        shape('pin'),
        h('strong', { title: override.SessionId }, `${short(override.SessionId)} is forced to be Primary`),
        h('span', {}, override.RequestedBy ? ` by ${override.RequestedBy}` : ''),
        h('span', {}, override.Reason ? ` (${override.Reason}).` : '.'),
        until,
      ].flat();
    });
  }

  function act(me) {
    if (stale || !status) return;
    if (status.RoleOverride?.SessionId === me) end();
    else asking = askOverride(id, me, context);
  }

  function end() {
    if (!stale && status?.RoleOverride) asking = askEnd(id, status.RoleOverride.SessionId, context);
  }

  /** Draws at most once a second, unless something happened. */
  function draw(happened = false) {
    if (!group || !status || !width || !range) return;
    const moment = Date.now();
    if (stale && !happened) return;
    if (!happened && moment - drawn < Math.max(1_000, range / width / 2)) return;
    drawn = moment;
    const to = stale ? (samples.at(-1)?.at ?? now()) : now();
    const lanes = lanesOf({
      items: history.items,
      whole: history.whole,
      samples,
      members: status.Members,
      primary: status.Primary && { session: status.Primary, epoch: status.Epoch, since: status.PrimarySince },
      timeout: timeout(),
      from: to - range,
      to,
      live: !stale,
    });
    frame.replaceChildren(picture(lanes, width, parseFloat(getComputedStyle(document.documentElement).fontSize) / 16));
    const oldest = history.items.at(-1);
    partial.hidden = !(history.more && oldest && Date.parse(oldest.Time) > to - range);
    if (tableDetails.open) tableFrame.replaceChildren(table(lanes));
  }

  const past = reading(
    async () => {
      // It calls sessions by the names that the group knows.
      await naming;
      await history.refresh();
      if (!range) firstRange();
      while (history.more && history.items.length < ROWS && Date.parse(history.items.at(-1)?.Time) > now() - range)
        await history.older();
    },
    (refused) => {
      // Of a group that there never was nothing is known.
      shown.told(refused?.status === 404 ? null : refused);
      update();
      draw(true);
    },
  );

  const names = reading(
    async () => {
      const [one, all] = await Promise.all([get(groupPath(id)), get(`${groupPath(id)}/clientsessions`)]);
      group = one;
      const before = [...sessions.values(), ...left];
      sessions = new Map(all.map((session) => [session.Id, session]));
      // Who has left keeps its name, unless somebody else has it now.
      left = before.filter((one) => !sessions.has(one.Id) && !all.some((session) => session.Name === one.Name));
      callByName([...all, ...left]);
      update();
    },
    (refused) => {
      // The stream tells that the group is gone.
      const said = refused && refused.status !== 404;
      say(unread, said ? `Names and FailoverTimeout could not be read. ${reasonOf(refused)}` : '');
    },
  );

  function readNames() {
    named = now();
    naming = names.ask();
  }

  const resized = new ResizeObserver(([entry]) => {
    const next = Math.floor(entry.contentRect.width);
    if (next === width) return;
    width = next;
    draw(true);
  });
  resized.observe(frame);
  const watching = watch(
    `${groupPath(id)}/status/events`,
    {
      Status(data) {
        const changed = status && ids(data) !== ids(status);
        status = data;
        samples.push({ at: now(), members: data.Members });
        if (samples.length > SAMPLES) samples = samples.slice(-SAMPLES);
        if (changed || now() - named > NAMES_MS) readNames();
        update();
        draw();
        const primary = data.Primary ?? 'Nobody';
        if (told !== undefined && told !== primary) page.announce(`${short(primary)} is Primary now.`);
        told = primary;
      },
      Change() {
        readNames();
        past.ask();
      },
    },
    (state) => {
      page.connection(state);
      gone.hidden = state.refused?.status !== 404;
      // What changed meanwhile is read with the first event.
      if (!state.live) named = 0;
      if (state.live || !gone.hidden) past.ask();
    },
  );
  return {
    node: root,
    title: id,
    close() {
      watching();
      names.close();
      past.close();
      callByName([]);
      resized.disconnect();
      asking?.close();
    },
    stale(isStale) {
      stale = isStale;
      mark(endButton, 'aria-disabled', stale ? 'true' : null);
      update();
      draw(true);
    },
  };
}

function legend() {
  const one = (name, words) => h('li', {}, h('span', { class: `swatch ${name}`, 'aria-hidden': 'true' }), words);
  return h(
    'ul',
    { class: 'legend', 'aria-label': 'Legend' },
    one('tenure', 'Primary'),
    one('silence', 'heartbeats missed, as seen at each change and while this page is open'),
    one('score-line', 'score, 0 to 100, as known at each change and while this page is open'),
    one('away', 'unknown: the endpoint was away'),
    one('gap', 'hand-over: gap, nobody acted; “up to” where the one before fell silent'),
    one('overlap', 'hand-over: overlap, both acted'),
    one('mark', 'told to stop, override'),
  );
}
