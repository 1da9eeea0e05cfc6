import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { setIdp } from '../support/idp.ts';
import { signToken, startHostileIdp, tokenAnswer } from '../support/oidc-hostile.ts';
import type { Asked, HostileIdp, Said } from '../support/oidc-hostile.ts';
import { openIdpAt } from '../support/oidc-method.ts';
import { comeBack, refusalsOf, sendOff } from '../support/oidc-story.ts';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

let server: TestServer;
let honest: HostileIdp;
let hostile: HostileIdp;
/** the other tenant, whose IdP is the hostile one */
let other: { apiKey: string; idpId: string };
beforeAll(async () => {
  [server, honest, hostile] = await Promise.all([startServer(), startHostileIdp(), startHostileIdp()]);
  await setIdp(server, 'oidc', openIdpAt(honest.issuer).settings);
  const { tenant_id, apiKey } = await server.integration({ newTenant: true });
  const idpId = await setIdp(server, 'oidc', openIdpAt(hostile.issuer).settings, { tenant_id });
  other = { apiKey, idpId };
});
beforeEach(() => honest.say(signingIn(honest)));
afterAll(async () => {
  await server.close();
  await honest.close();
  await hostile.close();
});

/** What an IdP says where Ada signs in at once, whoever sent her; its answers do not tell whose they are, as most do not. */
function signingIn(idp: HostileIdp) {
  const requests = new Map<string, URLSearchParams>();
  return {
    '/authorize': ({ query }: Asked) => {
      const code = `code-${requests.size}`;
      requests.set(code, query);
      return redirect(query.get('redirect_uri'), { code, state: query.get('state') });
    },
    '/token': ({ form }: Asked): Said => {
      const request = requests.get(form.get('code') ?? '');
      const proof = createHash('sha256').update(form.get('code_verifier') ?? '');
      const isRight =
        request?.get('code_challenge') === proof.digest('base64url') &&
        request.get('redirect_uri') === form.get('redirect_uri');
      if (!isRight) return { status: 400, body: { error: 'invalid_grant' } };
      const claims = idp.claims(request.get('nonce') ?? undefined);
      return tokenAnswer(signToken(claims, { alg: 'ES256', kid: 'one' }, idp.keys.private));
    },
  };
}

function redirect(to: string | null, parameters: { [name: string]: string | null }): Said {
  const url = new URL(to ?? '');
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value ?? '');
  return { status: 302, body: '', headers: { location: url.href } };
}

const create = (apiKey?: string) => server.create({ provider: 'oidc' }, apiKey);
const statusOf = async ({ challenge_id }: Created, apiKey?: string) =>
  (await server.read(challenge_id, apiKey)).status;

/** Goes where the IdPs lead, until they lead back to this server. */
async function throughTheIdps(url: string): Promise<string> {
  const { headers } = await fetch(url, { redirect: 'manual' });
  const next = headers.get('location') ?? '';
  return next.startsWith(server.url) ? next : throughTheIdps(next);
}

/** The attacker, who got hold of Ada's link, has Ada sent from the hostile IdP to the honest one in their own name. */
async function lure(change: (lured: URL) => void = () => undefined) {
  const mine = await sendOff(server, await create());
  const stolen: string[] = [];
  hostile.say({
    '/authorize': ({ query }) => {
      const lured = new URL(mine.url);
      change(lured);
      return redirect(lured.href, { state: query.get('state') });
    },
    '/token': ({ form }) => {
      stolen.push(form.get('code') ?? '');
      return { status: 400, body: { error: 'temporarily_unavailable' } };
    },
  });
  const ada = await sendOff(server, await create(other.apiKey));
  const { location } = await comeBack(ada.person, await throughTheIdps(ada.url));
  return { mine, ada, stolen, location };
}

describe('two OpenID providers of one server', () => {
  test('have a path each, at which people are verified', async () => {
    const first = await sendOff(server, await create());
    const back = await throughTheIdps(first.url);
    expect(new URL(back).pathname).toBe('/auth/callback/oidc');
    await comeBack(first.person, back);
    expect(await statusOf(first.created)).toBe('verified');

    hostile.say(signingIn(hostile));
    const second = await sendOff(server, await create(other.apiKey));
    const otherBack = await throughTheIdps(second.url);
    expect(new URL(otherBack).pathname).toBe(`/auth/callback/oidc/${other.idpId}`);
    await comeBack(second.person, otherBack);
    expect(await statusOf(second.created, other.apiKey)).toBe('verified');
  });

  test('do not get each other’s codes: an answer at the other’s path is not redeemed, and written down', async () => {
    const { mine, ada, stolen, location } = await lure();
    expect(location).toBe(`/challenge/${ada.created.challenge_id}/result`);
    expect(stolen).toEqual([]);
    expect(await refusalsOf(server, ada.created)).toEqual(['wrong_callback']);
    expect(await statusOf(ada.created, other.apiKey)).toBe('in-progress');
    expect(await statusOf(mine.created)).toBe('in-progress');
    // Ada's own way was not used up by it.
    hostile.say(signingIn(hostile));
    await comeBack(ada.person, await throughTheIdps(ada.url));
    expect(await statusOf(ada.created, other.apiKey)).toBe('verified');
  });

  test('that let a code go to the other all the same do not take it from another browser', async () => {
    const path = `${server.url}/auth/callback/oidc/${other.idpId}`;
    const { mine, stolen } = await lure((lured) => lured.searchParams.set('redirect_uri', path));
    const [code = ''] = stolen;
    expect(code).toMatch(/^code-/);
    const state = new URL(mine.url).searchParams.get('state') ?? '';
    const query = new URLSearchParams({ code, state }).toString();
    await comeBack(mine.person, `${path}?${query}`);
    await comeBack(mine.person, `${server.url}/auth/callback/oidc?${query}`);
    expect(await statusOf(mine.created)).toBe('in-progress');
    expect(await refusalsOf(server, mine.created)).toEqual(['wrong_callback', 'wrong_request']);
  });

  test('do not answer for each other at a path that nobody has', async () => {
    const { created, person, url } = await sendOff(server, await create());
    const back = new URL(await throughTheIdps(url));
    back.pathname += `/${other.idpId.replaceAll(/\d/g, '0')}`;
    await comeBack(person, back.href);
    await comeBack(createPerson(server), back.href);
    expect(await statusOf(created)).toBe('in-progress');
    expect(new Set(await refusalsOf(server, created))).toEqual(new Set(['wrong_callback']));
  });
});
