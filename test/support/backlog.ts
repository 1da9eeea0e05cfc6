import { sql } from 'kysely';
import { randomBytes } from 'node:crypto';
import { readConfig } from '../../src/config.ts';
import type { Db } from '../../src/db/database.ts';
import { endpointOf } from '../../src/deliveries/endpoint.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { serve } from '../../src/serve.ts';
import { createIntegration } from '../../src/tenants/keys.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { createDatabase } from './database.ts';
import type { TestDatabase } from './database.ts';
import { startRedis } from './redis.ts';
import { testEnv } from './server.ts';
import type { Backend } from './server.ts';

/** Which deliveries to insert, besides where they go; `lane` and `attempts` as in the table. */
export type Wish = { count: number; lane?: number; attempts?: number; dueInS?: number; type?: string };
export type Owner = { tenantId: string; integrationId: string };

/** Inserts deliveries that are due to a URL, each with an event of its own, past all that would create them one by one. */
export async function insertDue(db: Db, owner: Owner, url: string, wish: Wish): Promise<string> {
  const { count, lane = 0, attempts = 0, dueInS = 0, type = 'challenge.completed' } = wish;
  const { tenantId, integrationId } = owner;
  const { endpoint_id, origin } = endpointOf(integrationId, url);
  await sql`insert into endpoints (id, tenant_id, integration_id, mode, origin, created_at)
    values (${endpoint_id}, ${tenantId}, ${integrationId}, 'test', ${origin}, now()) on conflict do nothing`.execute(
    db,
  );
  await sql`
    with made as (
      insert into events (id, tenant_id, mode, type, body, occurred_at)
      select gen_random_uuid(), ${tenantId}, 'test', ${type}, json_build_object('n', n), now()
      from generate_series(1, ${count}::integer) n
      returning id
    )
    insert into deliveries (id, event_id, endpoint_id, tenant_id, integration_id, url, lane, attempts,
      next_attempt_at, created_at)
    select gen_random_uuid(), id, ${endpoint_id}, ${tenantId}, ${integrationId}, ${url}, ${lane}, ${attempts},
      now() + ${dueInS} * interval '1 second', now() from made`.execute(db);
  return endpoint_id;
}

/** An integration that owns deliveries; `changes` are columns that only SQL sets. */
export async function insertOwner(
  db: Db,
  key: Buffer,
  changes: { retry_waits_s?: number[]; in_flight_cap?: number } = {},
): Promise<Owner> {
  const tenantId = await insertTenant(db, 'Owner');
  const name = `owner ${randomBytes(3).toString('hex')}`;
  const wish = { tenant_id: tenantId, name, mode: 'test', callback_url: null } as const;
  const { integrationId } = await createIntegration(db, createSealer([key]), wish);
  if (Object.keys(changes).length > 0)
    await db.updateTable('integrations').set(changes).where('id', '=', integrationId).execute();
  return { tenantId, integrationId };
}

/** How many deliveries to an endpoint, or to all, have each status. */
export async function countByStatus(db: Db, endpointId?: string): Promise<{ [status: string]: number }> {
  const rows = await db
    .selectFrom('deliveries')
    .select(['status', (eb) => eb.fn.countAll<string>().as('count')])
    .$if(endpointId !== undefined, (query) => query.where('endpoint_id', '=', endpointId ?? ''))
    .groupBy('status')
    .execute();
  return Object.fromEntries(rows.map(({ status, count }) => [status, Number(count)]));
}

/** A worker in this process on a database of its own, which `reach` may lead to by a detour. */
export async function startWorker(
  env: Record<string, string> = {},
  reach: (database: TestDatabase) => Promise<string> = async (database) => database.url,
) {
  const database = await createDatabase();
  const key = randomBytes(32);
  const { db } = database;
  const owner = await insertOwner(db, key);
  const running = await serve(readConfig(testEnv(await reach(database), undefined, key, env)), 'worker');
  return {
    db,
    key,
    owner,
    /** where its metrics are, when OPS_PORT is set */
    opsUrl: running.opsUrl,
    /** Stops the worker and leaves the database, to look at. */
    stop: () => running.close(),
    async close() {
      await running.close();
      await database.close();
    },
  };
}

export type TestWorker = Awaited<ReturnType<typeof startWorker>>;

/** A database and a queue for workers that run as processes of their own; all is closed at the end. */
export async function withWorkers(
  backend: Backend,
  play: (stage: WorkersStage) => Promise<void>,
): Promise<void> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    await play(await openWorkers(backend, closers));
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function openWorkers(backend: Backend, closers: (() => Promise<unknown>)[]) {
  const database = await createDatabase();
  closers.push(() => database.close());
  const redis = backend === 'redis' ? await startRedis() : undefined;
  if (redis) closers.push(() => redis.close());
  const key = randomBytes(32);
  const { db } = database;
  return {
    db,
    key,
    owner: await insertOwner(db, key),
    closeLater: (close: () => Promise<unknown>) => void closers.push(close),
    /** One more worker process, with these settings besides. */
    async work(env: Record<string, string> = {}): Promise<Child> {
      const settings = testEnv(database.url, redis?.url, key, { LOG_LEVEL: 'warn', ...env });
      const child = await startChild(settings, 'worker');
      closers.push(() => child.kill());
      return child;
    },
  };
}

export type WorkersStage = Awaited<ReturnType<typeof openWorkers>>;
