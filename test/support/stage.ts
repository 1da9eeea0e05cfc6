import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import supertest from 'supertest';
import { createSealer } from '../../src/kernel/crypto.ts';
import { createIntegration } from '../../src/tenants/keys.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { createDatabase } from './database.ts';
import { cancel } from './deliveries.ts';
import { startRedis } from './redis.ts';
import { testEnv } from './server.ts';
import type { Backend, Created } from './server.ts';
import { startSink } from './sink.ts';
import type { Answer } from './sink.ts';

/** The name of the connection that holds the queue. */
export const HOLDER = 'holder';
/** Longer than any test that holds a queue. */
const HELD_MS = 100_000;

/** Everything around servers that run as processes of their own: database, Redis, a caller, a receiver. All is closed at the end. */
export async function withStage(
  backend: Backend,
  play: (stage: Stage) => Promise<void>,
  answer?: Answer,
): Promise<void> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    await play(await openStage(backend, answer, closers));
  } finally {
    for (const close of closers.reverse()) await close();
  }
}

async function openStage(backend: Backend, answer: Answer | undefined, closers: (() => Promise<unknown>)[]) {
  const database = await createDatabase();
  closers.push(() => database.close());
  const redis = backend === 'redis' ? await startRedis() : undefined;
  if (redis) closers.push(() => redis.close());
  const sink = await startSink(answer);
  closers.push(() => sink.close());

  const { db } = database;
  const key = randomBytes(32);
  const settings = testEnv(database.url, redis?.url, key, { LOG_LEVEL: 'warn' });
  const sealer = createSealer([key]);
  const { apiKey } = await createIntegration(db, sealer, {
    tenant_id: await insertTenant(db, 'Default'),
    name: 'Stage',
    mode: 'test',
    callback_url: sink.url,
  });
  const { connection } = database;
  /** One statement on a connection of its own, past all pools. */
  const query = async <Row extends pg.QueryResultRow>(sql: string, on = connection): Promise<Row[]> => {
    const client = new pg.Client(on);
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    db,
    query,
    redis,
    sink,
    apiKey,
    sealer,
    /** How many jobs wait in the queue of callbacks. */
    async queued(): Promise<number> {
      if (redis) return redis.length('bull:callbacks:wait');
      const rows = await query(`select 1 from jobs.job where queue = 'callbacks' and state = 'waiting'`);
      return rows.length;
    },
    /** From now on nothing can be handed over to the queue, until the returned function is called. */
    async holdQueue(): Promise<() => Promise<void>> {
      if (redis) {
        await redis.pauseWrites(HELD_MS);
        return () => redis.resumeWrites();
      }
      const client = new pg.Client({ ...connection, application_name: HOLDER });
      client.on('error', () => undefined);
      await client.connect();
      await client.query('begin; lock table jobs.job in access exclusive mode');
      return () => client.end();
    },
    /** Cuts all connections to the database and lets none in for a while, as a restart or a failover would. */
    async outage(ms: number): Promise<void> {
      const elsewhere = { ...connection, database: 'postgres' };
      const allow = (allowed: boolean) =>
        query(`alter database ${connection.database} with allow_connections ${allowed}`, elsewhere);
      await allow(false);
      await query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${connection.database}'`,
        elsewhere,
      );
      await sleep(ms);
      await allow(true);
    },
    /** Another process on the same database and queue. */
    async serve(role?: 'all' | 'api' | 'worker'): Promise<Child> {
      const child = await startChild(settings, role);
      closers.push(() => child.kill());
      return child;
    },
    /** Creates a challenge through this server and ends it, which makes a callback due. */
    async settle({ url }: Child): Promise<string> {
      const request = supertest(url);
      const created = await request
        .post('/api/v1/challenges')
        .set('X-API-Key', apiKey)
        .send({ target_user_email: 'ada@example.com' })
        .expect(201);
      const { challenge_id } = created.body as Created;
      await cancel({ request, apiKey }, { challenge_id });
      return challenge_id;
    },
  };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;
