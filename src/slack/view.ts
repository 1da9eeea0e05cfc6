import type { Challenge } from '../challenges/challenge.ts';
import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { findBrand } from '../tenants/brand-store.ts';
import { cardOf, noticeOf, tombstoneOf } from './cards.ts';
import type { View } from './cards.ts';
import { linkContext } from './create.ts';
import { findCard } from './messages-store.ts';
import type { Message } from './messages-store.ts';

const VIEWS = { card: cardOf, notice: noticeOf };

/** What a message has to show while its challenge stands like this; of one that was erased, how it ended and no more. */
export async function viewOf(
  { db, sealer }: { db: Db; sealer: Sealer },
  { event_id, role, requester_user, is_automatic, target_user, link_sealed, language }: Message,
  challenge: Challenge,
): Promise<View> {
  const { name } = await findBrand(db, challenge.tenant_id);
  const frame = { challenge, language, tenant: name };
  if (challenge.erased_at !== null || target_user === null || requester_user === null)
    return tombstoneOf(frame, role);
  return VIEWS[role]({
    ...{ ...frame, requester: requester_user, target: target_user },
    isAutomatic: is_automatic,
    wasAsked: challenge.started_at !== null || (await mayStand(db, challenge.id)),
    link: link_sealed === null ? undefined : sealer.unseal(link_sealed, linkContext(event_id)),
  });
}

/** Whether the card was posted, or nobody knows that it was not. */
async function mayStand(db: Db, challengeId: string): Promise<boolean> {
  const card = await findCard(db, challengeId);
  return card !== undefined && (card.ts !== null || card.posting_at !== null);
}
