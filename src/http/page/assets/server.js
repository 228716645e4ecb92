// Speaks to the server that the page came from: calls, and streams that know when they are out of date.

import { login, offer } from './token.js';

/** Streams tell something each second; one that is silent for so long tells nothing true any more. */
const SILENT_MS = 4_000;

/** So long may the first answer take: whoever looks may be asked for a password meanwhile. */
const FIRST_MS = 120_000;

/** Between two attempts to open a stream again. */
const AGAIN_MS = [500, 1_000, 2_000, 3_000];

const query = new URLSearchParams(location.search);

/** The base of the failover endpoint: on premises, or of the tenant and namespace in the page's address. */
export const ENDPOINT = query.has('tenant')
  ? `/api/v1/Tenants/${encodeURIComponent(query.get('tenant'))}/Namespaces/${encodeURIComponent(query.get('namespace') ?? '')}/ClientFailover`
  : '/api/v1/clientfailover';

/** The base of an adapter. */
export const ADAPTER = '/api/v1';

export const groupPath = (id) => `${ENDPOINT}/groups/${encodeURIComponent(id)}`;

/** What the server said instead of what was asked for; `status` is 0 where it said nothing. */
export class Refused extends Error {
  constructor(status, body) {
    super(body.Error);
    this.status = status;
    this.sentences = [body.Error, body.Reason, body.Resolution].filter(Boolean);
  }
}

/** By how much the server's clock is ahead of this browser's, in ms. */
let ahead = 0;

/** The present, by the server's clock, to a second or so. */
export const now = () => Date.now() + ahead;

const unanswered = () => new Refused(0, { Error: 'The server cannot be reached.', Reason: 'It gave no answer.' });

/** Whether the server has let whoever looks in. */
let letIn = false;

/** The answer to a request; a refusal, or that there is none, is thrown. */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, login({ cache: 'no-store', redirect: 'error', ...options }));
  } catch {
    throw unanswered();
  }
  const said = Date.parse(answer.headers.get('date') ?? '');
  // The header has whole seconds; less than two is no difference.
  if (!Number.isNaN(said)) ahead = Math.abs(said + 500 - Date.now()) < 2_000 ? 0 : said + 500 - Date.now();
  if (/\bBearer\b/.test(answer.headers.get('www-authenticate'))) offer();
  if (answer.status !== 401) letIn = true;
  if (answer.ok) return answer;
  throw new Refused(answer.status, await answer.json().catch(() => ({ Error: `The server answered ${answer.status}.` })));
}

async function call(path, options) {
  const answer = await ask(path, options);
  if (answer.status === 204) return null;
  return answer.json().catch(() => {
    throw unanswered();
  });
}

export const get = (path) => call(path, {});

export const post = (path, body) =>
  call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/**
 * What a stream of events tells, one after the other, each as `{ name, data }`; the last is `{ refused }` if the server
 * says something instead. It is read by `fetch`: a browser's own reader of streams can send no token, and does not say
 * why it was refused.
 */
async function* told(path, signal) {
  try {
    const answer = await ask(path, { signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let [rest, name, data] = ['', '', []];
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [, field, text] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (field === 'event') name = text;
        else if (field === 'data') data.push(text);
        else if (line === '') {
          if (data.length) yield { name, data: JSON.parse(data.join('\n')) };
          [name, data] = ['', []];
        }
      }
    }
  } catch (error) {
    // One that broke says nothing.
    if (error.status) yield { refused: error };
  }
}

/**
 * Watches a stream. `events` are handlers by name of event, called with its data. `state` is called with
 * `{ live, since, refused }`: `live` is null while nothing is known yet, `since` is when the server was last
 * heard, `refused` is what it says instead of the stream.
 */
export function watch(path, events, state) {
  let open = null;
  let heard = null;
  let opened = 0;
  let attempts = 0;
  let again = 0;
  let over = false;
  let last = null;

  const tell = (live, refused = null) => {
    const version = `${live} ${refused?.message}`;
    if (version === last || over) return;
    last = version;
    state({ live, since: heard, refused });
  };
  const close = () => {
    clearTimeout(again);
    open?.abort();
    open = null;
  };
  const retry = (refused) => {
    close();
    tell(false, refused);
    again = setTimeout(listen, AGAIN_MS[Math.min(attempts++, AGAIN_MS.length - 1)]);
  };
  const listen = async () => {
    if (document.hidden || over) return;
    const mine = new AbortController();
    [open, opened] = [mine, Date.now()];
    let refused = null;
    for await (const event of told(path, mine.signal)) {
      if (open !== mine) return;
      ({ refused = null } = event);
      if (!events[event.name]) continue;
      [heard, attempts] = [Date.now(), 0];
      try {
        events[event.name](event.data);
      } catch (fault) {
        // A fault in showing one event must not keep the next from being shown.
        reportError(fault);
      }
      tell(true);
    }
    if (open === mine) retry(refused);
  };
  const look = setInterval(() => {
    const silent = Date.now() - Math.max(heard ?? 0, opened);
    if (open && silent > (letIn ? SILENT_MS : FIRST_MS)) retry(null);
  }, 500);
  // A page that nobody sees holds no connection: a browser has six to a server.
  const seen = () => {
    close();
    if (document.hidden) tell(null);
    else listen();
  };
  document.addEventListener('visibilitychange', seen);
  listen();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', seen);
    clearInterval(look);
    close();
  };
}
