// Draws lanes: as a picture, and as a table that says the same.

import { h, s, sentence } from './dom.js';
import { both, bothTimed, iso, second, span, tick, ticks, time } from './time.js';
import { gapWords, short } from './words.js';

const [TOP, LANE, LABEL, BAND, BOTTOM, SIDE] = [22, 62, 20, 30, 24, 2];

/** The spans that a picture may have between two times of its axis, in ms. */
const STEPS = [
  5e3, 10e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1_800e3, 3_600e3, 7_200e3, 14_400e3, 28_800e3, 86_400e3, 172_800e3,
];

/** How wide a label of a hand-over is, so that none covers another. */
const LABEL_WIDTH = 106;

/** The picture of `lanes`, `pixels` wide; `scaled` is by how much everything in it is larger than usual. */
export function picture(lanes, pixels, scaled) {
  const width = pixels / scaled;
  const height = TOP + lanes.lanes.length * LANE + BOTTOM;
  const scale = (width - 2 * SIDE) / (lanes.to - lanes.from);
  const x = (moment) => SIDE + (Math.min(Math.max(moment, lanes.from), lanes.to) - lanes.from) * scale;
  return s(
    'svg',
    {
      class: 'lanes',
      viewBox: `0 0 ${width} ${height}`,
      width: pixels,
      height: height * scaled,
      role: 'img',
      'aria-label': 'Who was Primary when; the table below says the same',
    },
    axis(lanes, x, width, height),
    lanes.lanes.map((one, index) => drawLane(one, TOP + index * LANE, x, lanes)),
    drawHandOvers(lanes, x, height),
  );
}

function axis(lanes, x, width, height) {
  const most = Math.max(2, Math.floor(width / 95));
  const step = STEPS.find((step) => (lanes.to - lanes.from) / step <= most) ?? STEPS.at(-1);
  const lines = [];
  for (const moment of ticks(lanes.from, lanes.to, step)) {
    const at = x(moment);
    const anchor = at < 30 ? 'start' : at > width - 30 ? 'end' : 'middle';
    lines.push(s('line', { class: 'grid', x1: at, x2: at, y1: TOP, y2: height - BOTTOM + 4 }));
    lines.push(
      s(
        'text',
        { class: 'time', x: at, y: height - 6, 'text-anchor': anchor },
        step < 60e3 ? second(moment) : tick(moment, step >= 86_400e3),
        s('title', {}, both(moment)),
      ),
    );
  }
  return lines;
}

function drawLane(one, top, x, lanes) {
  const [band, base] = [top + LABEL, top + LABEL + BAND];
  // What a silent one said last is not its score now.
  const last = lanes.live ? one.scores.findLast((line) => line.open) : null;
  const parts = [
    s('rect', { class: 'lane', x: x(lanes.from), y: band, width: x(lanes.to) - x(lanes.from), height: BAND, rx: 3 }),
    // An element of HTML, because text of a picture cannot be cut where it does not fit.
    s(
      'foreignObject',
      { x: x(lanes.from) + 2, y: top, width: x(lanes.to) - x(lanes.from) - 4, height: LABEL },
      h(
        'div',
        { class: 'session', title: one.session },
        h('span', { class: 'name' }, short(one.session)),
        last && h('span', { class: 'score-word' }, ` score ${last.points.at(-1).score}`),
      ),
    ),
  ];
  for (const tenure of one.tenures) {
    const [left, right] = [x(tenure.from), Math.max(x(tenure.to), x(tenure.from) + 2)];
    parts.push(
      s(
        'rect',
        { class: 'tenure', x: left, y: band, width: right - left, height: BAND, rx: 3 },
        s(
          'title',
          {},
          `Primary, epoch ${tenure.epoch ?? '–'}, from ${spanStart(tenure)} to ${tenure.open && lanes.live ? 'now' : both(tenure.to)}`,
        ),
      ),
    );
    if (right - left > 70) parts.push(s('text', { class: 'primary-word', x: left + 8, y: band + 20 }, 'Primary'));
  }
  for (const silence of one.silences) {
    const [left, right] = [x(silence.from), Math.max(x(silence.to), x(silence.from) + 2)];
    parts.push(
      s(
        'g',
        { class: 'silence' },
        s('title', {}, silenceWords(silence)),
        s('rect', { x: left, y: band, width: right - left, height: BAND }),
        hatch(left, right, band),
      ),
    );
    if (right - left > 110)
      parts.push(
        s(
          'text',
          { class: 'silent-word', x: right - 6, y: band + 20, 'text-anchor': 'end' },
          `${silence.missed} missed`,
        ),
      );
  }
  parts.push(...lanes.aways.map((away) => drawAway(away, x, band)));
  parts.push(...one.scores.map((line) => drawScore(line, x, base, lanes.live)));
  for (const mark of one.marks)
    parts.push(
      s(
        'path',
        { class: 'mark', d: `M${x(mark.at)} ${band - 2}l-4 -6h8z` },
        s('title', {}, `${mark.words}, ${both(mark.at)}`),
      ),
    );
  return s('g', {}, parts);
}

/** A score for as long as it was known, as steps. */
function drawScore(line, x, base, live) {
  const y = (score) => base - 2 - (score / 100) * (BAND - 4);
  const steps = line.points.map(({ at, score }, index) => `${index ? 'H' : 'M'}${x(at)}${index ? 'V' : ' '}${y(score)}`);
  const { score } = line.points.at(-1);
  const words = line.open && live ? `Score, now ${score}` : `Score ${score}, not known after ${both(line.to)}`;
  return s('path', { class: 'score-line', d: `${steps.join('')}H${x(line.to)}` }, s('title', {}, words));
}

/** A time of which nothing is known. */
function drawAway(one, x, band) {
  const [left, right] = [x(one.from), Math.max(x(one.to), x(one.from) + 2)];
  const parts = [
    s('title', {}, `${awayWords(one)}: ${sentence(bothTimed(one.why))}`),
    s('rect', { x: left, y: band, width: right - left, height: BAND }),
  ];
  if (right - left > 60)
    parts.push(s('text', { x: (left + right) / 2, y: band + 20, 'text-anchor': 'middle' }, 'unknown'));
  return s('g', { class: 'away' }, parts);
}

/** Strokes that tell a silence apart without colour. */
function hatch(left, right, top) {
  const most = 400;
  const step = Math.max(8, (right - left) / most);
  let path = '';
  for (let at = left; at < right; at += step) path += `M${at} ${top + BAND}L${Math.min(right, at + 6)} ${top}`;
  return s('path', { class: 'hatch', d: path });
}

function drawHandOvers(lanes, x, height) {
  const labelled = [];
  // The longest are labelled first: they matter most.
  return lanes.handOvers
    .toSorted((a, b) => Math.abs(b.gap) - Math.abs(a.gap))
    .map((one) => {
      const [left, right] = [x(Math.min(one.from, one.to)), x(Math.max(one.from, one.to))];
      const middle = (left + right) / 2;
      const parts = [
        s('title', {}, handOverWords(one)),
        s('rect', {
          class: one.gap < 0 ? 'overlap' : 'gap',
          x: left,
          y: TOP - 2,
          width: Math.max(right - left, 2),
          height: height - BOTTOM - TOP + 2,
        }),
      ];
      if (labelled.every((other) => Math.abs(other - middle) > LABEL_WIDTH)) {
        labelled.push(middle);
        const last = x(lanes.to);
        const anchor = middle < LABEL_WIDTH / 2 ? 'start' : middle > last - LABEL_WIDTH / 2 ? 'end' : 'middle';
        parts.push(
          s(
            'text',
            { class: 'gap-word', x: anchor === 'end' ? last : middle, y: TOP - 8, 'text-anchor': anchor },
            gapWords(one),
          ),
        );
      }
      return s('g', {}, parts);
    });
}

const spanStart = (tenure) => (tenure.from === -Infinity ? 'before what is shown' : both(tenure.from));

const silenceWords = (silence) =>
  `Not heard for ${span(silence.to - silence.from)}: ${silence.missed} ${silence.missed === 1 ? 'heartbeat' : 'heartbeats'} missed`;

const awayWords = (one) => `Unknown for ${span(one.to - one.from)}: the endpoint was away`;

const handOverWords = (one) =>
  `${short(one.first)} after ${short(one.last)}: ${gapWords(one)}${one.guessed ? ', counted from the last heartbeat' : ''}`;

/** The same as a table. */
export function table(lanes) {
  const rows = [];
  for (const one of lanes.lanes) {
    for (const tenure of one.tenures)
      rows.push([tenure.from, one.session, `Primary, epoch ${tenure.epoch ?? '–'}`, tenure.open ? null : tenure.to]);
    for (const silence of one.silences) rows.push([silence.from, one.session, silenceWords(silence), silence.to]);
    for (const mark of one.marks) rows.push([mark.at, one.session, mark.words, mark.at]);
    for (const { points, to, open } of one.scores)
      points.forEach((point, index) =>
        rows.push([point.at, one.session, `score ${point.score}`, points[index + 1]?.at ?? (open ? null : to)]),
      );
  }
  for (const one of lanes.aways) rows.push([one.from, 'all adapters', awayWords(one), one.to]);
  for (const one of lanes.handOvers) rows.push([one.from, one.first, handOverWords(one), one.to]);
  rows.sort((a, b) => a[0] - b[0]);
  const moment = (at) => (at === -Infinity ? 'before' : time(iso(at), true));
  return h(
    'table',
    {},
    h('caption', {}, 'The picture as a table, oldest first'),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ['From', 'To', 'Adapter', 'What'].map((name) => h('th', { scope: 'col' }, name)),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map(([from, session, what, to]) =>
        h(
          'tr',
          {},
          h('td', {}, moment(from)),
          h('td', {}, to === null ? (lanes.live ? 'now' : 'not known') : moment(to)),
          h('th', { scope: 'row', title: session }, short(session)),
          h('td', {}, what),
        ),
      ),
    ),
  );
}
