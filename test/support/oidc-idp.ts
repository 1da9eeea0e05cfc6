import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const CLIENT = { client_id: 'countersign', client_secret: 'a-secret-of-the-client' };

// Without numbers of ours it tells the console about each.
const ARTIFACTS = ['AccessToken', 'AuthorizationCode', 'Grant', 'IdToken', 'Interaction', 'Session'];
const LIFE_S = 600;

/** What the IdP says of somebody who signed in, instead of the truth. */
export type Lies = {
  /** seconds since 1970 when they signed in */
  ts?: number;
  acr?: string;
  amr?: string[];
  /** what is known of the account */
  claims?: { [name: string]: unknown };
};
type Options = {
  /** where the client says it lives */
  redirectUri: string;
  /** the name people reach it by: another one than this server's makes it another site */
  host?: string;
  /** claims stand in the ID token, not at the userinfo endpoint alone */
  inIdToken?: boolean;
  /** more of oidc-provider's own configuration, and of the client's metadata */
  configuration?: object;
  client?: object;
};

/** A real IdP (oidc-provider) on loopback: whoever enters a name is that person, with any password. */
export async function startOidcIdp({
  redirectUri,
  host = '127.0.0.1',
  inIdToken = true,
  configuration,
  client,
}: Options) {
  const Provider = await quietly(async () => (await import('oidc-provider')).default);
  const away: RequestListener = (_, response) => response.writeHead(503).end();
  let [answer, isAway] = [away, false];
  const server = createServer((request, response) => (isAway ? away : answer)(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  let lies: Lies = {};

  /** The same IdP with other keys; it forgets who was about to sign in. */
  async function rotateKeys(): Promise<void> {
    const settings = {
      clients: [
        { ...CLIENT, redirect_uris: [redirectUri], id_token_signed_response_alg: 'ES256', ...client },
      ],
      jwks: { keys: [newKey()] },
      cookies: { keys: ['of the tests'] },
      claims: {
        openid: ['sub', 'acr', 'amr'],
        email: ['email', 'email_verified'],
        profile: ['preferred_username', 'groups'],
      },
      acrValues: ['mfa', 'password'],
      conformIdTokenClaims: !inIdToken,
      pkce: { required: () => true },
      responseTypes: ['code'],
      findAccount: (_: unknown, accountId: string) => ({
        accountId,
        claims: () => ({ sub: accountId, email: accountId, email_verified: true, ...lies.claims }),
      }),
      ttl: Object.fromEntries(ARTIFACTS.map((name) => [name, LIFE_S])),
      renderError: (ctx: { body: unknown }, out: object) => (ctx.body = JSON.stringify(out)),
      ...configuration,
    };
    const provider = await quietly(() => new Provider(issuer, settings));
    const finished = provider.interactionFinished.bind(provider);
    provider.interactionFinished = (request, response, result, options) => {
      const { claims: _, ...login } = lies;
      const told = result.login ? { ...result, login: { ...result.login, ...login } } : result;
      return finished(request, response, told, options);
    };
    answer = provider.callback();
  }
  await rotateKeys();

  return {
    issuer,
    rotateKeys,
    /** What it says from now on. */
    lie(next: Lies) {
      lies = next;
    },
    /** Answers nothing but 503 while this is so. */
    goAway(next: boolean) {
      isAway = next;
    },
    close: () => closeServer(server),
  };
}

export type OidcIdp = Awaited<ReturnType<typeof startOidcIdp>>;

/** Cuts all connections and stops listening. */
export function closeServer(server: Server): Promise<unknown> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
}

function newKey(): object {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' };
}

/** It tells the console that it is made for development; so it is. */
async function quietly<T>(work: () => T | Promise<T>): Promise<T> {
  const { info, warn } = console;
  console.info = console.warn = () => undefined;
  try {
    return await work();
  } finally {
    Object.assign(console, { info, warn });
  }
}
