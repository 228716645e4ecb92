// The adapters of a group as a table. On a phone each row is a card, which keeps its meaning by roles.

import { fill, h, list, mark, say } from './dom.js';
import { millis, span } from './time.js';
import { shape, short } from './words.js';

const COLUMNS = ['Adapter', 'Role', 'Score', 'Heard', 'Acts', 'Override'];

/** Whether a member was not heard within the group's T, in ms. */
const isSilent = (member, timeout) => (millis(member.HeardAgo) ?? Infinity) >= timeout;

/** The table; `act(session)` is called for the button of a row. */
export function membersTable(act) {
  const rows = h('tbody', { role: 'rowgroup' });
  let status, sessions, timeout, stale;

  function memberRow(first) {
    const me = first.SessionId;
    const [, role, score, heard, acts, override] = COLUMNS.map((name) =>
      h('td', { role: 'cell', 'data-column': name }),
    );
    const [number, bar] = [h('span', { class: 'number' }), h('span', { class: 'fill' })];
    const [title, name] = [h('span'), h('span', { class: 'hint' })];
    const button = h('button', { type: 'button', onclick: () => act(me) });
    score.append(h('span', {}, number, h('span', { class: 'meter', 'aria-hidden': 'true' }, bar)));
    override.append(button);
    return {
      node: h(
        'tr',
        { role: 'row' },
        h('th', { scope: 'row', role: 'rowheader', title: me }, title, name),
        role,
        score,
        heard,
        acts,
        override,
      ),
      update(member) {
        const ago = millis(member.HeardAgo);
        const silent = isSilent(member, timeout);
        const label = sessions.get(me)?.Name;
        const more = [![me, short(me)].includes(label) && label, short(me) !== me && me].filter(Boolean).join(', ');
        say(title, short(me));
        say(name, more && ` ${more}`);
        const is = status.Primary === me ? 'Primary' : status.PendingPrimary === me ? 'Pending Primary' : 'Secondary';
        fill(role, is, () =>
          h(
            'span',
            { class: `pill ${is === 'Primary' ? 'good' : is === 'Secondary' ? 'quiet' : 'info'}` },
            shape(is === 'Primary' ? 'disc' : is === 'Secondary' ? 'ring' : 'arrows'),
            h('span', {}, is),
          ),
        );
        // What a silent one said last is not shown as if it were so now.
        const old = silent || stale;
        const asHeard = (text) => (old ? `${text}, when last heard` : text);
        say(number, member.FailoverScore === null ? '–' : asHeard(String(member.FailoverScore)));
        bar.style.inlineSize = `${member.FailoverScore ?? 0}%`;
        mark(bar, 'class', `fill ${old ? 'quiet' : (member.FailoverScore ?? 0) < 50 ? 'warn' : 'good'}`);
        const age = ago === null ? 'never' : ago < timeout / 2 ? 'in time' : `${span(ago)} ago`;
        say(
          heard,
          stale
            ? 'not known'
            : silent
              ? `silent${ago === null ? '' : ` for ${span(Math.floor(ago / 1_000) * 1_000)}`}`
              : age,
        );
        mark(heard, 'class', stale ? null : silent ? 'bad' : ago > (timeout / 2) * 1.1 ? 'warn' : null);
        const said = member.Acting === null ? 'does not say' : member.Acting ? 'yes' : 'no';
        say(acts, member.Acting === null ? said : asHeard(said));
        const isForced = status.RoleOverride?.SessionId === me;
        // Only the eye sees whose row it is.
        const whom = (text) => h('span', { class: 'unseen' }, text);
        fill(button, [isForced, short(me)], () =>
          isForced ? ['End the override…', whom(` for ${short(me)}`)] : ['Make ', whom(`${short(me)} `), 'Primary…'],
        );
        mark(button, 'aria-disabled', stale ? 'true' : null);
      },
    };
  }

  const heads = COLUMNS.map((name) => h('th', { scope: 'col', role: 'columnheader' }, name));
  return {
    node: h(
      'table',
      { class: 'members', role: 'table' },
      h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, heads)),
      rows,
    ),
    /** `sessions` are those of the group by Id, as they were registered; `timeout` is its T in ms. */
    update(known) {
      ({ status, sessions, timeout, stale } = known);
      list(rows, status.Members, (member) => member.SessionId, memberRow);
    },
  };
}
