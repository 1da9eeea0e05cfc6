import type { Http } from '../../src/providers/provider.ts';
import { SignInRefused } from '../../src/signin/method.ts';
import type { OpenIdp, Reason } from '../../src/signin/method.ts';
import { oidc } from '../../src/signin/oidc.ts';
import { CLIENT } from './oidc-idp.ts';
import { DEVELOPMENT, outboundWith } from './outbound.ts';

export const PUBLIC_URL = 'https://verify.example.com';
export const CALLBACK_PATH = '/auth/callback/oidc';
export const REDIRECT_URI = PUBLIC_URL + CALLBACK_PATH;

let keys = 0;

/** An IdP as the method gets it: settings with their fallbacks, and a key of its own. */
export function openIdpAt(issuer: string, settings: { [field: string]: string } = {}): OpenIdp {
  const fallbacks = Object.entries(oidc.fields).map(([name, { fallback = '' }]) => [name, fallback] as const);
  const all = { ...Object.fromEntries(fallbacks), ...CLIENT, issuer, ...settings };
  return { id: 'idp', key: `key ${(keys += 1)}`, settings: all, callbackPath: CALLBACK_PATH };
}

/** The way out from a developer's machine; ends with the test. */
export function developerHttp(): Http {
  return { outbound: outboundWith(), reach: DEVELOPMENT };
}

/** A way to the IdP and back: `go` is what a browser does there, and returns where it was sent. */
export async function runAt(
  idp: OpenIdp,
  http: Http,
  go: (url: string) => Promise<string>,
  { loginHint = null, clickedAt = new Date() }: { loginHint?: string | null; clickedAt?: Date } = {},
) {
  const { url, kept } = await oidc.begin({ state: 'the-state', loginHint, publicUrl: PUBLIC_URL }, idp, http);
  const back = new URL(await go(url));
  const parameters = Object.fromEntries(back.searchParams);
  const answer = { parameters, kept, publicUrl: PUBLIC_URL, clickedAt };
  return {
    back,
    kept,
    finish: (more: Partial<typeof answer> = {}) =>
      oidc.finish({ ...answer, now: new Date(), ...more }, idp, http),
  };
}

/** The refusal that this rejects with; anything else fails the test. */
export async function refusalFrom(promise: Promise<unknown>): Promise<SignInRefused> {
  const error = await promise.then(
    (answer) => new Error(`accepted: ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof SignInRefused) return error;
  throw error;
}

/** The same, its reason alone. */
export async function reasonOf(promise: Promise<unknown>): Promise<Reason> {
  return (await refusalFrom(promise)).reason;
}
