// Times and spans, as people read them.

import { h, mark, say } from './dom.js';

const two = { hour: '2-digit', minute: '2-digit', second: '2-digit' };
const clock = new Intl.DateTimeFormat(undefined, two);
const fine = new Intl.DateTimeFormat(undefined, { ...two, fractionalSecondDigits: 3 });
const minutes = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** The time of day; with the day where it is not today. */
export function local(at, precise = false) {
  const date = new Date(at);
  const time = (precise ? fine : clock).format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${day.format(date)}, ${time}`;
}

/** Hours and minutes, or a day. */
export const tick = (at, ofDays) => (ofDays ? day : minutes).format(new Date(at));

export const second = (at) => clock.format(new Date(at));

const utc = (at) => `${iso(at).replace('T', ' ').replace('Z', '')} UTC`;

/** A moment as the server writes it. */
export const iso = (at) => new Date(at).toISOString();

/** The same within a sentence. */
const MOMENT = /\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** An element that shows a moment in local time, and in UTC on hover. */
export function time(at, precise = false) {
  const node = h('time');
  setTime(node, at, precise);
  return node;
}

/** Shows another moment in such an element. */
export function setTime(node, at, precise = false) {
  mark(node, 'datetime', at ?? null);
  mark(node, 'title', at ? utc(at) : null);
  mark(node, 'data-precise', at ? precise : null);
  say(node, at ? local(at, precise) : '–');
}

/** A sentence of which the moments are such elements. */
export const timed = (text, precise = false) =>
  (text ?? '').split(MOMENT).map((part, index) => (index % 2 ? time(part, precise) : part));

/** A moment where there can be no element, as in a title of a picture. */
export const both = (at) => `${local(at, true)} (${utc(at)})`;

/** A sentence, there. */
export const bothTimed = (text) => (text ?? '').replace(new RegExp(MOMENT, 'g'), both);

let today = new Date().toDateString();

/** Shows all moments anew once the day is another: those of yesterday have a date from then on. */
export function renewTimes() {
  if (today === new Date().toDateString()) return;
  today = new Date().toDateString();
  for (const node of document.querySelectorAll('time[datetime]'))
    say(node, local(node.dateTime, node.dataset.precise === 'true'));
}

const DAY = 86_400e3;

/** The moments of an axis from `from` to `to`, `step` ms apart by the clock on the wall, which may be set within. */
export function ticks(from, to, step) {
  if (step < 3_600e3) {
    const zone = new Date(to).getTimezoneOffset() * 60_000;
    const first = Math.ceil((from - zone) / step) * step + zone;
    return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
  }
  const found = new Set();
  const start = new Date(from);
  const [year, month, date] = [start.getFullYear(), start.getMonth(), start.getDate()];
  for (let days = 0; ; days += 1) {
    const midnight = new Date(year, month, date + days);
    if (midnight > to) break;
    const number = Date.UTC(midnight.getFullYear(), midnight.getMonth(), midnight.getDate()) / DAY;
    if (number % Math.max(1, step / DAY)) continue;
    for (let hours = 0; hours < 24; hours += step / 3_600e3)
      found.add(new Date(year, month, date + days, hours).getTime());
  }
  return [...found].filter((moment) => moment >= from && moment <= to);
}

/** Milliseconds of a span as the server writes it, `[d.]hh:mm:ss[.fffffff]`; null where there is none. */
export function millis(text) {
  const found = /^(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)$/.exec(text ?? '');
  if (!found) return null;
  const [, days = 0, hours, mins, seconds] = found;
  return (((Number(days) * 24 + Number(hours)) * 60 + Number(mins)) * 60 + Number(seconds)) * 1000;
}

/** A span in the two units that matter. */
export function span(ms) {
  if (ms === null || ms === undefined) return '–';
  const size = Math.abs(ms);
  if (size < 100) return `${ms.toFixed(1)} ms`;
  if (size < 1_000) return `${Math.round(ms)} ms`;
  if (size < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const [mins, hours] = [Math.floor(size / 60_000), Math.floor(size / 3_600_000)];
  if (mins < 60) return `${mins} min ${Math.floor(size / 1_000) % 60} s`;
  if (hours < 48) return `${hours} h ${mins % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
