// What things are called, and the shapes that tell them apart without colour.

import { s } from './dom.js';
import { span } from './time.js';

/** How a group is; the first are the worst. */
export const HEALTH = {
  NoPrimary: { words: 'No Primary', means: 'Nobody acts.', tone: 'bad', shape: 'cross' },
  CannotWork: { words: 'Primary cannot work', means: 'The Primary’s score is 0.', tone: 'bad', shape: 'cross' },
  HandOver: { words: 'Hand-over', means: 'Another adapter is about to take over.', tone: 'info', shape: 'arrows' },
  OneMember: {
    words: 'One member only',
    means: 'One adapter is heard: nobody could take over.',
    tone: 'warn',
    shape: 'half',
  },
  Forced: { words: 'Forced', means: 'An operator said who is Primary.', tone: 'info', shape: 'pin' },
  NoMembers: { words: 'No members', means: 'No adapter is registered, and none was Primary.', tone: 'quiet', shape: 'ring' },
  Protected: {
    words: 'One Primary',
    means: 'There is a Primary, and somebody who could take over.',
    tone: 'good',
    shape: 'disc',
  },
};

export const ORDER = Object.keys(HEALTH);

/** Roles of an adapter. */
export const ROLES = {
  Primary: { tone: 'good', shape: 'disc' },
  Secondary: { tone: 'quiet', shape: 'ring' },
  None: { tone: 'info', shape: 'half' },
};

/** What the events of a group's history are called. `who` is the session. */
const CHANGES = {
  Promoted: (who) => `${who} became Primary`,
  ToldToStop: (who) => `${who} was told to stop`,
  SeatFreed: (who) => `${who} is not Primary any more`,
  ChallengeBegan: (who) => `${who} is to take over`,
  ChallengeDropped: (who) => `${who} is no longer to take over`,
  HandOver: (who) => `${who} acts as Primary`,
  StoreWasSetBack: () => 'The endpoint’s store had been set back',
  OverrideBegan: (who) => `An operator asked for ${who}`,
  OverrideEnded: (who) => `The override for ${who} ended`,
  SessionContested: (who) => `Two processes use the session ${who}`,
  PoliciesDiffer: () => 'The adapters’ endpoint-loss policies differ',
  EndpointStopped: () => 'The endpoint was told to stop',
  EndpointAway: () => 'The endpoint was away',
};

/** Which of them are good or bad news. */
const TONES = {
  SeatFreed: 'warn',
  StoreWasSetBack: 'bad',
  SessionContested: 'bad',
  PoliciesDiffer: 'warn',
  EndpointAway: 'warn',
  Promoted: 'good',
  EndpointLost: 'bad',
  EndpointFailed: 'warn',
  SteppedDown: 'warn',
  RoleKept: 'warn',
  ConfigurationUnusable: 'bad',
};

export const tone = (kind) => TONES[kind] ?? 'quiet';

const GUID = /(-[0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;

/** What people call sessions, by Id. */
let names = new Map();

/** From now on sessions have the names that they were given, `{ Id, Name }`, where no two have the same. */
export function callByName(sessions) {
  const alone = ({ Name }) => sessions.filter((one) => one.Name === Name || one.Id === Name).length === 1;
  names = new Map(sessions.filter((one) => one.Id && one.Name && one.Name !== one.Id && alone(one)).map((one) => [one.Id, one.Name]));
}

/**
 * Sessions as people read them: by name, else of the GUID at the end of ours the first part, which tells them apart. It
 * is done in sentences, too; whoever shows one has the whole Id in the element's title.
 */
export function short(text) {
  if (names.has(text)) return names.get(text);
  let shown = text ?? '';
  // Within a sentence only an Id like ours is sure not to be a word of it.
  for (const [id, name] of names) if (id.search(GUID) >= 0) shown = shown.replaceAll(id, () => name);
  return shown.replace(GUID, '$1');
}

/** A word of the interface, with spaces. */
export const spaced = (word) => (word ?? '–').replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

export const change = (item) => CHANGES[item.Kind]?.(short(item.SessionId ?? 'somebody')) ?? spaced(item.Kind);

/** What lay between two Primaries. Whoever fell silent may have acted for a part of it: then it is the most. */
export const gapWords = (one) =>
  one.last === one.first
    ? `back after ${span(one.gap)}`
    : one.gap < 0
      ? `overlap ${span(-one.gap)}`
      : one.guessed
        ? `gap up to ${span(one.gap)}`
        : `gap ${span(one.gap)}`;

/** Why, where one word of the interface is all there is to say. */
export const reason = (item) => spaced(item.Reason);

const PATHS = {
  disc: ['circle', { cx: 8, cy: 8, r: 6, class: 'solid' }],
  ring: ['circle', { cx: 8, cy: 8, r: 5, class: 'line' }],
  cross: ['path', { d: 'M3 3l10 10M13 3L3 13', class: 'line' }],
  half: ['path', { d: 'M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11v11', class: 'line' }],
  arrows: ['path', { d: 'M2 5h10l-3-3M14 11H4l3 3', class: 'line' }],
  pin: ['path', { d: 'M4 2h8l-1 6h-6zM8 8v7', class: 'line' }],
  warning: ['path', { d: 'M8 2L15 14H1zM8 6v4M8 12v.5', class: 'line' }],
};

/** A shape of 16 units; the words beside it say the same. */
export function shape(name) {
  const [tag, attributes] = PATHS[name];
  return s('svg', { class: 'shape', viewBox: '0 0 16 16', 'aria-hidden': 'true' }, s(tag, attributes));
}
