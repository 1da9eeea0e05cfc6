import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import { AppError } from '../kernel/errors.ts';
import type { Batches } from './batches.ts';
import { getChallenge } from './cancel.ts';
import { asOf } from './challenge.ts';
import type { Challenge } from './challenge.ts';
import { isoTime } from './present.ts';
import { markConsumed } from './result-store.ts';
import { recordAudit } from './store.ts';
import type { Scope } from './store.ts';

type ConsumeDeps = { db: Kysely<DB>; batches: Batches; now: () => Date };

/** Spends a verified result, exactly once; 404 if it is not the caller's, 409 with the reason if there is nothing to spend. */
export async function consumeChallenge(
  { db, batches, now }: ConsumeDeps,
  id: string,
  scope: Scope,
  actor: string,
): Promise<Challenge> {
  const at = now();
  const found = asOf(await getChallenge({ batches }, id, scope), at);
  if (found.status !== 'verified')
    throw new AppError('conflict', `Challenge is ${found.status}, not verified`);
  const consumed = await db.transaction().execute(async (tx) => {
    const marked = await markConsumed(tx, found.id, at);
    if (!marked) return undefined;
    const { tenant_id } = marked;
    await recordAudit(tx, { tenant_id, challenge_id: marked.id, at, actor, action: 'consumed' });
    return marked;
  });
  if (consumed) return consumed;
  throw new AppError('conflict', reasonAgainst(await getChallenge({ batches }, id, scope)));
}

/** Why a verified challenge could not be spent. The gravest comes first. */
function reasonAgainst({ disputed, consumed_at, valid_until }: Challenge): string {
  if (disputed) return 'Challenge was disputed: the person reported that it was not them';
  if (consumed_at) return `Challenge was already consumed at ${isoTime(consumed_at)}`;
  return `Challenge is no longer valid: its result was good until ${isoTime(valid_until)}`;
}
