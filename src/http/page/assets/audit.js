// The audit trail: who changed what, from where, and what was refused. For administrators.

import { facts, h, say } from './dom.js';
import { History, timeline } from './history.js';
import { ADAPTER, SILENT_MS, needsLogin, reasonOf } from './server.js';
import { timed } from './time.js';
import { spaced } from './words.js';

/** How often it is read again. */
const EVERY_MS = 2_000;

/** What was refused, for a sentence. */
const REFUSED = {
  WrongLogin: 'a wrong name or password',
  TooManyLogins: 'too many logins that failed',
  WrongToken: 'a token that is nobody’s',
  WrongHost: 'a request that calls the server by another name',
  WrongOrigin: 'a request of another page',
  NotAllowed: 'what needs an administrator',
  NotTheOwner: 'what is about somebody else’s session',
  BadChange: 'a change that cannot be made',
};

const DONE = {
  Created: 'made',
  Replaced: 'replaced',
  Updated: 'changed',
  Deleted: 'removed',
  PasswordChanged: 'changed the password of',
  Rotated: 'rotated',
  BackedUp: 'backed up',
  Restored: 'put back',
  Began: 'began',
  Ended: 'ended',
};

const THINGS = {
  Configuration: 'the configuration',
  Secret: 'the secret',
  User: 'the user',
  Key: 'the key',
  Database: 'the database',
  Override: 'the override of',
  Group: 'the group',
  Session: 'the session',
};

function row(item) {
  const { Kind, Action, Subject, RequestedBy, RequestedFrom, Status, Times, Changes } = item;
  const refused = Kind === 'Refusal';
  const what = refused
    ? `${RequestedBy} was refused ${REFUSED[Action] ?? spaced(Action)}${Times > 1 ? `, ${Times} times` : ''}`
    : `${RequestedBy} ${DONE[Action] ?? spaced(Action)} ${THINGS[Kind] ?? spaced(Kind)} ${Subject}`;
  const why = facts([
    ['From', RequestedFrom ?? (refused ? 'several addresses' : 'this server’s machine')],
    [refused ? 'Asked for' : 'What', Subject],
    ...(refused ? [['Answered', String(Status)]] : []),
    ...(Changes ?? []).map(({ Member, From, To }) => [spaced(Member), timed(`${From ?? 'not set'} → ${To ?? 'not set'}`, true)]),
  ]);
  return { what, tone: refused ? 'warn' : 'quiet', why };
}

export function auditView(page) {
  const history = new History(`${ADAPTER}/management/audit`, SILENT_MS);
  const shown = timeline(history, row, () => shown.update(), 'Nothing was changed or refused yet.');
  const refused = h('p', { class: 'failed', role: 'alert' });
  const root = h('article', {}, h('h1', {}, 'Audit trail'), refused, h('section', { class: 'card' }, shown.node));
  let since = null;
  let over = false;
  let again = 0;

  async function read() {
    let fault = null;
    await history.refresh().catch((error) => (fault = error));
    if (over) return;
    // Who may not see it is told so by a server that is there.
    const live = fault?.status !== 0 && !needsLogin(fault);
    say(refused, fault && live ? reasonOf(fault) : '');
    if (live) since = Date.now();
    shown.update();
    if (needsLogin(fault)) {
      page.connection({ live, since, refused: fault, again: anew });
    } else {
      page.connection({ live, since, refused: null });
      again = setTimeout(read, EVERY_MS);
    }
  }

  function anew() {
    page.connection({ live: null, since });
    read();
  }
  read();
  return {
    node: root,
    title: 'Audit trail',
    close() {
      over = true;
      clearTimeout(again);
    },
  };
}
