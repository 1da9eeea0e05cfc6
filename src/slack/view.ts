import type { Challenge } from '../challenges/challenge.ts';
import type { Db } from '../db/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { findBrand } from '../tenants/brand-store.ts';
import { cardOf, noticeOf } from './cards.ts';
import type { View } from './cards.ts';
import { linkContext } from './create.ts';
import type { Message } from './messages-store.ts';

const VIEWS = { card: cardOf, notice: noticeOf };

/** What a message has to show while its challenge stands like this. */
export async function viewOf(
  { db, sealer }: { db: Db; sealer: Sealer },
  { event_id, role, requester_user, is_automatic, target_user, link_sealed, language }: Message,
  challenge: Challenge,
): Promise<View> {
  const { name } = await findBrand(db, challenge.tenant_id);
  return VIEWS[role]({
    ...{ challenge, language, requester: requester_user, target: target_user, tenant: name },
    isAutomatic: is_automatic,
    link: link_sealed === null ? undefined : sealer.unseal(link_sealed, linkContext(event_id)),
  });
}
