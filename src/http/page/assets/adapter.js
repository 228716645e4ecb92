// The adapter: its role, for how long, why, and what it is set to.

import { facts, fill, h, list, mark, say, sentence } from './dom.js';
import { History, timeline } from './history.js';
import { reading } from './reading.js';
import { ADAPTER, get, reasonOf, watch } from './server.js';
import { millis, setTime, span, time, timed } from './time.js';
import { ROLES, callByName, shape, short, spaced, tone } from './words.js';
import { workCards } from './work.js';

const FACET = `${ADAPTER}/configuration/System/ClientFailover`;
const FAILOVER = `${ADAPTER}/diagnostics/Failover`;
const HISTORY = `${ADAPTER}/diagnostics/FailoverHistory`;

/** The lease is this part of the group's T. */
const LEASE = 0.9;

const POLICIES = {
  'step-down': 'stop acting: never two, perhaps a gap',
  'keep-role': 'keep the role: no gap, perhaps two',
  auto: 'step down only where a buffer keeps everything',
};

export function adapterView(page) {
  const name = h('h1', {}, 'This adapter');
  const [role, since, why] = [h('p', { class: 'role', id: 'role' }), h('time'), h('p', { class: 'explanation' })];
  const roleIcon = h('span', { class: 'icon' });
  const roleText = h('span');
  role.append(roleIcon, roleText);
  const sinceLine = h('p', { class: 'since' }, 'since ', since);
  const warnings = h('ul', { class: 'warnings', 'aria-label': 'Warnings' });

  const bar = h('span', { class: 'fill' });
  const lease = h('p', { class: 'lease-text', id: 'lease-text' });
  const meter = h('div', { class: 'meter', 'aria-hidden': 'true' }, bar);
  const work = workCards(card);
  const endpoint = h('div');
  const identity = h('div');
  const configuration = h('div');
  const unread = h('p', { class: 'failed', role: 'alert' });
  const history = new History(HISTORY);
  const shown = timeline(history, row, () => shown.update());

  const root = h(
    'article',
    { class: 'adapter' },
    name,
    h('section', { class: 'hero', 'aria-label': 'Role' }, role, sinceLine, why),
    warnings,
    h(
      'div',
      { class: 'cards' },
      card(
        'Lease',
        lease,
        meter,
        h('p', { class: 'hint' }, 'Until when a Primary may act without another answer of the endpoint.'),
      ),
      work.nodes,
    ),
    h(
      'div',
      { class: 'cards' },
      card('Failover endpoint', endpoint),
      card('Identity', identity),
      card('Configuration', configuration, unread),
    ),
    h('section', { 'aria-labelledby': 'history-title' }, h('h2', { id: 'history-title' }, 'What happened'), shown.node),
  );

  let state = null;
  let heard = 0;
  let stale = false;
  let told = null;

  /** A sentence of the adapter; its endpoint's address is in a card of its own. */
  function plain(text) {
    const address = state?.Configuration?.Endpoint;
    return sentence(short(address ? (text ?? '').replaceAll(address, 'the endpoint') : text));
  }

  function row(item) {
    const details = [
      ['Reason', spaced(item.Reason)],
      ['Role from then on', spaced(item.Role)],
      ['Applied mode', item.Mode],
      ['State', item.AdapterState],
      ['Score', item.FailoverScore],
      ['Epoch', item.Epoch],
      ['Round trip', item.RoundTrip && span(millis(item.RoundTrip))],
      ['Gap', item.GapMilliseconds === null ? null : gap(item.GapMilliseconds)],
    ].filter(([, value]) => value !== null && value !== undefined);
    const what = item.Kind === 'Role' ? `Role: ${spaced(item.Role)}` : spaced(item.Kind);
    return {
      what: [h('strong', {}, what), ' ', timed(plain(item.Explanation), true)],
      tone: item.Kind === 'Role' && item.Role === 'Primary' ? 'good' : tone(item.Kind),
      why: [facts(details.map(([label, value]) => [label, String(value)]))],
    };
  }

  function update() {
    const { Role, RoleSince, Explanation, Warnings, LastError, AdapterState } = state;
    callByName([{ Id: state.SessionId, Name: state.Configuration?.Name }]);
    const look = ROLES[Role] ?? ROLES.None;
    say(name, state.Configuration?.Name ?? short(state.SessionId ?? 'This adapter'));
    mark(root, 'data-role', Role);
    fill(roleIcon, Role, () => shape(look.shape));
    say(roleText, `${stale ? 'Last known: ' : ''}${Role === 'None' ? 'Out of failover' : Role}`);
    mark(role, 'class', `role ${stale ? 'quiet' : look.tone}`);
    sinceLine.hidden = !RoleSince;
    setTime(since, RoleSince);
    fill(why, plain(Explanation), () => timed(plain(Explanation), true));
    const alerts = [
      ...(AdapterState === 'Faulted' ? ['The adapter cannot work (Faulted).'] : []),
      ...(LastError && !Warnings.some((warning) => warning.includes(LastError)) ? [`The endpoint: ${LastError}`] : []),
      ...Warnings,
    ];
    list(
      warnings,
      alerts,
      (text) => text,
      (text) => ({ node: h('li', {}, shape('warning'), h('span', {}, timed(plain(text), true))) }),
    );
    warnings.hidden = alerts.length === 0;
    updateCards();
    tick();
  }

  function updateCards() {
    work.update(state);
    const heartbeat = () => [
      ['Last answered heartbeat', time(state.LastHeartbeat, true)],
      ['Its round trip', span(millis(state.RoundTrip))],
      ['Last error', h('span', {}, timed(state.LastError ?? 'none', true))],
      ['Address', state.Configuration?.Endpoint ?? '–'],
      [
        'Kind',
        state.EndpointNative === null
          ? 'not known yet'
          : `${state.EndpointNative ? 'client-failover' : 'stock'} ${state.EndpointVersion ?? ''}`,
      ],
      ['When it is lost', `${state.EndpointLoss}: ${POLICIES[state.EndpointLoss] ?? ''}`],
    ];
    fill(
      endpoint,
      [
        state.LastHeartbeat,
        state.RoundTrip,
        state.LastError,
        state.Configuration,
        state.EndpointNative,
        state.EndpointVersion,
        state.EndpointLoss,
      ],
      () => facts(heartbeat()),
    );
    const who = [
      ['Group', state.FailoverGroupId ?? '–'],
      ['Session', state.SessionId ?? '–'],
      ['Epoch', state.Epoch === null ? '–' : String(state.Epoch)],
      ['Group’s FailoverTimeout', state.GroupTimeout ? span(millis(state.GroupTimeout)) : '–'],
      ['State', state.AdapterState],
      ['Data processed up to', time(state.LastDataProcessedTime)],
    ];
    fill(
      identity,
      who.map(([label, value]) => [label, value.dateTime ?? value]),
      () => facts(who),
    );
    mark(root, 'data-state', state.AdapterState);
  }

  /** What runs down by itself between two events. */
  function tick() {
    if (!state) return;
    const left = millis(state.LeaseRemaining);
    if (stale) {
      say(lease, 'Not known: the server cannot be reached.');
      bar.style.inlineSize = '0';
    } else if (left === null) {
      say(
        lease,
        state.Role === 'Primary'
          ? 'None: the role is kept without the endpoint.'
          : state.Role === 'None'
            ? 'None: out of failover.'
            : 'None: only a Primary has one.',
      );
      bar.style.inlineSize = '0';
    } else {
      const whole = millis(state.GroupTimeout) * LEASE;
      const remains = Math.max(0, left - (Date.now() - heard));
      const part = Math.min(1, remains / whole);
      say(lease, `${(remains / 1_000).toFixed(1)} s of ${(whole / 1_000).toFixed(1)} s left`);
      bar.style.inlineSize = `${part * 100}%`;
      mark(bar, 'class', `fill ${part < 0.25 ? 'bad' : part < 0.5 ? 'warn' : 'good'}`);
    }
  }

  const settings = reading(
    async () => {
      const [config] = await get(FACET);
      state.Configuration = config ?? null;
      const empty = () => [
        h('p', { class: 'empty' }, 'Nothing is configured: the collector runs as if alone.'),
        h('p', { class: 'hint' }, 'Configure it with ', h('code', {}, 'client-failover set --file config.json'), '.'),
      ];
      fill(configuration, config ?? null, () =>
        config
          ? facts(
              Object.entries(config).map(([label, value]) => [
                spaced(label),
                h('span', { class: value === null ? 'none' : '' }, value === null ? 'not set' : String(value)),
              ]),
            )
          : empty(),
      );
      update();
    },
    (refused) => say(unread, refused && `It could not be read. ${reasonOf(refused)}`),
  );

  const past = reading(() => history.refresh(), shown.told);

  const close = watch(
    `${FAILOVER}/events`,
    {
      Failover(data) {
        state = { ...data, Configuration: state?.Configuration ?? null };
        heard = Date.now();
        update();
        if (told !== data.Role) {
          if (told) page.announce(`The role is ${data.Role} now.`);
          told = data.Role;
        }
      },
      History() {
        // The rows speak of the endpoint, whose address the configuration has.
        settings.ask().then(past.ask);
        work.read();
      },
    },
    page.connection,
  );
  const ticking = setInterval(tick, 200);
  return {
    node: root,
    title: 'This adapter',
    close() {
      close();
      for (const one of [settings, past, work]) one.close();
      callByName([]);
      clearInterval(ticking);
    },
    stale(isStale) {
      stale = isStale;
      if (state) update();
    },
  };
}

const card = (title, ...content) => h('section', { class: 'card' }, h('h2', {}, title), content);

const gap = (ms) => (ms < 0 ? `both acted for ${span(-ms)}` : `nobody acted for ${span(ms)}`);
