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

const utc = (iso) => `${new Date(iso).toISOString().replace('T', ' ').replace('Z', '')} UTC`;

/** An element that shows a moment in local time, and in UTC on hover. */
export function time(iso, precise = false) {
  const node = h('time');
  setTime(node, iso, precise);
  return node;
}

/** Shows another moment in such an element. */
export function setTime(node, iso, precise = false) {
  mark(node, 'datetime', iso ?? null);
  mark(node, 'title', iso ? utc(iso) : null);
  say(node, iso ? local(iso, precise) : '–');
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
