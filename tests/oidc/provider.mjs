// A real OpenID provider on loopback, for tests/bearer.rs and tests/security.
//
// Usage: node provider.mjs SECONDS [AUDIENCE]     (how long a token lives; with an audience, tokens are JWTs for it)
// It prints its address as its first line, and ends when its standard input does, so that it never
// outlives the test that started it.
//
//   /token                     the token endpoint of the provider
//   /token/introspection       where a failover endpoint asks whether a token is active
//   GET  /control/requests     what the token endpoint was asked: [{ contentType, body, status }]
//   PUT  /control/secret       the new client secret, as text; old tokens live on
//   PUT  /control/revoke       all tokens end now
//   PUT  /control/rotate       new keys sign from now on, and only they are shown
//   PUT  /control/jwks         what is shown in the place of the keys; nothing ends that
//   PUT  /control/discovery    what is answered in the place of the discovery document (an address redirects there); nothing ends that
//   GET  /control/asked        how often the keys were asked for
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Provider } from 'oidc-provider';

const life = Number(process.argv[2] ?? 4);
const audience = process.argv[3];
const common = {
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
};
const clients = new Map([
  ['adapter', { client_id: 'adapter', client_secret: 'first+secret &=%', token_endpoint_auth_method: 'client_secret_post', ...common }],
  ['chief', { client_id: 'chief', client_secret: 'chief', token_endpoint_auth_method: 'client_secret_post', ...common }],
  ['guest', { client_id: 'guest', client_secret: 'guest', token_endpoint_auth_method: 'client_secret_post', ...common }],
  ['endpoint', { client_id: 'endpoint', client_secret: 'endpoint', token_endpoint_auth_method: 'client_secret_basic', ...common }],
]);
const tokens = new Map();
const roles = { adapter: ['user'], chief: ['user', 'administrator'], guest: ['guest'] };

function freshKeys() {
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { keys: [{ ...key, kid: randomUUID(), use: 'sig', alg: 'RS256' }] };
}

// What the provider keeps, in memory, where the controls below can reach it.
class Memory {
  constructor(name) {
    this.name = name;
  }
  async upsert(id, payload) {
    tokens.set(`${this.name}:${id}`, payload);
  }
  async find(id) {
    return this.name === 'Client' ? clients.get(id) : tokens.get(`${this.name}:${id}`);
  }
  async destroy(id) {
    tokens.delete(`${this.name}:${id}`);
  }
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const start = () => new Provider(issuer, {
    adapter: Memory,
    jwks: freshKeys(),
    extraTokenClaims: (context, token) => ({ roles: roles[token.clientId] }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: audience !== undefined,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({ scope: '', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }),
      },
    },
    ttl: { ClientCredentials: life },
  });
  let answer = start().callback();
  const requests = [];
  const instead = { jwks: '', discovery: '' };
  let asked = 0;

  server.on('request', async (request, response) => {
    if (request.url === '/control/requests') return response.end(JSON.stringify(requests));
    if (request.url === '/control/secret') {
      clients.set('adapter', { ...clients.get('adapter'), client_secret: await text(request) });
      return response.end();
    }
    if (request.url === '/control/asked') return response.end(String(asked));
    if (request.url === '/control/jwks' || request.url === '/control/discovery') {
      instead[request.url.slice('/control/'.length)] = await text(request);
      return response.end();
    }
    if (request.url === '/jwks') asked += 1;
    if (request.url === '/jwks' && instead.jwks) return response.end(instead.jwks);
    if (request.url === '/.well-known/openid-configuration' && instead.discovery) {
      if (instead.discovery.startsWith('http')) response.writeHead(302, { location: instead.discovery });
      return response.end(instead.discovery);
    }
    if (request.url === '/control/rotate') {
      answer = start().callback();
      return response.end();
    }
    if (request.url === '/control/revoke') {
      tokens.clear();
      return response.end();
    }
    if (request.url === '/token') {
      // Listens along: the body reaches the provider untouched.
      const seen = { contentType: request.headers['content-type'], authorization: request.headers.authorization ?? null, body: '' };
      const push = request.push;
      request.push = (chunk, encoding) => {
        if (chunk) seen.body += chunk.toString();
        return push.call(request, chunk, encoding);
      };
      response.on('finish', () => requests.push({ ...seen, status: response.statusCode }));
    }
    answer(request, response);
  });
  console.log(issuer);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
