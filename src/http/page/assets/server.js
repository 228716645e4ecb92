// Speaks to the server that the page came from: calls, and streams that know when they are out of date.

/** Streams tell something each second; one that is silent for so long tells nothing true any more. */
const SILENT_MS = 4_000;

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

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, { cache: 'no-store', redirect: 'error', ...options });
  } catch {
    throw new Refused(0, { Error: 'The server cannot be reached.', Reason: 'It gave no answer.' });
  }
  const said = Date.parse(answer.headers.get('date') ?? '');
  // The header has whole seconds; less than two is no difference.
  if (!Number.isNaN(said)) ahead = Math.abs(said + 500 - Date.now()) < 2_000 ? 0 : said + 500 - Date.now();
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, body ?? { Error: `The server answered ${answer.status}.` });
  return body;
}

export const get = (path) => call(path, {});

export const post = (path, body) =>
  call(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** What a stream is refused with; null if the server says nothing, or does not refuse it any more. */
async function refusal(path) {
  const stop = new AbortController();
  try {
    const answer = await fetch(path, { cache: 'no-store', signal: stop.signal });
    return answer.ok ? null : new Refused(answer.status, await answer.json());
  } catch {
    return null;
  } finally {
    stop.abort();
  }
}

/**
 * Watches a stream. `events` are handlers by name of event, called with its data. `state` is called with
 * `{ live, since, refused }`: `live` is null while nothing is known yet, `since` is when the server was last
 * heard, `refused` is what it says instead of the stream.
 */
export function watch(path, events, state) {
  let source = null;
  let heard = null;
  let opened = 0;
  let attempts = 0;
  let again = 0;
  let over = false;
  let told = null;

  const tell = (live, refused = null) => {
    const version = `${live} ${refused?.message}`;
    if (version === told || over) return;
    told = version;
    state({ live, since: heard, refused });
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const retry = (refused) => {
    close();
    tell(false, refused);
    again = setTimeout(open, AGAIN_MS[Math.min(attempts++, AGAIN_MS.length - 1)]);
  };
  const open = () => {
    if (document.hidden || over) return;
    const mine = new EventSource(path);
    let begun = false;
    [source, opened] = [mine, Date.now()];
    mine.addEventListener('open', () => (begun = true));
    for (const [name, handle] of Object.entries(events)) {
      mine.addEventListener(name, (event) => {
        [heard, attempts] = [Date.now(), 0];
        handle(JSON.parse(event.data));
        tell(true);
      });
    }
    mine.addEventListener('error', async () => {
      mine.close();
      // A browser does not tell a page why a stream was refused.
      const refused = begun ? null : await refusal(path);
      if (source === mine) retry(refused);
    });
  };
  const look = setInterval(() => {
    if (source && Date.now() - Math.max(heard ?? 0, opened) > SILENT_MS) retry(null);
  }, 500);
  // A page that nobody sees holds no connection: a browser has six to a server.
  const seen = () => {
    close();
    if (document.hidden) tell(null);
    else open();
  };
  document.addEventListener('visibilitychange', seen);
  open();
  return () => {
    over = true;
    document.removeEventListener('visibilitychange', seen);
    clearInterval(look);
    close();
  };
}
