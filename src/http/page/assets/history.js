// A history, newest first: its first page is read again when something happened, older ones when asked for.

import { h, list, mark, say } from './dom.js';
import { get } from './server.js';
import { time } from './time.js';

/** Rows of a page. */
const PAGE = 100;

/** The most rows that are kept; who wants to see more asks the interface. */
const MOST = 5_000;

/** The rows that both know of are one row; rows are told apart by everything they say. */
const same = (row) => JSON.stringify(row);

export class History {
  /** `path` is what answers pages. */
  constructor(path) {
    this.path = path;
    this.items = [];
    this.next = null;
    this.begun = false;
    this.reading = null;
  }

  /** Whether there are older rows than are known here. */
  get more() {
    return this.next !== null && this.items.length < MOST;
  }

  /** Reads what is new; a call while one is under way is answered by one more. */
  async refresh() {
    if (this.reading) {
      this.stale = true;
      return this.reading;
    }
    this.reading = (async () => {
      do {
        this.stale = false;
        const page = await get(`${this.path}?limit=${PAGE}`);
        const known = new Set(this.items.map(same));
        const fresh = page.Items.filter((row) => !known.has(same(row)));
        if (this.begun && fresh.length === page.Items.length && page.NextCursor) {
          // More happened than a page holds: what lies between is not known.
          [this.items, this.next] = [page.Items, page.NextCursor];
        } else {
          this.items = [...fresh, ...this.items];
          if (!this.begun) this.next = page.NextCursor;
        }
        this.begun = true;
      } while (this.stale);
    })();
    try {
      await this.reading;
    } finally {
      this.reading = null;
    }
  }

  /** Reads older rows. */
  async older() {
    if (!this.next) return;
    const cursor = this.next;
    const page = await get(`${this.path}?limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`);
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
  const older = h('button', { type: 'button', hidden: true, onclick: readOlder }, 'Load older');
  const failed = h('p', { class: 'failed', role: 'alert' });

  async function readOlder() {
    mark(older, 'aria-disabled', 'true');
    try {
      await history.older();
      say(failed, '');
    } catch (refused) {
      say(failed, `Older rows could not be read. ${refused.sentences?.join(' ') ?? refused.message}`);
    }
    mark(older, 'aria-disabled', null);
    changed();
  }

  return {
    node: h('div', {}, empty, rows, older, failed),
    update() {
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
    },
  };
}
