import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createLog } from '../src/kernel/log.ts';
import { createJobs } from '../src/queue.ts';
import type { Jobs } from '../src/queue.ts';
import { createDatabase } from './support/database.ts';
import type { TestDatabase } from './support/database.ts';
import { startRedis } from './support/redis.ts';
import { BACKENDS } from './support/server.ts';
import { until } from './support/until.ts';

const WAIT_MS = 20_000;

describe.each(BACKENDS)('the queue on %s', (backend) => {
  let database: TestDatabase;
  let redis: Awaited<ReturnType<typeof startRedis>> | undefined;
  let jobs: Jobs;
  const handled: string[] = [];
  beforeEach(async () => {
    handled.length = 0;
    database = await createDatabase();
    redis = backend === 'redis' ? await startRedis() : undefined;
    const log = createLog('silent');
    jobs = createJobs({ redisUrl: redis?.url, connection: database.connection, log });
  });
  afterEach(async () => {
    await jobs.close();
    await redis?.close();
    await database.close();
  });
  const handle = async (rowId: string) => void handled.push(rowId);
  const count = (n: number) => until(() => handled.length >= n, `${n} handled jobs`, WAIT_MS);

  /** The store is away while this runs. */
  async function whileAway(work: () => Promise<unknown>): Promise<void> {
    if (redis) {
      await redis.kill();
      await work();
      return redis.restart();
    }
    await letIn(database, false);
    await work();
    return letIn(database, true);
  }

  test('a key that is waiting is not added twice; afterwards it may come again', async () => {
    const job = { key: 'd_1', rowId: 'one' };
    await jobs.add('callbacks', [job, job]);
    await jobs.add('callbacks', [job]);
    jobs.work('callbacks', 5, handle);
    await count(1);
    await sleep(500);
    expect(handled).toEqual(['one']);
    await jobs.add('callbacks', [job]);
    await count(2);
  });

  test('a delayed job comes at its time, and one without delay overtakes it', async () => {
    jobs.work('callbacks', 5, handle);
    const begin = performance.now();
    await jobs.add('callbacks', [
      { key: 'r_1', rowId: 'later', delayMs: 1_000 },
      { key: 'd_1', rowId: 'now' },
    ]);
    await count(2);
    expect(handled).toEqual(['now', 'later']);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(1_000);
  });

  test('a job whose handler fails is gone, so that its key is free', async () => {
    jobs.work('callbacks', 5, async (rowId) => {
      await handle(rowId);
      throw new Error('on purpose');
    });
    await jobs.add('callbacks', [{ key: 'd_1', rowId: 'one' }]);
    await count(1);
    await sleep(200);
    await jobs.add('callbacks', [{ key: 'd_1', rowId: 'one' }]);
    await count(2);
  });

  test('a worker started while the store is away works once it is back', async () => {
    await whileAway(async () => {
      jobs.work('callbacks', 5, handle);
      await expect(jobs.add('callbacks', [{ key: 'd_1', rowId: 'lost' }])).rejects.toThrow();
      await sleep(1_500);
    });
    const add = () =>
      jobs.add('callbacks', [{ key: 'd_2', rowId: 'found' }]).then(
        () => true,
        () => false,
      );
    await until(add, 'a queue that takes jobs again', WAIT_MS);
    await until(() => handled.includes('found'), 'the job', WAIT_MS);
  });

  test('closing waits for the handler that runs and takes no further job', async () => {
    let ended = 0;
    jobs.work('callbacks', 1, async (rowId) => {
      await handle(rowId);
      await sleep(1_000);
      ended += 1;
    });
    await jobs.add('callbacks', [
      { key: 'd_1', rowId: 'one' },
      { key: 'd_2', rowId: 'two' },
    ]);
    await count(1);
    await jobs.close();
    expect(ended).toBe(handled.length);
    expect(handled).toHaveLength(1);
  });
});

/** Opens or shuts the database to everybody. */
async function letIn({ connection }: TestDatabase, allowed: boolean): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  await client.query(`alter database ${connection.database} with allow_connections ${allowed}`);
  if (!allowed) {
    const terminate = 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1';
    await client.query(terminate, [connection.database]);
  }
  await client.end();
}
