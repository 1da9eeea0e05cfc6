import { sql } from 'kysely';
import type { Db } from '../db/database.ts';

/** As many of a kind are kept on one challenge; then the oldest makes room. */
const MAX_KEPT = 50;

/** What a provider found beside its decision, as it is kept and shown. */
export type KeptSignal = { provider: string; kind: string; at: string; facts: object };
/** How far a person is, as it is kept; `order` sorts and is not shown. */
export type KeptProgress = { provider: string; type: string; message: string; at: string; order: string };

/**
 * Appends one finding to a challenge, open or ended, once; nothing to one that was erased. `timed`: its time is a part
 * of what it says, else the same finding at another time is the same.
 */
export async function recordFinding(
  tx: Db,
  challengeId: string,
  list: 'provider_signals' | 'progress',
  finding: KeptSignal | KeptProgress,
  timed = true,
): Promise<void> {
  const kept = sql.ref(list);
  const entry = sql`${JSON.stringify(finding)}::jsonb`;
  await sql`
    update challenges
    set ${kept} = case when jsonb_array_length(${kept}) < ${MAX_KEPT} then ${kept} else ${kept} - 0 end
      || jsonb_build_array(${entry})
    where id = ${challengeId} and erased_at is null
      and not exists (select from jsonb_array_elements(${kept}) as known where known = ${entry}
        or (not ${timed}::boolean and known - 'at' = ${entry} - 'at'))`.execute(tx);
}

/** Writes down the provider's newest word on a challenge. */
export async function recordProviderStatus(tx: Db, challengeId: string, word: string): Promise<void> {
  await tx
    .updateTable('challenges')
    .set({ provider_status: word })
    .where('id', '=', challengeId)
    .where('erased_at', 'is', null)
    .execute();
}
