import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { AuditEntries } from '../generated/database.ts';
import type { Challenge } from './challenge.ts';

/** A line of the audit trail. */
export type TrailEntry = Pick<Selectable<AuditEntries>, 'at' | 'actor' | 'action' | 'detail'>;

/** The tenant's challenge with this id, whatever its mode. */
export function findTenantChallenge(db: Db, tenantId: string, id: string): Promise<Challenge | undefined> {
  return db
    .selectFrom('challenges')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** All that was ever written down about a challenge, oldest first. */
export function listTrail(db: Db, challengeId: string): Promise<TrailEntry[]> {
  return db
    .selectFrom('audit_entries')
    .select(['at', 'actor', 'action', 'detail'])
    .where('challenge_id', '=', challengeId)
    .orderBy('id')
    .execute();
}
