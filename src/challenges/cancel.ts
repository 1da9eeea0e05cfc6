import { AppError } from '../kernel/errors.ts';
import { CANCELED, asOf } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import type { Batches } from './batches.ts';
import { settle } from './settle.ts';
import type { SettleDeps } from './settle.ts';
import type { Scope } from './store.ts';

/** Ends an open challenge as failed with reason `canceled`; again: the same answer; 404 if it is not the caller's, 409 if it ended otherwise. */
export async function cancelChallenge(
  deps: SettleDeps & { batches: Batches },
  id: string,
  scope: Scope,
  actor: string,
): Promise<Challenge> {
  const found = await getChallenge(deps, id, scope);
  const moved = await settle(deps, {
    challengeId: found.id,
    to: 'failed',
    actor,
    fields: { failure_reason: CANCELED },
  });
  if (moved) return moved;
  const current = asOf(await getChallenge(deps, id, scope), deps.now());
  if (current.failure_reason === CANCELED) return current;
  throw new AppError('conflict', `Challenge is already ${current.status}`);
}

/** The caller's challenge with this id, or a 404 that does not tell whether it exists for somebody else. */
export async function getChallenge(
  { batches }: { batches: Batches },
  id: string,
  scope: Scope,
): Promise<Challenge> {
  const challenge = await batches.find({ id, scope });
  if (!challenge) throw new AppError('not_found', 'Challenge not found');
  return challenge;
}
