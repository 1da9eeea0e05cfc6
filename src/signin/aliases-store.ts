import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { SubjectAliases } from '../generated/database.ts';

/** Whoever signs in as `alias` is the target `identity`; both folded. */
type Alias = Pick<Selectable<SubjectAliases>, 'alias' | 'identity'>;

/** What PostgreSQL keeps in no text, or would take for another one; IdPs may send it all the same. */
const UNKEEPABLE = /\0|\p{Surrogate}/u;

/** The identities that these folded identifiers stand for; an identifier that nobody entered stands for none. */
export async function findIdentities(
  db: Db,
  tenantId: string,
  identifiers: readonly string[],
): Promise<string[]> {
  const keepable = identifiers.filter((one) => !UNKEEPABLE.test(one));
  if (keepable.length === 0) return [];
  const rows = await db
    .selectFrom('subject_aliases')
    .select('identity')
    .distinct()
    .where('tenant_id', '=', tenantId)
    .where('alias', '=', (eb) => eb.fn.any(eb.val(keepable)))
    .orderBy('identity')
    .execute();
  return rows.map(({ identity }) => identity);
}

/** Adds an alias unless there is one already; returns the identity that it stands for now, theirs or the one before. */
export async function saveAlias(db: Db, tenantId: string, { alias, identity }: Alias): Promise<string> {
  await db
    .insertInto('subject_aliases')
    .values({ tenant_id: tenantId, alias, identity })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'alias']).doNothing())
    .execute();
  const row = await db
    .selectFrom('subject_aliases')
    .select('identity')
    .where('tenant_id', '=', tenantId)
    .where('alias', '=', alias)
    .executeTakeFirst();
  return row?.identity ?? identity;
}

/** Takes an alias away; returns the identity it stood for, if there was one. */
export async function removeAlias(db: Db, tenantId: string, alias: string): Promise<string | undefined> {
  const row = await db
    .deleteFrom('subject_aliases')
    .where('tenant_id', '=', tenantId)
    .where('alias', '=', alias)
    .returning('identity')
    .executeTakeFirst();
  return row?.identity;
}

/** The tenant's aliases in the order of the identities. */
export function listAliases(db: Db, tenantId: string) {
  return db
    .selectFrom('subject_aliases')
    .select(['alias', 'identity', 'created_at'])
    .where('tenant_id', '=', tenantId)
    .orderBy('identity')
    .orderBy('alias')
    .execute();
}
