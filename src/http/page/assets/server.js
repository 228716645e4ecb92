// Speaks to the server that the page came from: calls, and streams that know when they are out of date.

import { byToken, isChoosing, login, offer } from './token.js';

/** Streams tell something each second; one that is silent for so long tells nothing true any more. */
export const SILENT_MS = 4_000;

/** So long may the answer to a call take. */
const ANSWER_MS = 10_000;

/** So long may an answer take while whoever looks may be asked for a password. */
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

const UNREACHED = { Error: 'The server cannot be reached.', Reason: 'It gave no answer.' };

/** A browser opens six connections to a server, and each window that shows a view holds one. */
const LATE = {
  Error: 'The server did not answer in time.',
  Reason: 'It hangs, or more than five windows of this browser show its pages.',
};

const unanswered = ({ name }) => new Refused(0, ['TimeoutError', 'AbortError'].includes(name) ? LATE : UNREACHED);

/** Whether the browser asks for a name and a password with each attempt: then none is made before somebody wants it. */
export const needsLogin = (refused) => refused?.status === 401 && !byToken();

/** What is said of a call that failed. */
export const reasonOf = (fault) => fault.sentences?.join(' ') ?? fault.message;

/** Whether the server has let whoever looks in. */
let letIn = false;

/** The answer to a request; a refusal, or that there is none, is thrown. */
async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, login({ cache: 'no-store', redirect: 'error', ...options }));
  } catch (fault) {
    throw unanswered(fault);
  }
  const said = Date.parse(answer.headers.get('date') ?? '');
  // The header has whole seconds; less than two is no difference.
  if (!Number.isNaN(said)) ahead = Math.abs(said + 500 - Date.now()) < 2_000 ? 0 : said + 500 - Date.now();
  if (/\bBearer\b/.test(answer.headers.get('www-authenticate'))) offer();
  letIn = answer.status !== 401;
  if (answer.ok) return answer;
  throw new Refused(answer.status, await answer.json().catch(() => ({ Error: `The server answered ${answer.status}.` })));
}

async function call(path, options, within = ANSWER_MS) {
  const signal = AbortSignal.timeout(letIn ? within : FIRST_MS);
  try {
    const answer = await ask(path, { ...options, signal });
    return answer.status === 204 ? null : await answer.json();
  } catch (fault) {
    // Where the server is there, the browser may be asking for a password, or answers take long: the next call waits for that.
    if (signal.aborted) isThere().then((there) => (letIn &&= !there));
    throw fault instanceof Refused ? fault : unanswered(fault);
  }
}

/** What the server answers; it is given up after `within` ms. */
export const get = (path, within) => call(path, {}, within);

/** Whether the server answers at all: this needs no login. */
const isThere = () =>
  fetch('/healthz', { cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(SILENT_MS) }).then(
    () => true,
    () => false,
  );

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
 * `{ live, since, refused, again }`: `live` is null while nothing is known yet, `since` is when the server was last
 * heard, `refused` is what it says instead of the stream, `again` asks anew where nothing else does.
 */
export function watch(path, events, state) {
  let open = null;
  let heard = null;
  let opened = 0;
  let answered = false;
  let knocked = 0;
  let attempts = 0;
  let again = 0;
  let over = false;
  let waits = false;
  let last = null;

  const tell = (live, refused = null) => {
    const version = `${live} ${refused?.message}`;
    if (version === last || over) return;
    last = version;
    state({ live, since: heard, refused, again: needsLogin(refused) ? anew : null });
  };
  const close = () => {
    clearTimeout(again);
    open?.abort();
    open = null;
  };
  const retry = (refused) => {
    close();
    tell(false, refused);
    waits = needsLogin(refused);
    if (waits) return;
    again = setTimeout(listen, AGAIN_MS[Math.min(attempts++, AGAIN_MS.length - 1)]);
  };
  const listen = async () => {
    if (document.hidden || over) return;
    waits = false;
    const mine = new AbortController();
    [open, opened, knocked, answered] = [mine, Date.now(), Date.now(), false];
    let refused = null;
    for await (const event of told(path, mine.signal)) {
      if (open !== mine) return;
      ({ refused = null } = event);
      answered = true;
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
  const look = setInterval(async () => {
    const [mine, silent] = [open, Date.now() - Math.max(heard ?? 0, opened)];
    if (!mine || Math.min(silent, Date.now() - knocked) < SILENT_MS) return;
    knocked = Date.now();
    // A server that is there and does not answer may wait for a password, for which the browser asks.
    const mayAsk = !answered && silent < FIRST_MS && (await isThere());
    if (open === mine && !mayAsk) retry(null);
  }, 500);
  const anew = () => {
    close();
    tell(null);
    listen();
  };
  // A page that nobody sees holds no connection: a browser has six to a server.
  const seen = () => {
    if (!waits || !(document.hidden || isChoosing())) anew();
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
