// What happened in a group, a row each: a sentence, and on demand why, and what was known then.

import { facts, h, sentence } from './dom.js';
import { millis, span, time, timed } from './time.js';
import { change, gapWords, reason, short, tone } from './words.js';

/** A row of the timeline for an item of a group's history. */
export function changeRow(item) {
  const why = [h('p', {}, timed(sentence(short(item.Explanation)), true))];
  const rows = [
    ['Reason', reason(item)],
    ['Epoch', item.Epoch === null ? '–' : String(item.Epoch)],
  ];
  if (item.Since) rows.push(['Away since', time(item.Since, true)], ['For', span(Date.parse(item.Time) - Date.parse(item.Since))]);
  if (item.RequestedBy) rows.push(['Asked for by', item.RequestedBy]);
  const receipt = item.HandOver;
  if (receipt) {
    rows.push([
      receipt.LastAct === 'Said' ? `${short(receipt.From)} acted last` : `Last heartbeat of ${short(receipt.From)}`,
      time(receipt.LastActTime, true),
    ]);
    rows.push(
      [`${short(receipt.To)} acted first`, time(receipt.FirstActTime, true)],
      [receipt.GapMilliseconds < 0 ? 'Both acted for' : 'Between the two', span(Math.abs(receipt.GapMilliseconds))],
    );
  }
  why.push(facts(rows));
  if (item.Members?.length) {
    const cells = (member) => [
      member.FailoverScore ?? '–',
      member.HeardAgo === null ? 'never' : `${span(millis(member.HeardAgo))} before`,
      member.Acting === null ? 'does not say' : member.Acting ? 'yes' : 'no',
    ];
    why.push(
      h(
        'div',
        { class: 'frame' },
        h(
          'table',
          {},
          h('caption', {}, 'What was known then'),
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              ['Adapter', 'Score', 'Heard', 'Acted'].map((name) => h('th', { scope: 'col' }, name)),
            ),
          ),
          h(
            'tbody',
            {},
            item.Members.map((member) =>
              h(
                'tr',
                {},
                h('th', { scope: 'row', title: member.SessionId }, short(member.SessionId)),
                cells(member).map((cell) => h('td', {}, String(cell))),
              ),
            ),
          ),
        ),
      ),
    );
  }
  const gap = receipt
    ? h(
        'span',
        { class: 'gap' },
        gapWords({
          gap: receipt.GapMilliseconds,
          last: receipt.From,
          first: receipt.To,
          guessed: receipt.LastAct !== 'Said',
        }),
      )
    : null;
  return { what: [h('strong', {}, change(item)), gap && ' ', gap].filter(Boolean), tone: tone(item.Kind), why };
}
