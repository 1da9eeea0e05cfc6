import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SignIn } from '../../src/signin/method.ts';
import { CLIENT, closeServer } from './oidc-idp.ts';
import { developerHttp, openIdpAt, REDIRECT_URI, runAt } from './oidc-method.ts';

export type Claims = { [name: string]: unknown };
export type Header = { alg: string; kid?: string; [name: string]: unknown };
/** What it was asked: the query, the form, and whether a header authorizes it. */
export type Asked = { query: URLSearchParams; form: URLSearchParams; authorization: string | undefined };
/** Takes the place of one of its answers. */
export type Said = { status?: number; type?: string; body: unknown; headers?: { [name: string]: string } };
export type Sayings = { [path: string]: Said | ((asked: Asked) => Said) };

/** A pair of keys as an IdP has it; only `public` is told. */
export function newKeys(kid: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, private: privateKey, public: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

/** A token as whoever signs it wishes. */
export function signToken(claims: Claims, header: Header, key: KeyObject | string): string {
  const text = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature =
    typeof key === 'string'
      ? createHmac('sha256', key).update(text).digest()
      : sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

/** Stands in for an IdP that lies in ways a real one does not: it says whatever the test tells it to. */
export async function startHostileIdp() {
  const keys = newKeys('one');
  const asked: string[] = [];
  let said: Sayings = {};
  const server = createServer((request, response) => {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://idp');
    asked.push(`${request.method} ${path}`);
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const own = truth[path];
      const one = said[path] ?? (own ? { body: own() } : { status: 404, body: {} });
      const { authorization } = request.headers;
      answer(
        response,
        typeof one === 'function' ? one({ query, form: new URLSearchParams(text), authorization }) : one,
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'],
  };
  const truth: { [path: string]: () => unknown } = {
    '/.well-known/openid-configuration': () => metadata,
    '/keys': () => ({ keys: [keys.public] }),
  };

  return {
    issuer,
    keys,
    metadata,
    /** Every request so far, such as `POST /token`. */
    asked,
    /** What it says at these paths from now on, instead of the truth. */
    say(next: Sayings) {
      said = next;
    },
    /** The claims of a sign-in just now that nothing is wrong with. */
    claims(nonce: string | undefined): Claims {
      const now = Math.floor(Date.now() / 1_000);
      return {
        ...{ iss: issuer, aud: CLIENT.client_id, sub: '4711', nonce, iat: now, exp: now + 300 },
        ...{ auth_time: now, email: 'ada@example.com', email_verified: true },
      };
    },
    close: () => closeServer(server),
  };
}

export type HostileIdp = Awaited<ReturnType<typeof startHostileIdp>>;

/** What a token endpoint answers with this ID token. */
export function tokenAnswer(id_token: unknown): Said {
  return { body: { access_token: 'the-access-token', token_type: 'Bearer', id_token } };
}

/** The end of a sign-in where the IdP says what `say` makes of the nonce, and the browser brings these parameters. */
export async function finishAt(
  idp: HostileIdp,
  say: (nonce: string | undefined) => Sayings,
  parameters: { [name: string]: string } = { code: 'a-code', state: 'the-state' },
  settings: { [field: string]: string } = {},
): Promise<SignIn> {
  const back = `${REDIRECT_URI}?${new URLSearchParams(parameters).toString()}`;
  const run = await runAt(openIdpAt(idp.issuer, settings), developerHttp(), async () => back);
  idp.say(say(run.kept.nonce));
  return run.finish();
}

function answer(
  response: ServerResponse,
  { status = 200, type = 'application/json', body, headers }: Said,
): void {
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
