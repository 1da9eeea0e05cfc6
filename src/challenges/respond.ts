import type { Kysely } from 'kysely';
import type { DB } from '../generated/database.ts';
import type { Challenge } from './challenge.ts';
import { saveOpenResponse, saveResponse } from './result-store.ts';
import { recordAudit } from './store.ts';

type RespondDeps = { db: Kysely<DB>; now: () => Date };

/**
 * Keeps what the person adds for whoever asks, or takes it away again (null); only while they are at it, in the browser
 * with this hash. Undefined: the challenge has ended, or another browser took over.
 */
export async function respond(
  { db, now }: RespondDeps,
  { id, browser_hash, target_response: before }: Challenge,
  target_response: string | null,
): Promise<Challenge | undefined> {
  const at = now();
  return db.transaction().execute(async (tx) => {
    const saved = await saveResponse(tx, { id, browser_hash, target_response, at });
    if (!saved || before === target_response) return saved;
    const { tenant_id } = saved;
    await recordAudit(tx, { tenant_id, challenge_id: id, at, actor: 'target', action: 'responded' });
    return saved;
  });
}

/** The same where the person is known by other means than a browser: while the challenge is open, started or not. */
export async function respondOutside(
  { db, now }: RespondDeps,
  id: string,
  target_response: string,
): Promise<void> {
  const at = now();
  await db.transaction().execute(async (tx) => {
    const saved = await saveOpenResponse(tx, { id, target_response, at });
    if (!saved) return;
    const { tenant_id } = saved;
    await recordAudit(tx, { tenant_id, challenge_id: id, at, actor: 'target', action: 'responded' });
  });
}
