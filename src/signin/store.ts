import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { IdentityProviders } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Idp = Selectable<IdentityProviders>;
export type Kind = Idp['kind'];
/** Which IdP is meant: a tenant has at most one of each kind in each mode. */
export type Place = { tenant_id: string; mode: 'test' | 'live'; kind: Kind };

/** Where sealed values belong, so that one copied to another row does not open. */
export const sealContext = {
  settings: (idpId: string) => `identity_providers:${idpId}`,
  kept: (attemptId: string) => `sign_in_attempts:${attemptId}`,
  answer: (attemptId: string) => `sign_in_attempts:${attemptId}:answer`,
};

/** The tenant's IdP of a kind in one mode. */
export function findIdpOf(db: Db, { tenant_id, mode, kind }: Place): Promise<Idp | undefined> {
  return db
    .selectFrom('identity_providers')
    .selectAll()
    .where('tenant_id', '=', tenant_id)
    .where('mode', '=', mode)
    .where('kind', '=', kind)
    .executeTakeFirst();
}

/** The IdP with this id; throws if there is none. */
export function findIdpById(db: Db, id: string): Promise<Idp> {
  return db.selectFrom('identity_providers').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

/** All IdPs of all tenants. */
export function listIdps(db: Db): Promise<Idp[]> {
  return db.selectFrom('identity_providers').selectAll().orderBy('id').execute();
}

/** The tenant's IdPs, oldest first. */
export function listIdpsOf(db: Db, tenantId: string): Promise<Idp[]> {
  return db
    .selectFrom('identity_providers')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
}

/** Adds the tenant's IdP, or replaces its name and settings; `seal` gets its id. Returns the id. */
export async function saveIdp(
  db: Db,
  place: Place,
  name: string,
  seal: (idpId: string) => string,
): Promise<string> {
  const existing = await findIdpOf(db, place);
  const id = existing?.id ?? newId();
  const settings_sealed = seal(id);
  await db
    .insertInto('identity_providers')
    .values({ id, ...place, name, settings_sealed })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ name, settings_sealed, updated_at: sql`now()` }),
    )
    .execute();
  return id;
}
