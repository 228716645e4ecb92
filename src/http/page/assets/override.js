// Asks for a role override, or its end, after it has said what will happen.

import { fill, h, mark, say } from './dom.js';
import { groupPath, now, post, reasonOf } from './server.js';
import { iso, millis, span, timed } from './time.js';
import { short } from './words.js';

const PERIODS = [
  ['01:00:00', '1 hour'],
  ['04:00:00', '4 hours'],
  ['08:00:00', '8 hours'],
  ['1.00:00:00', '24 hours'],
  ['', 'until somebody ends it'],
];

/** Who asked last on this page; nothing keeps it. */
let lastAsker = '';

/** What an override for `target` will do, as sentences; those that warn are marked. Null if it can do nothing. */
function consequences({ status, timeout, keeps, target, period }) {
  const said = [];
  const tell = (text, warns = false) => said.push({ text, warns });
  const member = status.Members.find((one) => one.SessionId === target);
  if (!member) return null;
  const ago = millis(member.HeardAgo);
  const silent = ago === null || ago >= timeout;
  const [primary, forced] = [status.Primary, status.RoleOverride?.SessionId];
  const [me, incumbent] = [short(target), short(primary)];
  if (primary === target) tell(`${me} is Primary already. It stays Primary, whatever the scores say.`);
  else if (primary) {
    tell(
      `${incumbent}, which is Primary now, is told to stop. ${me} takes over as soon as ${incumbent} says that it has stopped: in milliseconds between adapters of client-failover, with stock adapters within some heartbeats, and if ${incumbent} does not answer, after ${span(timeout)}.`,
    );
  } else tell(`Nobody is Primary now. ${me} becomes Primary with its next heartbeat.`);
  if (silent) {
    const since = ago === null ? `${me} has not been heard.` : `${me} has been silent for ${span(ago)}.`;
    const lapses = `Unless it is heard within ${span(timeout)}, the override lapses and nothing changes.`;
    tell(`${since} ${keeps ? 'The override waits for it.' : lapses}`, true);
  } else if (member.FailoverScore === 0)
    tell(`${me} scores 0: it says that it cannot do its work. While it is Primary, data may be lost.`, true);
  if (forced && forced !== target) tell(`This replaces the override for ${short(forced)}.`);
  tell(
    period
      ? `It holds until ${iso(now() + millis(period))} or until somebody ends it; then scores decide again.`
      : 'It holds until somebody ends it: better scores of others change nothing until then.',
  );
  if (keeps) tell(`Once ${me} is Primary nobody takes over, also while it is silent: the group has KeepSilentOverride.`, true);
  else if (!silent) tell(`It ends, too, once ${me} has been silent for ${span(timeout)}.`);
  return said;
}

/** What the end of the override of `target` will do. Null if it has ended. */
function endConsequences({ status, target }) {
  if (status.RoleOverride?.SessionId !== target) return null;
  const forced = short(target);
  const stays =
    status.Primary === target
      ? `${forced} stays Primary unless another adapter scores better by the group’s margin.`
      : `${forced} is not Primary; nothing changes at once.`;
  return [{ text: 'Scores decide again who is Primary.' }, { text: stays }];
}

/**
 * Opens the dialog to make `target` Primary. `context()` gives the present `{ status, timeout, keeps, stale }`, `keeps` if
 * overrides outlive the silence of whom they are for; call `refresh` of what is returned when that is another, and `close`
 * when the group is not shown any more.
 */
export function askOverride(group, target, context) {
  const period = h(
    'select',
    { id: 'period', onchange: () => asked.refresh() },
    PERIODS.map(([value, words]) => h('option', { value, selected: value === '08:00:00' }, words)),
  );
  const fields = [h('label', { for: 'period' }, 'For how long'), period];
  const asked = open({
    title: `Make ${short(target)} Primary?`,
    action: `Make ${short(target)} Primary`,
    fields,
    context,
    what: () => consequences({ ...context(), target, period: period.value }),
    nothing: `${short(target)} is not registered in the group any more.`,
    send: (asked) =>
      post(`${groupPath(group)}/clientsessions/${encodeURIComponent(target)}/roleoverride`, {
        Value: 'Primary',
        ...(period.value ? { ExpirationPeriod: period.value } : {}),
        ...asked,
      }),
  });
  return asked;
}

/** Opens the dialog to end the override of `target`; see `askOverride`. */
export function askEnd(group, target, context) {
  return open({
    title: `End the override for ${short(target)}?`,
    action: 'End the override',
    fields: [],
    context,
    what: () => endConsequences({ ...context(), target }),
    nothing: `The override for ${short(target)} has ended.`,
    send: (asked) =>
      post(`${groupPath(group)}/clientsessions/${encodeURIComponent(target)}/roleoverride`, { Value: 'Off', ...asked }),
  });
}

function open({ title, action, fields, context, what, nothing, send }) {
  const lead = h('p', { role: 'status' });
  const effects = h('ul', { class: 'effects' });
  const failed = h('p', { class: 'failed', role: 'alert' });
  const by = h('input', { id: 'by', maxlength: 256, autocomplete: 'name', value: lastAsker });
  const why = h('input', { id: 'reason', maxlength: 1024, autocomplete: 'off' });
  const yes = h('button', { type: 'submit', class: 'yes' }, action);
  const form = h(
    'form',
    { method: 'dialog', onsubmit: submit },
    h('h2', { id: 'ask-title' }, title),
    lead,
    effects,
    h(
      'div',
      { class: 'fields' },
      fields,
      h('label', { for: 'by' }, 'Your name, for the history'),
      by,
      h('label', { for: 'reason' }, 'Why, for the history'),
      why,
    ),
    failed,
    h('div', { class: 'buttons' }, h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'), yes),
  );
  const dialog = h('dialog', { 'aria-labelledby': 'ask-title', onclose: () => dialog.remove() }, form);

  let sending = false;

  /** Says what would happen now, and lets nobody confirm what is not known. */
  function refresh() {
    const said = sending || context().stale ? null : what();
    const lost = 'The server cannot be reached: what would happen now is not known.';
    const asked = 'It is asked for. Until the answer comes it may still be done, also if this is closed.';
    say(lead, said ? 'This will happen:' : sending ? asked : context().stale ? lost : nothing);
    mark(lead, 'class', said || sending ? null : 'unknown');
    fill(effects, said, () =>
      (said ?? []).map(({ text, warns }) => h('li', { class: warns ? 'warns' : null }, timed(text))),
    );
    mark(yes, 'aria-disabled', said ? null : 'true');
  }

  async function submit(event) {
    event.preventDefault();
    if (yes.getAttribute('aria-disabled')) return;
    sending = true;
    say(failed, '');
    refresh();
    lastAsker = by.value.trim();
    const asked = {
      ...(lastAsker ? { RequestedBy: lastAsker } : {}),
      ...(why.value.trim() ? { Reason: why.value.trim() } : {}),
    };
    try {
      await send(asked);
      dialog.close();
    } catch (refused) {
      const done = refused.status === 0 ? 'No answer came: it may still be done.' : 'It was not done.';
      say(failed, `${done} ${reasonOf(refused)}`);
    }
    sending = false;
    refresh();
  }

  refresh();
  document.body.append(dialog);
  dialog.showModal();
  return { refresh, close: () => dialog.close() };
}
