import { expect } from '@jest/globals';
import type { Http } from '../../src/providers/provider.ts';
import { SignInRefused } from '../../src/signin/method.ts';
import type { IdpAnswer, OpenIdp, SignIn } from '../../src/signin/method.ts';
import { DEVELOPMENT, outboundWith } from './outbound.ts';
import { PUBLIC_URL } from './saml-answer.ts';

/** The way out of a developer's machine, until the test ends. */
export function createHttp(): Http {
  return { outbound: outboundWith(), reach: DEVELOPMENT };
}

/** A tenant's SAML IdP with these settings. */
export function idpWith(settings: { [field: string]: string }): OpenIdp {
  return { id: 'idp', key: JSON.stringify(settings), settings, callbackPath: '/saml/acs' };
}

/** What a browser brought for the request `_request`; the person clicked ten seconds ago. */
export function broughtBack(xml: string, more: Partial<IdpAnswer> = {}): IdpAnswer {
  const now = more.now ?? new Date();
  return {
    parameters: { SAMLResponse: Buffer.from(xml).toString('base64'), RelayState: 'state' },
    kept: { request_id: '_request', requested_at: now.toISOString() },
    publicUrl: PUBLIC_URL,
    clickedAt: new Date(now.getTime() - 10_000),
    now,
    ...more,
  };
}

/** Why an answer is refused: its reason, with the words for the log. Fails the test when it is accepted. */
export async function refusalOf(finished: Promise<SignIn>): Promise<{ reason: string; message: string }> {
  const error = await finished.then(
    (signIn) => expect(signIn).toBe('refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SignInRefused);
  const { reason, message } = error as SignInRefused;
  return { reason, message };
}
