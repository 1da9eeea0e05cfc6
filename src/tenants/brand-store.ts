import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Tenants } from '../generated/database.ts';

/** Whom people may ask; only what is filled in is shown. */
export type Support = { email?: string; phone?: string; slack?: string; url?: string };
/** As people read them. */
export const CONTACTS = ['email', 'phone', 'slack', 'url'] as const satisfies (keyof Support)[];
export type LogoType = 'image/png' | 'image/jpeg' | 'image/webp';
export type Logo = { bytes: Buffer; type: LogoType };
/** How a tenant shows itself to people. */
export type Brand = {
  id: string;
  /** null: nobody has named it yet */
  name: string | null;
  support: Support;
  /** the version of its logo, a part of the logo's address */
  logo: string | null;
};

/** What the first tenant is called until somebody names it; it says nothing to people. */
const NAMELESS = 'Default';

/** How this tenant shows itself; throws if there is none. */
export async function findBrand(db: Db, tenantId: string): Promise<Brand> {
  return brandOf(await selectBrands(db).where('id', '=', tenantId).executeTakeFirstOrThrow());
}

/** The brand of the only tenant, for pages that belong to no challenge; undefined when there are several. */
export async function findOnlyBrand(db: Db): Promise<Brand | undefined> {
  const [first, second] = await selectBrands(db).limit(2).execute();
  return first && !second ? brandOf(first) : undefined;
}

/** The tenant's logo, if it has one. */
export async function findLogo(db: Db, tenantId: string): Promise<Logo | undefined> {
  const row = await db
    .selectFrom('tenants')
    .select(['logo', 'logo_type'])
    .where('id', '=', tenantId)
    .executeTakeFirst();
  return row?.logo && row.logo_type ? { bytes: row.logo, type: row.logo_type } : undefined;
}

/** Changes how the tenant shows itself; what is left out stays, and null takes a name or a logo away. */
export async function saveBrand(
  db: Db,
  tenantId: string,
  { name, support, logo }: { name?: string | null; support?: Support; logo?: Logo | null },
): Promise<void> {
  await db
    .updateTable('tenants')
    .set({
      ...(name === undefined ? {} : { name: name ?? NAMELESS }),
      ...(support === undefined ? {} : { support: sql`${JSON.stringify(support)}::jsonb` }),
      ...(logo === undefined ? {} : { logo: logo?.bytes ?? null, logo_type: logo?.type ?? null }),
    })
    .where('id', '=', tenantId)
    .execute();
}

function selectBrands(db: Db) {
  return db
    .selectFrom('tenants')
    .select(['id', 'name', 'support'])
    .select(sql<string | null>`left(encode(sha256(logo), 'hex'), 16)`.as('logo'));
}

function brandOf(row: Pick<Selectable<Tenants>, 'id' | 'name' | 'support'> & { logo: string | null }): Brand {
  const { name, support } = row;
  // The database has an order of its own for names in JSON.
  const inOrder = CONTACTS.flatMap((contact) =>
    support[contact] === undefined ? [] : [[contact, support[contact]]],
  );
  return { ...row, name: name === NAMELESS ? null : name, support: Object.fromEntries(inOrder) as Support };
}
