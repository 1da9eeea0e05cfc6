import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { connectDatabase } from '../../src/db/database.ts';
import { answers } from '../../src/db/health.ts';
import { every } from '../../src/kernel/every.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createJobs } from '../../src/queue.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { until } from '../support/until.ts';

/** The way to the database may take every packet without a word: a failover, a firewall that forgot us. */
const ANSWER_MS = 1_000;
const RECOVERED_MS = 10_000;

let database: TestDatabase;
let proxy: Awaited<ReturnType<typeof startDatabaseProxy>>;
beforeEach(async () => {
  database = await createDatabase();
  proxy = await startDatabaseProxy(database);
});
afterEach(async () => {
  await proxy.close();
  await database.close();
});

test('work repeated on a connection that fell silent goes on over a new one', async () => {
  const limits = { poolSize: 1, answerTimeoutMs: ANSWER_MS };
  const { db, pool } = connectDatabase({ connectionString: proxy.url }, () => undefined, limits);
  let done = 0;
  const failures: unknown[] = [];
  const work = async () => {
    await db.transaction().execute((tx) => tx.selectFrom('tenants').select('id').execute());
    done += 1;
  };
  const stop = every(20, work, (error) => failures.push(error));
  await until(() => done > 3, 'work');
  proxy.hush();
  const before = done;
  await until(() => done > before + 3, 'work after the silence', RECOVERED_MS);
  await stop();
  expect(failures.length).toBeGreaterThanOrEqual(1);
  expect(pool.totalCount).toBe(1);
  await db.destroy();
});

test('a connection that owes no answer stays', async () => {
  const limits = { poolSize: 1, answerTimeoutMs: ANSWER_MS };
  const { db, pool } = connectDatabase({ connectionString: proxy.url }, () => undefined, limits);
  let connections = 0;
  pool.on('connect', () => (connections += 1));
  expect(await answers(db)).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 2 * ANSWER_MS));
  expect(await answers(db)).toBe(true);
  expect(connections).toBe(1);
  await db.destroy();
});

test('the queue takes and hands out jobs again after all its connections fell silent', async () => {
  const connection = { connectionString: proxy.url };
  const log = createLog('silent');
  const jobs = createJobs({ redisUrl: undefined, connection, log, answerTimeoutMs: ANSWER_MS });
  const handled: string[] = [];
  jobs.work('callbacks', 5, async (rowId) => void handled.push(rowId));
  await jobs.add('callbacks', [{ key: 'd_1', rowId: 'before' }]);
  await until(() => handled.includes('before'), 'the first job');
  proxy.hush();
  const add = () => jobs.add('callbacks', [{ key: 'd_2', rowId: 'after' }]);
  await until(
    () =>
      add().then(
        () => true,
        () => false,
      ),
    'a queue that takes jobs again',
    RECOVERED_MS,
  );
  await until(() => handled.includes('after'), 'the second job', 2 * RECOVERED_MS);
  await jobs.close();
});
