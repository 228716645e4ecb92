// Servers of ours as processes, and members of groups that beat when a test says so.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PROGRAM = process.env.CLIENT_FAILOVER_PROGRAM;

/** How long any awaited condition may take. */
const LIMIT_MS = 60_000;

export const FACET = '/api/v1/configuration/System/ClientFailover';
export const BASE = '/api/v1/clientfailover';

/** Waits until `condition` gives something, and gives it. */
export async function until(what, condition) {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${LIMIT_MS} ms`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** Does `undo` at the end of the test `t`: what was begun last is ended first. */
const undone = new WeakMap();
export function atEnd(t, undo) {
  if (!undone.has(t)) {
    undone.set(t, []);
    t.after(async () => {
      for (const one of undone.get(t).reverse()) await one();
    });
  }
  undone.get(t).push(undo);
}

/** A server; it is killed at the end of the test `t`. */
export class Server {
  static async start(t, half, { listen = '127.0.0.1:0', data, more = [] } = {}) {
    const server = new Server();
    server.half = half;
    server.more = more;
    server.data = data ?? mkdtempSync(join(tmpdir(), 'client-failover-page-'));
    atEnd(t, () => {
      server.child.kill('SIGKILL');
      rmSync(server.data, { recursive: true, force: true });
    });
    await server.run(listen);
    return server;
  }

  async run(listen) {
    this.child = spawn(PROGRAM, [this.half, '--listen', listen, '--data-dir', this.data, ...this.more], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.ended = new Promise((done) => this.child.once('exit', done));
    const log = [];
    const lines = createInterface({ input: this.child.stderr });
    this.url = await new Promise((found, failed) => {
      lines.on('line', (line) => {
        log.push(line);
        const address = /listening on (http:\/\/[0-9.:]+)/.exec(line);
        if (address) found(address[1]);
      });
      this.ended.then(() => failed(new Error(`the server did not start: ${log.join('\n')}`)));
    });
  }

  async end(signal = 'SIGKILL') {
    this.child.kill(signal);
    await this.ended;
  }

  /** Starts it again on its old address. */
  again() {
    return this.run(new URL(this.url).host);
  }

  async send(method, path, body) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  configure(endpoint, group, more = {}) {
    return this.send('PUT', FACET, {
      FailoverGroupId: group,
      Mode: 'Hot',
      Endpoint: endpoint.url + BASE,
      FailoverTimeout: '00:00:02',
      ...more,
    });
  }

  failover() {
    return this.send('GET', '/api/v1/diagnostics/Failover');
  }

  untilRole(role) {
    return until(`the role is ${role}`, async () => (await this.failover()).Role === role);
  }

  group(id, timeout = '00:01:00', more = {}) {
    return this.send('POST', `${BASE}/groups`, { Id: id, FailoverTimeout: timeout, ...more });
  }

  status(group) {
    return this.send('GET', `${BASE}/groups/${encodeURIComponent(group)}/status`);
  }

  async member(group, id, score = 100, name = id) {
    const path = `${BASE}/groups/${encodeURIComponent(group)}/clientsessions`;
    await this.send('POST', path, { Id: id, Name: name });
    return new Member(this, `${path}/${encodeURIComponent(id)}`, id, score);
  }
}

/** A native member that acts as it is told. */
class Member {
  constructor(server, path, id, score) {
    Object.assign(this, { server, path, id, score, sequence: 0, answered: 0, acting: false });
  }

  async beat() {
    this.sequence += 1;
    const answer = await this.server.send('POST', `${this.path}/heartbeat`, {
      FailoverScore: this.score,
      LastDataProcessedTime: new Date().toISOString(),
      Incarnation: this.id.slice(0, 64),
      BootId: 'b',
      Sequence: this.sequence,
      Answered: this.answered,
      AppliedRole: this.acting ? 'Primary' : 'Secondary',
    });
    this.answered = this.sequence;
    this.acting = answer.Role === 1;
    return answer.Role;
  }
}
