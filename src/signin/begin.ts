import type { Kysely } from 'kysely';
import { asOf, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { lockChallenge } from '../challenges/lock-store.ts';
import type { DB } from '../generated/database.ts';
import { newToken, sha256 } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { newId } from '../kernel/id.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import { findOpenAttempt, insertAttempt } from './attempts-store.ts';
import { openIdp } from './idp.ts';
import { isKind, methods } from './index.ts';
import { SignInRefused } from './method.ts';
import type { Begun } from './method.ts';
import { findIdpOf, sealContext } from './store.ts';
import type { Idp } from './store.ts';

export type SignInDeps = {
  db: Kysely<DB>;
  sealer: Sealer;
  outbound: Outbound;
  reachOf: (mode: 'test' | 'live') => Reach;
  publicUrl: string;
  now: () => Date;
  log: Log;
  metrics: Pick<Metrics, 'signInsTotal'>;
  /** whether something that was refused may still be written to a challenge's trail */
  guesses: { mayWrite(challengeId: string): Promise<boolean> };
  wake: (endpointIds: readonly string[]) => void;
};
/** The browser that clicked: the hash of its cookie, the name it keeps over several clicks, and its address. */
type Clicker = { hash: string; name: string; address: string | null };

/** The IdP that this challenge's person signs in at; undefined: the tenant has none of its kind (any more). */
export async function findIdp(
  { db }: Pick<SignInDeps, 'db'>,
  { tenant_id, mode, provider }: Challenge,
): Promise<Idp | undefined> {
  return isKind(provider) ? findIdpOf(db, { tenant_id, mode, kind: provider }) : undefined;
}

/** Where the challenge's person was sent, while they are there. */
export async function findSignInUrl(
  { db, sealer }: Pick<SignInDeps, 'db' | 'sealer'>,
  challenge: Challenge,
): Promise<string | undefined> {
  const attempt = await findOpenAttempt(db, challenge.id);
  // Another browser that took over has not begun yet.
  if (attempt?.browser_hash !== challenge.browser_hash) return undefined;
  return attempt?.kept_sealed ? openKept(sealer, attempt.id, attempt.kept_sealed).url : undefined;
}

/**
 * Begins an attempt at the IdP for the browser that clicked just now; the challenge's earlier one dies. Throws
 * `unavailable` when the IdP does not answer, `conflict` when another browser or the end came first.
 */
export async function beginSignIn(deps: SignInDeps, challenge: Challenge, clicker: Clicker): Promise<void> {
  const { db, sealer, outbound, reachOf, publicUrl, now } = deps;
  const clicked_at = now();
  const idp = await findIdp(deps, challenge);
  if (!idp) throw new AppError('unavailable', 'The sign-in is not set up');
  const state = newToken();
  const run = { state, loginHint: challenge.target_user_email, publicUrl };
  const begun = await methods[idp.kind]
    .begin(run, openIdp(sealer, idp), { outbound, reach: reachOf(idp.mode) })
    .catch((error: unknown) => {
      deps.log.warn(
        { err: error, challenge_id: challenge.id, idp: idp.name },
        'a sign-in could not be begun',
      );
      if (!(error instanceof SignInRefused)) throw error;
      deps.metrics.signInsTotal.inc({ kind: idp.kind, outcome: error.reason });
      throw new AppError('unavailable', 'The sign-in does not answer');
    });
  const id = newId();
  await db.transaction().execute(async (tx) => {
    const current = await lockChallenge(tx, challenge.id);
    const over = !current || isTerminal(asOf(current, now()).status);
    if (over || current.browser_hash !== clicker.hash)
      throw new AppError('conflict', 'The challenge went on without this browser');
    await insertAttempt(tx, {
      ...{ id, challenge_id: challenge.id, identity_provider_id: idp.id, state_hash: sha256(state) },
      kept_sealed: sealer.seal(JSON.stringify(begun), sealContext.kept(id)),
      ...{ browser_hash: clicker.hash, browser: clicker.name, address: clicker.address, clicked_at },
    });
  });
  deps.metrics.signInsTotal.inc({ kind: idp.kind, outcome: 'begun' });
}

/** What was put aside when the attempt began. */
export function openKept(sealer: Sealer, attemptId: string, sealed: string): Begun {
  return JSON.parse(sealer.unseal(sealed, sealContext.kept(attemptId))) as Begun;
}
