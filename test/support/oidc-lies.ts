import { expect } from '@jest/globals';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { setIdp } from './idp.ts';
import { signToken, startHostileIdp, tokenAnswer } from './oidc-hostile.ts';
import type { Claims, Header, Sayings } from './oidc-hostile.ts';
import { openIdpAt } from './oidc-method.ts';
import { comeBack, sendAgain, sendOff } from './oidc-story.ts';
import { startServer } from './server.ts';
import type { Created } from './server.ts';

const ES256: Header = { alg: 'ES256', kid: 'one' };
export type Visit = Awaited<ReturnType<typeof sendOff>>;
export type Signing = { header?: Header; key?: Parameters<typeof signToken>[2] };

/** A server whose people sign in, with a second factor, at an IdP that says whatever the test tells it to. */
export async function startLyingStory() {
  const [server, idp] = await Promise.all([startServer(), startHostileIdp()]);
  await setIdp(server, 'oidc', openIdpAt(idp.issuer, { required_acr: 'mfa' }).settings);

  /** What the audit trail says of sign-ins that did not count. */
  async function refusalsOf({ challenge_id }: Created) {
    const trail = await listTrail(server.db, challenge_id);
    const refusals = trail.filter(({ action }) => action === 'sign_in_refused');
    return refusals.map(({ detail }) => detail as { reason: string });
  }

  return {
    server,
    idp,
    refusalsOf,
    reasonsOf: async (created: Created) => (await refusalsOf(created)).map(({ reason }) => reason),
    /** Somebody who was asked, pressed Start, went on and is at the IdP now. */
    atTheIdp: async () => sendOff(server, await server.create({ provider: 'oidc' })),
    /** Presses the button of the page that says what went wrong, and is at the IdP once more. */
    again: async ({ created, person }: Visit) => ({ created, person, url: await sendAgain(person, created) }),
    /** The browser comes from the IdP with these parameters; as a rule with a code and the state it was sent off with. */
    bring({ person, url }: Visit, parameters: { [name: string]: string } = { code: 'a-code' }) {
      const query = new URLSearchParams({ state: asked(url, 'state'), ...parameters });
      return comeBack(person, `${server.url}/auth/callback/oidc?${query.toString()}`);
    },
    /** What the IdP says for the code: that Ada signed in just now, but for this. */
    tokenFor(
      { url }: Visit,
      change: Claims = {},
      { header = ES256, key = idp.keys.private }: Signing = {},
    ): Sayings {
      const claims = { ...idp.claims(asked(url, 'nonce')), acr: 'mfa', ...change };
      return { '/token': tokenAnswer(signToken(claims, header, key)) };
    },
    async expectOpen({ challenge_id }: Created) {
      const open = { status: 'in-progress', failure_reason: null, subject: null, auth_method: null };
      expect(await server.read(challenge_id)).toMatchObject(open);
    },
    async expectVerified({ challenge_id }: Created) {
      expect(await server.read(challenge_id)).toMatchObject({
        ...{ status: 'verified', auth_method: 'oidc', subject_match: 'email', acr: 'mfa' },
        subject: { id: '4711', email: 'ada@example.com', issuer: idp.issuer },
      });
    },
    async close() {
      await server.close();
      await idp.close();
    },
  };
}

/** What the IdP was asked in the address that the browser was sent to. */
export function asked(url: string, name: string): string {
  return new URL(url).searchParams.get(name) ?? '';
}
