import type { Db } from '../../src/db/database.ts';
import { newId } from '../../src/kernel/id.ts';
import { keepWebhooks } from '../../src/providers/inbox-store.ts';
import type { NewWebhook } from '../../src/providers/inbox-store.ts';

/** A line of an account's log as PostgreSQL holds it: handled without effect, unless something else is said. */
export async function insertInbound(
  db: Db,
  provider_account_id: string,
  fields: Partial<NewWebhook> = {},
): Promise<string> {
  const id = newId();
  const received_at = fields.received_at ?? new Date();
  const handled = { handled_at: received_at, outcome: 'no_effect' };
  await keepWebhooks(db, [
    {
      ...{ id, provider_account_id, event_key: `test:${id}`, kind: 'event', body_sealed: 'sealed' },
      ...{ received_at, last_received_at: received_at, address: '192.0.2.1' },
      ...handled,
      ...fields,
    },
  ]);
  return id;
}

/** What a refusal leaves: counted, and without a body. */
export function insertRefusal(db: Db, accountId: string, fields: Partial<NewWebhook> = {}): Promise<string> {
  const refused = { kind: 'refused', outcome: 'refused', reason: 'not_authentic', body_sealed: null };
  return insertInbound(db, accountId, { ...refused, ...fields });
}
