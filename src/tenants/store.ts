import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { Integrations } from '../generated/database.ts';
import { newId } from '../kernel/id.ts';
import { providersOf } from './providers-store.ts';

export type Mode = 'test' | 'live';
/** What a key may be allowed: to create (and so to end) challenges, to read them, to take personal data out of them, to send callbacks again. */
export const SCOPES = [
  'challenges:create',
  'challenges:read',
  'challenges:erase',
  'deliveries:manage',
] as const;
/** What a key may do unless somebody says otherwise. */
export const DEFAULT_SCOPES = ['challenges:create', 'challenges:read', 'deliveries:manage'] as const;
export type KeyRights = { scopes: string[]; own_only: boolean };
/** What can be said of an integration when it is made. */
export type NewIntegration = Pick<
  Insertable<Integrations>,
  'tenant_id' | 'kind' | 'name' | 'callback_url' | 'events' | 'retry_waits_s' | 'in_flight_cap'
> & { mode: Mode };
/** Who is asking: the integration behind an API key, and what its tenant has decided. */
export type Caller = {
  tenant_id: string;
  integration_id: string;
  mode: Mode;
  key_prefix: string;
  valid_until: Date | null;
  scopes: string[];
  /** sees only the challenges of its own integration */
  own_only: boolean;
  callback_url: string | null;
  default_expiry_minutes: number | null;
  /** the providers and sign-in services set up for this mode, oldest first, and the one the tenant chose for challenges that name none */
  providers: string[];
  default_provider: string | null;
  /** how many runs at its provider a challenge may take */
  provider_attempts: number;
  allowed_domains: string[];
};

/** Any number, the same in every process. */
const FIRST_START_LOCK = 7_230_452;

/** The caller behind the hash of an API key, whether the key is still valid or not. */
export function findCaller(db: Db, keyHash: string): Promise<Caller | undefined> {
  return callers(db)
    .innerJoin('api_keys', 'api_keys.integration_id', 'integrations.id')
    .select(['api_keys.key_prefix', 'api_keys.valid_until', 'api_keys.scopes', 'api_keys.own_only'])
    .where('key_hash', '=', keyHash)
    .executeTakeFirst();
}

/** The integration itself as a caller: somebody asks by it who has no API key, but is known to it otherwise. */
export async function findCallerOf(db: Db, integrationId: string): Promise<Caller | undefined> {
  const caller = await callers(db).where('integrations.id', '=', integrationId).executeTakeFirst();
  if (!caller) return undefined;
  const rights = { scopes: [...DEFAULT_SCOPES], own_only: false };
  return { ...caller, ...rights, key_prefix: 'slack', valid_until: null };
}

function callers(db: Db) {
  return db
    .selectFrom('integrations')
    .innerJoin('tenants', 'tenants.id', 'integrations.tenant_id')
    .leftJoin('tenant_modes', (join) =>
      join
        .onRef('tenant_modes.tenant_id', '=', 'integrations.tenant_id')
        .onRef('tenant_modes.mode', '=', 'integrations.mode'),
    )
    .select((eb) => [
      'integrations.tenant_id',
      'integrations.id as integration_id',
      'integrations.mode',
      'integrations.callback_url',
      'tenants.default_expiry_minutes',
      'tenant_modes.default_provider',
      eb.fn.coalesce('tenant_modes.provider_attempts', eb.lit(1)).as('provider_attempts'),
      eb.fn.coalesce('tenant_modes.allowed_domains', sql<string[]>`'{}'`).as('allowed_domains'),
      providersOf(eb.ref('integrations.tenant_id'), eb.ref('integrations.mode')).as('providers'),
    ]);
}

/** Lets one process at a time look whether there is a tenant yet; until the transaction ends. */
export async function lockFirstStart(tx: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(${FIRST_START_LOCK})`.execute(tx);
}

/** The oldest tenant: the one that commands mean when none is named. */
export function findFirstTenant(db: Db) {
  return db.selectFrom('tenants').selectAll().orderBy('created_at').orderBy('id').executeTakeFirst();
}

/** Adds a tenant and returns its id. */
export async function insertTenant(db: Db, name: string): Promise<string> {
  const id = newId();
  await db.insertInto('tenants').values({ id, name }).execute();
  return id;
}

/** Sets the tenant's expiry window in minutes; null returns to the server's default. */
export async function setDefaultExpiry(db: Db, tenantId: string, minutes: number | null): Promise<void> {
  await db
    .updateTable('tenants')
    .set({ default_expiry_minutes: minutes })
    .where('id', '=', tenantId)
    .execute();
}

/** Adds a webhook integration and returns its id. */
export async function insertIntegration(db: Db, integration: NewIntegration): Promise<string> {
  const id = newId();
  await db
    .insertInto('integrations')
    .values({ id, ...integration })
    .execute();
  return id;
}

/** All integrations of a tenant, oldest first, with the prefixes of their valid keys. */
export function listIntegrations(db: Db, tenantId: string, now: Date) {
  return db
    .selectFrom('integrations')
    .leftJoin('api_keys', (join) =>
      join
        .onRef('api_keys.integration_id', '=', 'integrations.id')
        .on((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', now)])),
    )
    .select((eb) => [
      'integrations.id',
      'integrations.kind',
      'integrations.name',
      'integrations.mode',
      'integrations.callback_url',
      'integrations.events',
      'integrations.retry_waits_s',
      'integrations.in_flight_cap',
      'integrations.headers_sealed',
      'integrations.tls_sealed',
      'integrations.created_at',
      eb
        .fn<string[]>('array_remove', [eb.fn.agg('array_agg', ['key_prefix']), eb.val(null)])
        .as('key_prefixes'),
    ])
    .where('tenant_id', '=', tenantId)
    .groupBy('integrations.id')
    .orderBy('integrations.id')
    .execute();
}

/** The tenant's integration with this id, or all with this name. */
export async function findIntegrations(
  db: Db,
  tenantId: string,
  idOrName: string,
): Promise<Selectable<Integrations>[]> {
  const rows = await db
    .selectFrom('integrations')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('id')
    .execute();
  const byId = rows.filter((row) => row.id === idOrName);
  return byId.length > 0 ? byId : rows.filter((row) => row.name === idOrName);
}

/** Stores the hash of a new API key. */
export async function insertKey(
  db: Db,
  key: { integration_id: string; key_hash: string; key_prefix: string } & Partial<KeyRights>,
): Promise<void> {
  await db
    .insertInto('api_keys')
    .values({ id: newId(), ...key })
    .execute();
}

/** The rights of the integration's newest key, for one that is to replace it. */
export function findKeyRights(db: Db, integrationId: string): Promise<KeyRights | undefined> {
  return db
    .selectFrom('api_keys')
    .select(['scopes', 'own_only'])
    .where('integration_id', '=', integrationId)
    .orderBy('id', 'desc')
    .executeTakeFirst();
}

/** Lets the integration's valid keys (or the one with this prefix) end at `until`, unless they end sooner; returns their prefixes. */
export async function endKeys(
  db: Db,
  integrationId: string,
  until: Date,
  prefix?: string,
): Promise<string[]> {
  const rows = await db
    .updateTable('api_keys')
    .set({ valid_until: until })
    .where('integration_id', '=', integrationId)
    .where((eb) => eb.or([eb('valid_until', 'is', null), eb('valid_until', '>', until)]))
    .$if(prefix !== undefined, (q) => q.where('key_prefix', '=', prefix!))
    .returning('key_prefix')
    .execute();
  return rows.map((row) => row.key_prefix);
}
