// What the collector is to do, how well it can do it, and which components that depends on.

import { fill, h, list, mark, say, sentence } from './dom.js';
import { reading } from './reading.js';
import { ADAPTER, get, reasonOf } from './server.js';
import { shape, spaced } from './words.js';

const ORDER = `${ADAPTER}/diagnostics/Order`;
const COMPONENTS = `${ADAPTER}/diagnostics/Components`;

/** What an order says of the collector, and how. */
const DUTIES = [
  ['Started', 'run'],
  ['Collecting', 'collect'],
  ['Buffering', 'buffer'],
  ['Egress', 'send'],
];

const MODES = {
  Hot: 'a Secondary collects as well',
  Warm: 'a Secondary is connected and does not collect',
  Cold: 'a Secondary is not started',
  None: 'out of failover, as if alone',
};

/** What a component must count as to count at all. */
const CONNECTED = ['Good', 'ConnectedNoData'];

/** Components that are shown; those that are not connected come first. */
const SHOWN = 12;

const words = (verbs) => (verbs.length > 1 ? `${verbs.slice(0, -1).join(', ')} and ${verbs.at(-1)}` : verbs[0]);

/** The order as a sentence. */
export function demand(order) {
  const [does, not] = [true, false].map((wanted) =>
    DUTIES.filter(([name]) => order[name] === wanted).map(([, verb]) => verb),
  );
  if (!does.length) return 'The collector is not to run.';
  return `The collector is to ${words(does)}${not.length ? `, and not to ${words(not)}` : ''}.`;
}

export function workCards(card) {
  const score = h('p', { class: 'score' });
  const bar = h('span', { class: 'fill' });
  const scoreWhy = h('p', { class: 'hint score-why' });
  const parts = h('ul', { class: 'parts', 'aria-label': 'Components' });
  const more = h('p', { class: 'hint more-parts', hidden: true });
  const mode = h('p', { class: 'order' });
  const orderText = h('p', { class: 'demand' });
  const modeWhy = h('p', { class: 'hint' });
  let components = [];
  let version = null;
  let told = null;

  function showScore({ FailoverScore, Role }) {
    say(score, `${FailoverScore} of 100`);
    bar.style.inlineSize = `${FailoverScore}%`;
    mark(bar, 'class', `fill ${FailoverScore === 0 ? 'bad' : FailoverScore < 50 ? 'warn' : 'good'}`);
    const standsBy = Role === 'Secondary' && FailoverScore === 1;
    const nothing = components.length
      ? 'The share of streams that are connected.'
      : 'Nothing is reported or probed: role and mode decide.';
    say(
      scoreWhy,
      FailoverScore === 0
        ? 'It cannot do its work.'
        : standsBy
          ? 'A standby that does not look at its source scores 1.'
          : nothing,
    );
    const connected = (one) => CONNECTED.includes(one.CountsAs);
    const sorted = components.toSorted((a, b) => connected(a) - connected(b));
    list(parts, sorted.slice(0, SHOWN), (one) => one.Id, part);
    parts.hidden = !components.length;
    more.hidden = components.length <= SHOWN;
    say(
      more,
      `and ${components.length - SHOWN} more, of which ${sorted.slice(SHOWN).filter((one) => !connected(one)).length} are not connected`,
    );
  }

  function showMode({ Mode, AppliedMode, Role }) {
    const waits = Mode !== AppliedMode && AppliedMode ? `; ${AppliedMode} is applied until the next demotion` : '';
    const alone = Role === 'None';
    say(mode, Mode ? `${Mode}${waits}` : alone ? 'Not configured' : 'The configuration cannot be used');
    say(modeWhy, Mode ? sentence(MODES[Mode]) : alone ? 'The collector runs as if alone.' : 'Until it can, this adapter stays Secondary.');
  }

  const unread = h('p', { class: 'failed', role: 'alert' });
  const work = reading(
    async () => {
      const [order, all] = await Promise.all([get(ORDER), get(COMPONENTS)]);
      components = all;
      say(orderText, demand(order));
      showScore(told);
    },
    (refused) => say(unread, refused && `Order and components could not be read. ${reasonOf(refused)}`),
  );

  return {
    nodes: [
      card('Score', score, h('div', { class: 'meter', 'aria-hidden': 'true' }, bar), scoreWhy, parts, more),
      card('Mode and order', mode, orderText, modeWhy, unread),
    ],
    /** Reads order and components. */
    read: work.ask,
    close: work.close,
    update(state) {
      told = state;
      showScore(state);
      showMode(state);
      const { Role, Mode, AppliedMode, FailoverScore, AdapterState, LeaseRemaining } = state;
      const now = JSON.stringify([Role, Mode, AppliedMode, FailoverScore, AdapterState, LeaseRemaining === null]);
      if (now !== version) work.ask();
      version = now;
    },
  };
}

function part() {
  const [head, why] = [h('span'), h('span', { class: 'hint' })];
  return {
    node: h('li', {}, head, why),
    update(one) {
      const good = CONNECTED.includes(one.CountsAs);
      const streams = `${one.StreamCount} ${one.StreamCount === 1 ? 'stream' : 'streams'}`;
      fill(head, [one.Id, one.CountsAs, streams], () => [
        h('span', { class: good ? 'good' : 'bad' }, shape(good ? 'disc' : 'cross')),
        ` ${one.Id}: ${spaced(one.CountsAs)}, ${streams}`,
      ]);
      say(why, sentence(one.Explanation));
    },
  };
}
