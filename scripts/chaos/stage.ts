import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { connectDatabase } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { insertOwner } from '../../test/support/backlog.ts';
import { startRedis } from '../../test/support/redis.ts';
import { testEnv } from '../../test/support/server.ts';
import type { Backend } from '../../test/support/server.ts';
import { until } from '../../test/support/until.ts';
import { startLoad } from './load.ts';
import type { Load } from './load.ts';
import { openPostgres } from './postgres.ts';
import { openReceivers } from './receivers.ts';
import { startWorker } from './worker.ts';
import type { Worker } from './worker.ts';

/** What became of a scenario's events; `note` is what only this scenario has to tell. */
export type Outcome = {
  created: number;
  delivered: number;
  duplicated: number;
  dead: number;
  lost: number;
  note: string;
};

/** Leases lapse after 20 s, jobs of dead workers run again after 30 s and more, retries come after a few seconds. */
const DRAIN_MS = 120_000;
const RETRY_SCHEDULE = '1s,2s,4s,8s,8s,8s,8s,8s,8s';

/** Everything around the workers of one scenario, in a folder that is removed with it; closers run in reverse order. */
export async function openStage(backend: Backend, closers: (() => Promise<unknown>)[]) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-chaos-'));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await openPostgres(folder);
  closers.push(() => postgres.stop());
  await migrate(postgres.connection);
  const redis = backend === 'redis' ? await startRedis() : undefined;
  if (redis) closers.push(() => redis.close());
  const { db } = connectDatabase(postgres.connection, () => undefined);
  closers.push(() => db.destroy());
  const receivers = await openReceivers();
  closers.push(() => receivers.close());
  const key = randomBytes(32);
  const owner = await insertOwner(db, key);
  const settings = testEnv(postgres.url, redis?.url, key, { LOG_LEVEL: 'error', RETRY_SCHEDULE });
  const workers: Worker[] = [];
  closers.push(() => Promise.all(workers.map((worker) => worker.kill())));
  let load: Load | undefined;

  return {
    ...{ db, postgres, redis, receivers, key, owner, workers, folder },
    /** One more worker; `ready` of it says when it works. */
    work(): Worker {
      const worker = startWorker(settings);
      workers.push(worker);
      return worker;
    },
    /** From now on events are committed. */
    load(): Load {
      load = startLoad(db, owner, receivers.urls);
      return load;
    },
    /** Ends the load, waits until nothing is left to deliver, and counts. */
    async settle(note: string): Promise<Outcome> {
      await load?.stop();
      const open = async () => (await count(db, `status = 'pending'`)) === 0;
      const isDrained = await until(() => open().catch(() => false), 'all delivered', DRAIN_MS).catch(
        () => false,
      );
      const { rows } = await sql<{ id: string; status: string }>`
        select event_id as id, status from deliveries`.execute(db);
      const known = new Set(rows.map(({ id }) => id));
      // Committed and not there, or there and neither received nor given up where everybody sees it.
      const vanished = [...(load?.committed ?? [])].filter((id) => !known.has(id)).length;
      const unseen = rows.filter(({ id, status }) => status !== 'dead' && !receivers.taken.has(id)).length;
      return {
        created: rows.length,
        delivered: rows.filter(({ status }) => status === 'delivered').length,
        duplicated: receivers.duplicates(),
        dead: rows.filter(({ status }) => status === 'dead').length,
        lost: vanished + unseen,
        note: isDrained ? note : `${note}; STILL OPEN after ${DRAIN_MS / 1_000} s`,
      };
    },
  };
}

export type Stage = Awaited<ReturnType<typeof openStage>>;

/** How many deliveries there are like this. */
export async function count(db: Stage['db'], where: string): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    select count(*) from deliveries where ${sql.raw(where)}`.execute(db);
  return Number(rows[0]?.count);
}
