import { endpointsOf } from '../deliveries/endpoint.ts';
import { touchMessages } from '../deliveries/messages-store.ts';
import { markDisputed } from './result-store.ts';
import type { Challenge } from './challenge.ts';
import { announce } from './settle.ts';
import type { SettleDeps } from './settle.ts';
import { recordAudit } from './store.ts';

/** Which challenge the person disputes, and from where. */
type Dispute = {
  challengeId: string;
  actor: string;
  comment?: string | null;
  detail?: { [key: string]: string | null };
};

/**
 * The person says after `verified` that it was not them: once, within the window, and the status stays what it is.
 * Undefined: there was nothing (any more) to dispute. That is an answer, not an error.
 */
export async function dispute(
  { db, now, wake }: SettleDeps,
  { challengeId, actor, comment = null, detail }: Dispute,
): Promise<Challenge | undefined> {
  const at = now();
  const disputed = await db.transaction().execute(async (tx) => {
    const marked = await markDisputed(tx, challengeId, comment, at);
    if (!marked) return undefined;
    await recordAudit(tx, {
      tenant_id: marked.tenant_id,
      challenge_id: marked.id,
      ...{ at, actor, action: 'disputed', detail: detail ?? null },
    });
    await announce(tx, marked, at);
    await touchMessages(tx, marked, at);
    return marked;
  });
  if (disputed) wake(endpointsOf([disputed]));
  return disputed;
}
