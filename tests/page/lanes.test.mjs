import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lanesOf } from '../../src/http/page/assets/lanes.js';
import { millis, span, ticks } from '../../src/http/page/assets/time.js';

const T = 10_000;
const at = (seconds) => new Date(seconds * 1_000).toISOString();
const member = (SessionId, FailoverScore = 100, HeardAgo = '00:00:00.1') => ({
  SessionId,
  FailoverScore,
  HeardAgo,
  Acting: null,
});
const item = (seconds, Kind, SessionId, more = {}) => ({
  Time: at(seconds),
  Kind,
  SessionId,
  Epoch: 7,
  Members: null,
  HandOver: null,
  ...more,
});
const lanes = (items, more = {}) =>
  lanesOf({
    items: items.toReversed(),
    whole: true,
    samples: [],
    members: [member('a'), member('b')],
    timeout: T,
    from: 0,
    to: 100_000,
    ...more,
  });

test('a tenure goes from a promotion to the end of the seat, or to now', () => {
  const {
    lanes: [a, b],
  } = lanes([item(10, 'Promoted', 'a'), item(40, 'SeatFreed', 'a'), item(41, 'Promoted', 'b')]);
  assert.deepEqual(
    a.tenures.map(({ from, to, open }) => [from, to, open]),
    [[10_000, 40_000, false]],
  );
  assert.deepEqual(
    b.tenures.map(({ from, to, open }) => [from, to, open]),
    [[41_000, 100_000, true]],
  );
});

test('who was Primary before what is known is so from the beginning', () => {
  const {
    lanes: [a],
  } = lanes([item(40, 'SeatFreed', 'a')], { whole: false });
  assert.deepEqual(
    a.tenures.map(({ from, to }) => [from, to]),
    [[-Infinity, 40_000]],
  );
});

test('who is Primary without a row that says so has been since its promotion, or since ever', () => {
  const now = { session: 'b', epoch: 9, since: at(-1_000) };
  const rows = (found) => found.lanes.map((one) => one.tenures.map(({ from, to, open, epoch }) => [from, to, open, epoch]));
  assert.deepEqual(rows(lanes([], { primary: now })), [[], [[-1_000_000, 100_000, true, 9]]], 'its row was removed');
  const other = item(50, 'ChallengeDropped', 'a');
  assert.deepEqual(
    rows(lanes([other], { whole: false, primary: { ...now, since: null } })),
    [[], [[-Infinity, 100_000, true, 9]]],
    'what was read has no change of the seat',
  );
  const older = item(10, 'Promoted', 'a');
  assert.deepEqual(
    rows(lanes([older], { primary: { ...now, since: at(60) } })),
    [[[10_000, 60_000, false, 7]], [[60_000, 100_000, true, 9]]],
    'the newest row is not read yet',
  );
  assert.deepEqual(
    rows(lanes([item(10, 'Promoted', 'a', { Epoch: 9 })], { primary: { ...now, session: 'a' } })),
    [[[10_000, 100_000, true, 9]], []],
    'a promotion that is known is shown once',
  );
});

test('a promotion without a row of the end before it ends the tenure before', () => {
  const {
    lanes: [a, b],
  } = lanes([item(10, 'Promoted', 'a'), item(30, 'Promoted', 'b')]);
  assert.equal(a.tenures[0].to, 30_000);
  assert.equal(b.tenures[0].from, 30_000);
});

test('a hand-over has its two moments and its gap, below zero where both acted', () => {
  const receipt = {
    From: 'a',
    To: 'b',
    LastAct: 'Said',
    LastActTime: at(39),
    FirstActTime: at(38.9),
    GapMilliseconds: -100,
  };
  const { handOvers } = lanes([item(40, 'HandOver', 'b', { HandOver: receipt })]);
  assert.deepEqual(handOvers, [{ from: 39_000, to: 38_900, last: 'a', first: 'b', gap: -100, guessed: false }]);
});

test('a silence begins with the last heartbeat, is one however often it is seen, and says what was missed', () => {
  const samples = [16, 17, 18].map((seconds) => ({
    at: seconds * 1_000,
    members: [member('a', 100, `00:00:${String(seconds - 10).padStart(2, '0')}`), member('b')],
  }));
  const {
    lanes: [a, b],
  } = lanes([], { samples });
  assert.deepEqual(a.silences, [{ from: 10_000, to: 18_000, missed: 1 }]);
  assert.deepEqual(b.silences, []);
  const native = samples.map(({ at, members }) => ({ at, members: members.map((one) => ({ ...one, Acting: true })) }));
  assert.equal(lanes([], { samples: native }).lanes[0].silences[0].missed, 3, 'a native adapter beats each T/4');
  const heard = [{ at: 14_000, members: [member('a', 100, '00:00:04')] }];
  assert.deepEqual(lanes([], { samples: heard }).lanes[0].silences, [], 'a heartbeat may be T/2 old');
});

const look = (seconds, ...members) => ({ at: seconds * 1_000, members });

test('equal scores are one line up to now, and what was before is moved to the edge', () => {
  const samples = [1, 2, 3, 60, 70].map((seconds) => look(seconds, member('a', seconds < 60 ? 100 : 40)));
  const {
    lanes: [a, b],
  } = lanes([], { samples, from: 50_000 });
  const points = [
    { at: 50_000, score: 100 },
    { at: 59_900, score: 40 },
  ];
  assert.deepEqual(a.scores, [{ points, to: 100_000, open: true }]);
  assert.deepEqual(b.scores, [], 'of whom no score is known none is shown');
});

test('the score of a silent member ends with its last heartbeat, and begins anew with the next', () => {
  const died = [look(9, member('a')), look(14, member('a', 100, '00:00:04')), look(16, member('a', 100, '00:00:06'))];
  const ended = { points: [{ at: 8_900, score: 100 }], to: 10_000, open: false };
  assert.deepEqual(lanes([], { samples: died.slice(0, 2) }).lanes[0].scores[0].open, true, 'it may be T/2 old');
  assert.deepEqual(lanes([], { samples: died }).lanes[0].scores, [ended]);
  const later = look(99, member('a', 100, '00:01:29'));
  assert.deepEqual(lanes([], { samples: [...died, later] }).lanes[0].scores, [ended], 'however long it is silent');
  assert.deepEqual(lanes([], { samples: [later] }).lanes[0].scores, [], 'it was silent before anybody looked');
  assert.deepEqual(lanes([], { samples: [...died, later], from: 50_000 }).lanes[0].scores, [], 'nothing of it is shown later');
  const back = lanes([], { samples: [...died, look(40, member('a', 30))] }).lanes[0].scores;
  assert.deepEqual(back, [ended, { points: [{ at: 39_900, score: 30 }], to: 100_000, open: true }]);
});

test('what a silent member said last, as a row of the history knows it, is where its score ends', () => {
  const rows = [
    item(10, 'Promoted', 'a', { Members: [member('a'), member('b')] }),
    item(50, 'Promoted', 'b', { Members: [member('a', 70, '00:00:10'), member('b')] }),
  ];
  const {
    lanes: [a, b],
  } = lanes(rows);
  const points = [
    { at: 9_900, score: 100 },
    { at: 40_000, score: 70 },
  ];
  assert.deepEqual(a.scores, [{ points, to: 40_000, open: false }]);
  assert.deepEqual(b.scores, [{ points: [{ at: 9_900, score: 100 }], to: 100_000, open: true }]);
});

test('a member that is gone has no score after it was seen last', () => {
  const samples = [look(10, member('a'), member('b')), look(20, member('a'), member('b')), look(30, member('b'))];
  const found = lanes([item(1, 'Promoted', 'a'), item(30, 'SeatFreed', 'a')], { samples, members: [member('b')] });
  const gone = found.lanes.find((lane) => lane.session === 'a');
  assert.deepEqual(gone.scores, [{ points: [{ at: 9_900, score: 100 }], to: 20_000, open: false }]);
  const many = [item(25, 'ChallengeDropped', 'b', { Members: [member('b')] })];
  const [a] = lanes(many, { samples: samples.slice(0, 2) }).lanes;
  assert.equal(a.scores.length, 1, 'a row that knows of some members says nothing of the others');
});

test('a session that is gone has a lane where something of it is seen', () => {
  const gone = [item(10, 'Promoted', 'old'), item(40, 'SeatFreed', 'old')];
  assert.deepEqual(
    lanes(gone).lanes.map((lane) => lane.session),
    ['a', 'b', 'old'],
  );
  assert.deepEqual(
    lanes(gone, { from: 50_000 }).lanes.map((lane) => lane.session),
    ['a', 'b'],
  );
});

test('of the time in which the endpoint was away nothing is shown but that it is unknown', () => {
  const samples = [
    look(20, member('a'), member('b')),
    look(32, member('a', 50), member('b', 50)),
    look(56, member('a', 100, '00:00:20'), member('b')),
  ];
  const away = item(55, 'EndpointAway', null, { Since: at(30), Explanation: 'the endpoint ended' });
  const {
    aways,
    lanes: [a, b],
  } = lanes([item(10, 'Promoted', 'a'), away], { samples });
  assert.deepEqual(aways, [{ from: 30_000, to: 55_000, why: 'the endpoint ended' }]);
  assert.deepEqual(
    a.tenures.map(({ from, to, open }) => [from, to, open]),
    [
      [10_000, 30_000, false],
      [55_000, 100_000, true],
    ],
  );
  assert.deepEqual(
    a.silences.map(({ from, to }) => [from, to]),
    [[55_000, 56_000]],
    'nobody listened while the endpoint was away',
  );
  const known = { points: [{ at: 19_900, score: 100 }], to: 30_000, open: false };
  assert.deepEqual(a.scores, [known], 'who is not heard again has no score');
  assert.deepEqual(b.scores, [known, { points: [{ at: 55_900, score: 100 }], to: 100_000, open: true }]);
  assert.deepEqual(lanes([item(10, 'Promoted', 'a'), away], { from: 60_000 }).aways, [], 'it is over');
});

test('spans are read as the server writes them', () => {
  assert.equal(millis('00:00:00.25'), 250);
  assert.equal(millis('1.02:03:04.5'), 93_784_500);
  assert.equal(millis(null), null);
  assert.deepEqual([8.04, 250, 9_500, 80_000, 11_100_000, 187_200_000].map(span), [
    '8.0 ms',
    '250 ms',
    '9.5 s',
    '1 min 20 s',
    '3 h 5 min',
    '2 d 4 h',
  ]);
});

test('the times of an axis are round by the clock on the wall, also where that is set within', (t) => {
  const before = { ...process.env };
  t.after(() => (process.env = before));
  process.env.TZ = 'Europe/Berlin';
  const [hour, day] = [3_600e3, 86_400e3];
  const shown = (from, to, step) => ticks(Date.parse(from), Date.parse(to), step).map((at) => new Date(at).toString().slice(4, 21));
  // Summer time ends on 25 October 2026, at 03:00, and began on 29 March, at 02:00.
  assert.deepEqual(shown('2026-10-23T12:00', '2026-10-26T12:00', day), [
    'Oct 24 2026 00:00',
    'Oct 25 2026 00:00',
    'Oct 26 2026 00:00',
  ]);
  assert.deepEqual(shown('2026-03-28T12:00', '2026-03-29T17:00', 4 * hour), [
    'Mar 28 2026 12:00',
    'Mar 28 2026 16:00',
    'Mar 28 2026 20:00',
    'Mar 29 2026 00:00',
    'Mar 29 2026 04:00',
    'Mar 29 2026 08:00',
    'Mar 29 2026 12:00',
    'Mar 29 2026 16:00',
  ]);
  assert.deepEqual(shown('2026-03-29T01:00', '2026-03-29T04:00', hour), [
    'Mar 29 2026 01:00',
    'Mar 29 2026 03:00',
    'Mar 29 2026 04:00',
  ]);
  const days = shown('2026-10-20T12:00', '2026-10-28T12:00', 2 * day);
  assert.deepEqual(days, shown('2026-10-20T18:00', '2026-10-28T18:00', 2 * day), 'they do not move with the present');
  assert.deepEqual(shown('2026-03-28T12:00:01', '2026-03-28T12:01:00', 30e3), ['Mar 28 2026 12:00', 'Mar 28 2026 12:01']);
  process.env.TZ = 'Asia/Kathmandu';
  assert.deepEqual(shown('2026-03-28T12:10', '2026-03-28T13:10', 30 * 60e3), ['Mar 28 2026 12:30', 'Mar 28 2026 13:00']);
});
