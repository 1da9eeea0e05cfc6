import { sql } from 'kysely';
import type { Kysely, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { DB, IdentityProviders } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';

export type Idp = Selectable<IdentityProviders>;
export type Kind = Idp['kind'];
/** Which IdP is meant: a tenant has at most one of each kind in each mode. */
export type Place = { tenant_id: string; mode: 'test' | 'live'; kind: Kind };

/** Where browsers come back to, of the first IdP of a kind. */
const CALLBACK_PATHS: Record<Kind, string> = { oidc: '/auth/callback/oidc', saml: '/saml/acs' };
const VERIFIED = 'verified';
/** Outcomes that say nothing about the IdP: the person clicked again, or never came back. */
const GIVEN_UP = ['superseded', 'timed_out'];

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
export function saveIdp(
  db: Kysely<DB>,
  place: Place,
  name: string,
  seal: (idpId: string) => string,
): Promise<string> {
  return db.transaction().execute(async (tx) => {
    // One at a time: two must not find the same callback path free.
    await sql`lock table identity_providers in share row exclusive mode`.execute(tx);
    return save(tx, place, name, seal);
  });
}

async function save(db: Db, place: Place, name: string, seal: (idpId: string) => string): Promise<string> {
  const existing = await findIdpOf(db, place);
  const id = existing?.id ?? newId();
  const settings_sealed = seal(id);
  const callback_path = existing?.callback_path ?? (await freeCallbackPath(db, place.kind, id));
  await db
    .insertInto('identity_providers')
    .values({ id, ...place, name, settings_sealed, callback_path })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ name, settings_sealed, updated_at: sql`now()` }),
    )
    .execute();
  return id;
}

/** The documented path while no other OpenID provider of this server has it, else one of its own; a SAML answer says whose it is. */
async function freeCallbackPath(db: Db, kind: Kind, id: string): Promise<string> {
  const path = CALLBACK_PATHS[kind];
  if (kind === 'saml') return path;
  const taken = await db
    .selectFrom('identity_providers')
    .select('id')
    .where('callback_path', '=', path)
    .executeTakeFirst();
  return taken ? `${path}/${id}` : path;
}

/**
 * Removes the tenant's IdP and its secrets, with the attempts that ended there: what became of them stays in the audit
 * trail. Returns how many open challenges use it; if there are any, nothing is removed.
 */
export function removeIdp(db: Kysely<DB>, place: Place, now: Date): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const { tenant_id, mode, kind } = place;
    // Held, so that nobody begins an attempt meanwhile.
    const idp = await tx
      .selectFrom('identity_providers')
      .select('id')
      .where((eb) => eb.and({ tenant_id, mode, kind }))
      .forUpdate()
      .executeTakeFirst();
    const { open } = await tx
      .selectFrom('challenges')
      .select((eb) => eb.fn.countAll<string>().as('open'))
      .where((eb) => eb.and({ tenant_id, mode, provider: kind }))
      .where('status', 'in', ['initiated', 'in-progress'])
      .where('expires_at', '>', now)
      .executeTakeFirstOrThrow();
    if (!idp || Number(open) > 0) return Number(open);
    await tx.deleteFrom('sign_in_attempts').where('identity_provider_id', '=', idp.id).execute();
    await tx.deleteFrom('identity_providers').where('id', '=', idp.id).execute();
    return 0;
  });
}

/** How the newest sign-ins at an IdP ended: the one that verified somebody, and the one that was refused. */
export async function findNewestOutcomes(db: Db, idpId: string) {
  const ended = db
    .selectFrom('sign_in_attempts')
    .select(['outcome', 'ended_at'])
    .where('identity_provider_id', '=', idpId)
    .where('status', '=', 'ended')
    .orderBy('ended_at', 'desc')
    .limit(1);
  return {
    verified: await ended.where('outcome', '=', VERIFIED).executeTakeFirst(),
    refused: await ended.where('outcome', 'not in', [VERIFIED, ...GIVEN_UP]).executeTakeFirst(),
  };
}
