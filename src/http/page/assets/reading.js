// What a view reads beside its stream: one read at a time, and again after a while as long as the last one failed. No answer
// is shown that a later one has overtaken, and none is missing without a word.

import { Refused } from './server.js';

/** Between a read that failed and the next. */
const AGAIN_MS = 3_000;

/** Whether another read may do better. */
const mayPass = ({ status }) => status === 0 || status === 429 || status >= 500;

/**
 * `read()` reads and shows; `told(refused)` is called after each read, with null if it went well. `ask()` of what is returned
 * reads, once more if a read is under way, and waits for it.
 */
export function reading(read, told) {
  let running = null;
  let stale = false;
  let again = 0;
  let over = false;

  async function once() {
    try {
      await read();
      return null;
    } catch (fault) {
      if (!(fault instanceof Refused)) reportError(fault);
      return fault;
    }
  }

  /** A fault in showing one read must not keep the next from being made. */
  function tell(refused) {
    try {
      told(refused);
    } catch (fault) {
      reportError(fault);
    }
  }

  async function run() {
    do {
      stale = false;
      clearTimeout(again);
      const refused = await once();
      if (over) return;
      tell(refused);
      // Whoever comes back to the page reads anew.
      if (refused && mayPass(refused)) again = setTimeout(() => document.hidden || ask(), AGAIN_MS);
    } while (stale);
    running = null;
  }

  function ask() {
    stale = true;
    running ??= run();
    return running;
  }

  return {
    ask,
    close() {
      over = true;
      clearTimeout(again);
    },
  };
}
