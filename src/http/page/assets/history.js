// A history, newest first: its first page is read again when something happened, older ones when asked for.

import { h, list, mark, say } from './dom.js';
import { get, reasonOf } from './server.js';
import { time } from './time.js';

/** Rows of a page. */
const PAGE = 100;

/** The most rows that are kept; who wants to see more asks the interface. */
const MOST = 5_000;

/** The rows that both know of are one row; rows are told apart by everything they say. */
const same = (row) => JSON.stringify(row);

export class History {
  /** `path` is what answers pages, each within `within` ms. */
  constructor(path, within) {
    this.read = (query) => get(`${path}?limit=${PAGE}${query}`, within);
    this.items = [];
    this.next = null;
    this.begun = false;
    this.cut = false;
  }

  /** Whether there are older rows than are known here, and place for them. */
  get more() {
    return this.next !== null && this.items.length < MOST;
  }

  /** Whether there are no older rows than are known here. */
  get whole() {
    return this.begun && this.next === null && !this.cut;
  }

  /** Reads what is new. */
  async refresh() {
    const page = await this.read('');
    const known = new Set(this.items.map(same));
    const fresh = page.Items.filter((row) => !known.has(same(row)));
    if (this.begun && fresh.length === page.Items.length && page.NextCursor) {
      // More happened than a page holds: what lies between is not known.
      [this.items, this.next, this.cut] = [page.Items, page.NextCursor, false];
    } else {
      this.items = [...fresh, ...this.items];
      if (!this.begun) this.next = page.NextCursor;
    }
    // A page that stays open for months must not grow for months.
    this.cut ||= this.items.length > MOST;
    this.items.length = Math.min(this.items.length, MOST);
    this.begun = true;
  }

  /** Reads older rows. */
  async older() {
    if (!this.next) return;
    const cursor = this.next;
    const page = await this.read(`&cursor=${encodeURIComponent(cursor)}`);
    if (this.next !== cursor) return;
    this.items.push(...page.Items);
    this.next = page.NextCursor;
  }
}

/**
 * Shows a history. `row(item)` gives `{ what, tone, why }`: a sentence, and elements that explain it. `nothing` is said
 * of an empty one.
 */
export function timeline(history, row, changed, nothing = 'Nothing has happened yet.') {
  const rows = h('ol', { class: 'timeline' });
  const empty = h('p', { class: 'empty', hidden: true }, nothing);
  const unread = h('p', { class: 'failed', role: 'alert' });
  const older = h('button', { type: 'button', hidden: true, onclick: readOlder }, 'Load older');
  const failed = h('p', { class: 'failed', role: 'alert' });

  async function readOlder() {
    mark(older, 'aria-disabled', 'true');
    try {
      await history.older();
      say(failed, '');
    } catch (refused) {
      say(failed, `Older rows could not be read. ${reasonOf(refused)}`);
    }
    mark(older, 'aria-disabled', null);
    changed();
  }

  function update() {
    empty.hidden = !history.begun || history.items.length > 0;
    older.hidden = !history.more;
    list(rows, history.items, same, (item) => {
      const { what, tone, why } = row(item);
      const summary = h('summary', {}, h('span', { class: 'what' }, what), ' ', h('span', { class: 'ask' }, 'Why?'));
      return {
        node: h(
          'li',
          { class: `row ${tone}` },
          time(item.Time, true),
          h('details', {}, summary, h('div', { class: 'why' }, why)),
        ),
      };
    });
  }

  return {
    node: h('div', {}, unread, empty, rows, older, failed),
    update,
    /** The newest rows were read, or were `refused`. */
    told(refused) {
      say(unread, refused && `What happened could not be read. ${reasonOf(refused)}`);
      update();
    },
  };
}
