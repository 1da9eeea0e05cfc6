import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Inbox, ProviderAccounts } from '../generated/database.ts';

/** What lines of an account's log must have; undefined: whatever. */
export type LogFilter = {
  /** what came of it, `received` while nothing has, `duplicate` for what came more than once */
  outcome?: string | undefined;
  challenge_id?: string | undefined;
};
/** A line of an account's log: what came in, and the challenge it was about, as far as that is known. */
export type LogRow = Selectable<Inbox> & { challenge_id: string | null };
/** A line with the account whose log it is in. */
export type PlacedRow = LogRow & Pick<Selectable<ProviderAccounts>, 'provider' | 'mode' | 'tenant_id'>;

/** A page of an account's log, newest first; `after` is the id of the last line of the page before. */
export function listInbound(
  db: Db,
  accountId: string,
  { outcome, challenge_id }: LogFilter,
  { limit, after }: { limit: number; after: string | undefined },
): Promise<LogRow[]> {
  return linesOf(db)
    .where('inbox.provider_account_id', '=', accountId)
    .$if(outcome === 'duplicate', (q) => q.where('copies', '>', 1))
    .$if(outcome === 'received', (q) => q.where('handled_at', 'is', null))
    .$if(outcome !== undefined && outcome !== 'duplicate' && outcome !== 'received', (q) =>
      q.where('outcome', '=', outcome!),
    )
    .$if(challenge_id !== undefined, (q) => q.where('sessions.challenge_id', '=', challenge_id!))
    .$if(after !== undefined, (q) => q.where('inbox.id', '<', after!))
    .orderBy('inbox.id', 'desc')
    .limit(limit)
    .execute();
}

/** One line, whichever of the tenant's accounts it belongs to. */
export function findInbound(db: Db, tenantId: string, id: string): Promise<PlacedRow | undefined> {
  return linesOf(db)
    .innerJoin('provider_accounts', 'provider_accounts.id', 'inbox.provider_account_id')
    .select(['provider', 'mode', 'tenant_id'])
    .where('tenant_id', '=', tenantId)
    .where('inbox.id', '=', id)
    .executeTakeFirst();
}

/** The newest of an account's authentic webhooks, and of those that were refused. */
export async function findNewest(
  db: Db,
  accountId: string,
): Promise<{ received: LogRow | undefined; refused: LogRow | undefined }> {
  const lines = linesOf(db).where('inbox.provider_account_id', '=', accountId).limit(1);
  const received = lines.where('reason', 'is', null).orderBy('inbox.id', 'desc');
  // By time: refusals are few and have an index of their own by it, and most accounts have none at all.
  const refused = lines.where('reason', 'is not', null).orderBy('received_at', 'desc');
  return { received: await received.executeTakeFirst(), refused: await refused.executeTakeFirst() };
}

function linesOf(db: Db) {
  return db
    .selectFrom('inbox')
    .leftJoin('verification_sessions as sessions', (join) =>
      join
        .onRef('sessions.provider_account_id', '=', 'inbox.provider_account_id')
        .onRef('sessions.provider_session_id', '=', 'inbox.provider_session_id'),
    )
    .selectAll('inbox')
    .select('sessions.challenge_id');
}
