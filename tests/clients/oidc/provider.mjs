// A real OpenID provider (oidc-provider, certified) on a free port of this machine, for test_oidc.py. It says `ready issuer=…`
// and lives as long as its standard input.
//
// Besides its own routes it has two for the test, which knows the server's address only once the provider stands:
//   PUT /control  {"clients": […], "accounts": {subject: claims}}   what is not in it stays as it was
//   GET /control  every code, verifier and token that it gave or took, for the search through the server's log

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key = { ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig', kid: 'one' };

let issuer;
let accounts = {};
let clients = [];
let answer;
const secrets = [];

function build() {
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys: [key] },
    cookies: { keys: ['not a secret'] },
    // As most providers do it: in the identity token, not only at the userinfo endpoint.
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'preferred_username', 'groups'], profile: ['name'], email: ['email'] },
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    pkce: { required: () => true },
    responseTypes: ['code'],
    async findAccount(_, sub) {
      return accounts[sub] && { accountId: sub, claims: async () => ({ sub, ...accounts[sub] }) };
    },
  });
  for (const event of ['grant.success', 'grant.error']) {
    provider.on(event, (ctx) => {
      const { code, code_verifier: verifier } = ctx.oidc.params ?? {};
      const { access_token: access, id_token: identity } = ctx.body ?? {};
      secrets.push(...[code, verifier, ctx.oidc.body?.code_verifier, access, identity].filter(Boolean));
    });
  }
  answer = provider.callback();
}

async function control(request, response) {
  if (request.method === 'PUT') {
    const parts = [];
    for await (const part of request) parts.push(part);
    const wanted = JSON.parse(Buffer.concat(parts));
    accounts = wanted.accounts ?? accounts;
    if (wanted.clients) {
      clients = wanted.clients;
      build();
    }
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(secrets));
}

const server = createServer((request, response) => {
  if (request.url !== '/control') return answer(request, response);
  return control(request, response).catch((error) => response.writeHead(500).end(String(error)));
});
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  build();
  console.log(`ready issuer=${issuer}`);
});
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
