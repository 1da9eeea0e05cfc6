import { isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { lockChallenge } from '../challenges/lock-store.ts';
import { applyChange } from '../challenges/settle.ts';
import { recordAudit } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { endpointsOf } from '../deliveries/endpoint.ts';
import { countOutcomes, endAttempt } from './attempts-store.ts';
import type { Attempt } from './attempts-store.ts';
import type { SignInDeps } from './begin.ts';
import { openIdp } from './idp.ts';
import type { Reason } from './method.ts';
import type { Idp } from './store.ts';
import { maxAttemptsOf } from './tries.ts';

/** Nobody's fault on this side of the IdP: the person may try again as often as they like. */
const FREE: readonly string[] = ['idp_error', 'idp_unavailable', 'timed_out'] satisfies Reason[];
const DENIED = 'access_denied' satisfies Reason;

/** An attempt that does not count, and what is known about it. */
export type Refusal = {
  attempt: Attempt;
  idp: Idp;
  reason: Reason;
  /** of the browser that brought the answer, which need not be the one that clicked */
  address: string | null;
  /** who it was instead, where that is known */
  signedInAs?: string | null;
};

/**
 * Ends an attempt that does not count and writes down why. The challenge fails with it when the person said no, and
 * when this browser at this address has used up its tries. Undefined: the attempt had ended before.
 */
export async function refuse(deps: SignInDeps, refusal: Refusal): Promise<Challenge | undefined> {
  const at = deps.now();
  const { attempt } = refusal;
  const after = await deps.db.transaction().execute(async (tx) => {
    const challenge = await lockChallenge(tx, attempt.challenge_id);
    if (!challenge || !(await endAttempt(tx, attempt.id, refusal.reason, at))) return undefined;
    await auditSignIn(tx, challenge, refusal, at);
    if (!(await isLast(tx, refusal, triesAt(deps, refusal.idp)))) return challenge;
    const change = {
      challengeId: challenge.id,
      to: 'failed',
      actor: `idp:${refusal.idp.kind}`,
      fields: { auth_method: refusal.idp.kind, failure_reason: refusal.reason },
    } as const;
    return (await applyChange(tx, change, at)) ?? challenge;
  });
  if (after) deps.metrics.signInsTotal.inc({ kind: refusal.idp.kind, outcome: refusal.reason });
  if (after && isTerminal(after.status)) deps.wake(endpointsOf([after]));
  return after;
}

/** Writes to the challenge's trail that a sign-in did not count, and why. */
export async function auditSignIn(
  db: Db,
  { id, tenant_id }: Pick<Challenge, 'id' | 'tenant_id'>,
  { attempt, reason, address, signedInAs }: Omit<Refusal, 'idp' | 'reason'> & { reason: string },
  at: Date,
): Promise<void> {
  await recordAudit(db, {
    ...{ tenant_id, challenge_id: id, at, actor: 'target', action: 'sign_in_refused' },
    detail: {
      ...{ reason, attempt: attempt.id, ip: address },
      ...(address === attempt.address ? {} : { clicked_from: attempt.address }),
      ...(signedInAs === undefined ? {} : { signed_in_as: signedInAs }),
    },
  });
}

/** How many tries this browser has left at this address, and how many it had; the last one counts until it is used up. */
export async function triesLeft(
  { db, sealer }: Pick<SignInDeps, 'db' | 'sealer'>,
  clicker: Pick<Attempt, 'challenge_id' | 'browser' | 'address'>,
  idp: Idp,
): Promise<{ left: number; all: number }> {
  const all = triesAt({ sealer }, idp);
  return { all, left: Math.max(1, all - (await countOutcomes(db, clicker, COUNTED))) };
}

function triesAt({ sealer }: Pick<SignInDeps, 'sealer'>, idp: Idp): number {
  return maxAttemptsOf(openIdp(sealer, idp).settings);
}

async function isLast(tx: Db, { attempt, reason }: Refusal, maxAttempts: number): Promise<boolean> {
  if (reason === DENIED) return true;
  if (FREE.includes(reason)) return false;
  return (await countOutcomes(tx, attempt, COUNTED)) >= maxAttempts;
}

const COUNTED: readonly string[] = [
  ...(['stale_authentication', 'insufficient_acr', 'email_not_verified', 'no_subject'] as const),
  ...(['subject_mismatch', 'malformed_response', 'unsigned_assertion', 'bad_signature'] as const),
  ...(['wrong_issuer', 'wrong_audience', 'wrong_recipient', 'wrong_destination', 'wrong_nonce'] as const),
  ...(['wrong_request', 'response_expired', 'replayed_assertion'] as const),
] satisfies Reason[];
