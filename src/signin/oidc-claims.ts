import { fetchUserInfo } from 'openid-client';
import type { Configuration, IDToken, UserInfoResponse } from 'openid-client';
import type { Settings } from '../providers/provider.ts';
import { isFresh, SignInRefused } from './method.ts';
import type { IdpAnswer, SignIn } from './method.ts';
import { shown } from './oidc-errors.ts';
import { wordsOf } from './oidc-settings.ts';
import { isEmail, isPlain } from './plain.ts';

/** What says of an address whether it is the person's own: OpenID's claim (Core §5.1) and Entra ID's. */
const MARKS = ['email_verified', 'xms_edov'] as const;
/** Some IdPs write the truth as text, Entra ID also as a number. */
const TRUTHS = new Set<unknown>([true, 'true', 1, '1']);

type Claims = IDToken | UserInfoResponse;
/** What the code was exchanged for. */
export type Redeemed = { config: Configuration; claims: IDToken; accessToken: string };

/** Who signed in, from an ID token whose signature, issuer, audience and nonce are right; the IdP is asked for what is not in it. */
export async function readSignIn(
  { config, claims, accessToken }: Redeemed,
  answer: Pick<IdpAnswer, 'clickedAt' | 'now'>,
  settings: Settings,
): Promise<SignIn> {
  const auth_time = readAuthTime(claims, answer);
  const acr = readAcr(claims, settings);
  if (!isPlain(claims.sub)) throw new SignInRefused('no_subject', `sub is ${shown(claims.sub)}`);
  const { subject_claim = '' } = settings;
  const sources: Claims[] = [claims];
  if (!isComplete(claims, subject_claim) && config.serverMetadata().userinfo_endpoint !== undefined)
    sources.push(await fetchUserInfo(config, accessToken, claims.sub));
  return {
    issuer: claims.iss,
    id: claims.sub,
    email: readEmail(sources),
    claim: subject_claim === '' ? [] : readClaim(sources, subject_claim),
    auth_time,
    acr,
    amr: textsOf(claims.amr),
  };
}

// Whoever asks for max_age must be told auth_time (Core §3.1.2.1); an IdP that does not tell may have let an old session pass.
function readAuthTime({ auth_time }: IDToken, answer: Pick<IdpAnswer, 'clickedAt' | 'now'>): number {
  if (auth_time === undefined)
    throw new SignInRefused('stale_authentication', 'The ID token has no auth_time');
  if (!isFresh(auth_time, answer)) {
    const click = Math.floor(answer.clickedAt.getTime() / 1_000);
    throw new SignInRefused('stale_authentication', `auth_time is ${auth_time}, the click was at ${click}`);
  }
  return auth_time;
}

function readAcr({ acr }: IDToken, { required_acr = '' }: Settings): string | null {
  const accepted = wordsOf(required_acr);
  if (accepted.length > 0 && !(typeof acr === 'string' && accepted.includes(acr)))
    throw new SignInRefused('insufficient_acr', `acr is ${shown(acr)}, required is ${required_acr}`);
  return isPlain(acr) ? acr : null;
}

/** Whether nothing is left to ask for: an address that nothing marks may be marked at the userinfo endpoint. */
function isComplete(claims: Claims, subject_claim: string): boolean {
  const isMarked = MARKS.some((mark) => claims[mark] !== undefined);
  return (
    claims.email !== undefined && isMarked && (subject_claim === '' || claims[subject_claim] !== undefined)
  );
}

function readEmail(sources: Claims[]): string | null {
  const { email } = sources.find((source) => source.email !== undefined) ?? {};
  if (email === undefined) return null;
  const marks = sources.flatMap((source) => MARKS.map((mark) => ({ mark, value: source[mark] })));
  const denied = marks.find(({ value }) => value !== undefined && !TRUTHS.has(value));
  if (denied) throw new SignInRefused('email_not_verified', `${denied.mark} is ${shown(denied.value)}`);
  return isEmail(email) ? email : null;
}

function readClaim(sources: Claims[], name: string): string[] {
  const value = sources.find((source) => source[name] !== undefined)?.[name];
  return textsOf(Array.isArray(value) ? value : [value]);
}

function textsOf(values: unknown): string[] {
  if (!Array.isArray(values)) return [];
  return values.map((value: unknown) => (typeof value === 'number' ? String(value) : value)).filter(isPlain);
}
