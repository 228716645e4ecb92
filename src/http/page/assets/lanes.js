// What the picture of a group shows, computed from its history and from what was seen of its members.
// Nothing here draws or asks: it is a function of what is known.

import { millis } from './time.js';

/** A member beats every T/2 at the least; a heartbeat that is later than this was missed. */
const LATE = 1.1;

/** In which part of T a member beats: one that says whether it acts is native. */
const pace = (member, timeout) => timeout / (member.Acting === null ? 2 : 4);

const at = (text) => Date.parse(text);

/**
 * The lanes from `from` to `to` (ms since 1970), for a group whose T is `timeout` ms; `live` if `to` is the present.
 *
 * - `items`: its history, newest first, as far as it is known; `whole` if nothing is older.
 * - `samples`: what was seen of the members while the page was open, `{ at, members }`, oldest first.
 * - `members`: those it has now, in order.
 * - `primary`: who is Primary now, `{ session, epoch, since }`, if anybody is: its promotion may be older than what the
 *   history knows, or newer.
 */
export function lanesOf({ items, whole, samples, members, primary = null, timeout, from, to, live = true }) {
  const lanes = new Map(members.map((member) => [member.SessionId, lane(member.SessionId)]));
  const of = (session) => {
    if (!lanes.has(session)) lanes.set(session, lane(session));
    return lanes.get(session);
  };
  const story = items.toReversed();
  tenures(story, whole, primary, of, to);
  const handOvers = story.filter((item) => item.HandOver).map(handOver);
  const marks = story
    .filter((item) => item.SessionId && MARKED[item.Kind])
    .map((item) => ({ at: at(item.Time), session: item.SessionId, words: MARKED[item.Kind] }));
  // Nobody heard a member while the endpoint was away, and nobody knows who acted.
  const aways = story
    .filter((item) => item.Since)
    .map((item) => ({ from: at(item.Since), to: at(item.Time), why: item.Explanation }));
  const looks = [
    ...aways.map((away) => ({ at: away.to, away })),
    ...story.filter((item) => item.Members).map((item) => ({ at: at(item.Time), members: item.Members })),
    // A row of history knows of the first members alone, where there are many.
    ...samples.map((sample) => ({ ...sample, all: true })),
  ].sort((a, b) => a.at - b.at);
  for (const look of looks) lookAt(look, lanes, of, timeout);

  const within = (span) => span.to >= from && span.from <= to;
  const shown = [...lanes.values()].map((one) => ({
    ...one,
    tenures: outside(one.tenures, aways).filter(within),
    silences: outside(one.silences, aways)
      .filter(within)
      .map(({ pace, ...silence }) => ({ ...silence, missed: Math.max(1, Math.floor((silence.to - silence.from) / pace)) })),
    scores: one.scores.map((line) => clip(line, from, to)).filter((line) => line.points.length),
    marks: marks.filter((mark) => mark.session === one.session && mark.at >= from && mark.at <= to),
  }));
  const known = new Set(members.map((member) => member.SessionId));
  return {
    from,
    to,
    live,
    // A session that is gone is shown where something of it is to be seen.
    lanes: shown.filter((one) => known.has(one.session) || one.tenures.length),
    aways: aways.filter(within),
    handOvers: handOvers.filter((one) => one.to >= from && one.from <= to),
  };
}

/** What is left of `spans` outside of `aways`. */
function outside(spans, aways) {
  return aways.reduce(
    (left, away) =>
      left.flatMap((span) => {
        if (span.to <= away.from || span.from >= away.to) return [span];
        const parts = [];
        if (span.from < away.from) parts.push({ ...span, to: away.from, open: false });
        if (span.to > away.to) parts.push({ ...span, from: away.to });
        return parts;
      }),
    spans,
  );
}

const MARKED = {
  ToldToStop: 'told to stop',
  OverrideBegan: 'override began',
  OverrideEnded: 'override ended',
  SessionContested: 'session contested',
};

const lane = (session) => ({ session, tenures: [], silences: [], scores: [] });

/** Who held the seat from when to when. */
function tenures(story, whole, primary, of, to) {
  let open = null;
  const end = (moment) => {
    if (open) Object.assign(open, { to: moment, open: false });
    open = null;
  };
  let begun = whole;
  for (const item of story) {
    const moment = at(item.Time);
    if (item.Kind === 'Promoted') {
      end(moment);
      open = { from: moment, to, epoch: item.Epoch, open: true };
      of(item.SessionId).tenures.push(open);
    } else if (item.Kind === 'SeatFreed') {
      // It held the seat since before what is known.
      if (!begun && !open) of(item.SessionId).tenures.push({ from: -Infinity, to: moment, epoch: item.Epoch });
      end(moment);
    } else {
      continue;
    }
    begun = true;
  }
  if (!primary || open?.epoch >= primary.epoch) return;
  const from = primary.since === null ? -Infinity : at(primary.since);
  end(from);
  of(primary.session).tenures.push({ from, to, epoch: primary.epoch, open: true });
}

function handOver({ HandOver: said, SessionId }) {
  return {
    from: at(said.LastActTime),
    to: at(said.FirstActTime),
    last: said.From,
    first: said.To ?? SessionId,
    gap: said.GapMilliseconds,
    guessed: said.LastAct !== 'Said',
  };
}

/** Takes in what was known of all members at a moment, or that nothing was for a time. */
function lookAt({ at: moment, members = [], all = false, away }, lanes, of, timeout) {
  for (const member of members) observe(of(member.SessionId), moment, member, timeout);
  const there = new Set(members.map((member) => member.SessionId));
  for (const one of lanes.values()) {
    if (away) endScore(one, away.from);
    else if (all && !there.has(one.session)) endScore(one);
  }
}

/** Takes in what was known of a member at a moment: its score, and for how long it had been silent. */
function observe(one, moment, member, timeout) {
  const ago = millis(member.HeardAgo);
  const silent = ago === null || ago > (timeout / 2) * LATE;
  const heard = ago === null ? null : moment - ago;
  observeScore(one, member.FailoverScore, heard, silent ? null : moment);
  if (!silent || ago === null) return;
  const last = one.silences.at(-1);
  // The same silence, seen again; the moments of two looks differ by some milliseconds.
  if (last && heard <= last.to + 50) last.to = Math.max(last.to, moment);
  else one.silences.push({ from: heard, to: moment, pace: pace(member, timeout) });
}

/**
 * A score is known from the heartbeat that said it, and holds as long as its member is heard: until `moment`, or where that is
 * null until that heartbeat.
 */
function observeScore(one, score, heard, moment) {
  if (score === null || heard === null) return endScore(one);
  let line = one.scores.at(-1);
  if (!line?.open) {
    if (moment === null) return;
    line = { points: [], to: heard, open: true };
    one.scores.push(line);
  }
  const last = line.points.at(-1);
  // A look back and one at the present differ by some milliseconds.
  if (last?.score !== score) line.points.push({ at: Math.max(heard, last?.at ?? heard), score });
  line.to = Math.max(moment ?? heard, line.points.at(-1).at);
  line.open = moment !== null;
}

/** From here on the score is not known: since `moment`, or since it was seen last. */
function endScore(one, moment = null) {
  const line = one.scores.at(-1);
  if (!line?.open) return;
  line.points = line.points.filter((point) => moment === null || point.at < moment);
  Object.assign(line, { to: moment ?? line.to, open: false });
}

/** What is within: the points, and the one before, moved to the edge. A line that is open goes on to the end. */
function clip(line, from, to) {
  const end = line.open ? to : Math.min(line.to, to);
  if (end < from) return { ...line, points: [] };
  const inside = line.points.filter((point) => point.at >= from && point.at <= end);
  const before = line.points.filter((point) => point.at < from).at(-1);
  return { points: before ? [{ at: from, score: before.score }, ...inside] : inside, to: end, open: line.open };
}
