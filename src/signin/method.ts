import type { Field, Http, Settings } from '../providers/provider.ts';

/** What may be wrong with a sign-in; the word stands in the audit trail and, if it ends the challenge, in `failure_reason`. */
export type Reason =
  // the person said no at the IdP: ends the challenge
  | 'access_denied'
  // nobody's fault on this side of the IdP: the person may try again as often as they like
  | 'idp_error'
  | 'idp_unavailable'
  | 'timed_out'
  // nothing to hold against the answer itself, but it is not the wanted one: counts as a try
  | 'stale_authentication'
  | 'insufficient_acr'
  | 'email_not_verified'
  | 'no_subject'
  | 'subject_mismatch'
  // the answer cannot be right: counts as a try
  | 'malformed_response'
  | 'unsigned_assertion'
  | 'bad_signature'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'wrong_recipient'
  | 'wrong_destination'
  | 'wrong_nonce'
  | 'wrong_request'
  | 'response_expired'
  | 'replayed_assertion';

/** The IdP's answer cannot be accepted. The message is for the log: it may quote the answer. */
export class SignInRefused extends Error {
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SignInRefused';
    this.reason = reason;
  }
}

/** Who signed in, checked: signature, issuer, audience, request and freshness are right. Whether it is the target is still open. */
export type SignIn = {
  issuer: string;
  /** `sub` or NameID */
  id: string;
  /** null: not told, or not an e-mail address */
  email: string | null;
  /** the values of the claim or attribute the operator chose to know people by; none chosen or told: [] */
  claim: string[];
  /** seconds since 1970 */
  auth_time: number;
  acr: string | null;
  amr: string[];
  /** a one-time answer: whoever accepts it writes the key down until then, and accepts none that is written down */
  once?: { key: string; until: Date };
};

/**
 * A tenant's IdP with its settings in the clear; `key` changes whenever they do, for what is kept in memory.
 * `callbackPath`: where on this server it sends browsers back to.
 */
export type OpenIdp = { id: string; key: string; settings: Settings; callbackPath: string };

/** One way to the IdP. `state` is unguessable, comes back with the answer, and is known to the browser alone. */
export type Run = {
  state: string;
  /** the person who is to sign in, where it may be said to the IdP */
  loginHint: string | null;
  /** this server's own origin */
  publicUrl: string;
};
/** Where to send the browser, and what the answer will be checked against (nonce, code verifier, request id); it is sealed meanwhile. */
export type Begun = { url: string; kept: { [name: string]: string } };

/** What the browser brought from the IdP: the parameters of the callback, as text, each at most once. */
export type IdpAnswer = {
  parameters: { [name: string]: string };
  kept: Begun['kept'];
  publicUrl: string;
  /** when the person clicked: whoever signed in before that did not do it for this */
  clickedAt: Date;
  now: Date;
};

/**
 * One thing a test of the configuration found. `fail`: nobody can sign in; `warn`: it may surprise, and if that is
 * `tentative`, a sign-in that is verified shows that it does no harm. The detail is a sentence that says what to do.
 */
export type Finding = { state: 'ok' | 'warn' | 'fail'; name: string; detail: string; tentative?: boolean };

/** Everything there is to know of a way to sign in: one file, and one line in index.ts. */
export type Method = {
  label: string;
  fields: { [field: string]: Field };
  /** Throws a 400 for settings that cannot be right. */
  checkSettings?(settings: Settings): void;
  /** What the operator is to enter at the IdP, a line each. */
  setUp(publicUrl: string, idp: OpenIdp): string[];
  /** Throws SignInRefused (idp_unavailable) when the IdP cannot be asked. */
  begin(run: Run, idp: OpenIdp, http: Http): Promise<Begun>;
  /** Who signed in; throws SignInRefused for everything that is not wholly right. */
  finish(answer: IdpAnswer, idp: OpenIdp, http: Http): Promise<SignIn>;
  /** Tries out what can be tried without a person; never throws. */
  test(publicUrl: string, idp: OpenIdp, http: Http): Promise<Finding[]>;
};

/** Clocks of two machines may differ by so much. */
export const SKEW_S = 60;

/**
 * Whether whoever signed in did so after the click, as far as clocks can tell. Both protocols give the time in whole
 * seconds or finer; nothing later than now counts either.
 */
export function isFresh(authTime: number, { clickedAt, now }: Pick<IdpAnswer, 'clickedAt' | 'now'>): boolean {
  return authTime >= clickedAt.getTime() / 1_000 - SKEW_S && authTime <= now.getTime() / 1_000 + SKEW_S;
}
