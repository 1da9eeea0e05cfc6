import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type pg from 'pg';
import { poolSettings } from './db/client.ts';
import type { Connection } from './db/client.ts';
import { rateLimited } from './kernel/log.ts';
import type { Log } from './kernel/log.ts';
import { unreachable } from './kernel/unreachable.ts';

/** `callbacks` names endpoints with something due, `retries` those with later retries alone, `inbox` kept webhooks. */
export type QueueName = 'callbacks' | 'retries' | 'inbox';
/** A job names a row; what it means and whether it is still due stands in PostgreSQL. */
export type Job = { key: string; rowId: string; delayMs?: number };
export type Jobs = {
  /** Hands jobs over; a key already waiting is not added twice. Rejects when the store does not answer in time. */
  add(name: QueueName, jobs: Job[]): Promise<void>;
  /** Starts a worker in this process; `handle` must be safe to run twice for one row. */
  work(name: QueueName, concurrency: number, handle: (rowId: string) => Promise<void>): void;
  /** Stops taking jobs and waits for those under way, which may still add some. */
  drain(): Promise<void>;
  /** Drains and closes the queues. */
  close(): Promise<void>;
};

const SCHEMA = 'jobs';
const POOL_SIZE = 3;
const ANSWER_MS = 5_000;
/** How long a store gets to say goodbye, once no handler runs any more. */
const CLOSE_MS = 2_000;
/** How soon a worker that could not reach its store is built anew. */
const REBUILD_MS = 1_000;
/** A job whose process died runs again after about lock + interval. */
const WORKER_SETTINGS = { lockDuration: 30_000, stalledInterval: 5_000, maxStalledCount: 3 };
/** Done is done: the rows keep the history, and a kept job would swallow its key. */
const JOB_SETTINGS = { removeOnComplete: true, removeOnFail: true };

/** BullMQ on Redis when a URL is given, else on the same PostgreSQL; both behave alike. */
export function createJobs(options: {
  redisUrl: string | undefined;
  connection: Connection;
  log: Log;
  /** how long PostgreSQL may owe an answer before its connection counts as dead */
  answerTimeoutMs?: number;
}): Jobs {
  const { log, redisUrl } = options;
  const news = `the queue reports an error${redisUrl ? '; is Redis running, and is REDIS_URL right?' : ''}`;
  const report = rateLimited((error) => log.warn({ err: error }, news));
  const store = storeOf(options);
  const workers = new Set<Worker>();
  let closed = false;
  let leaving = false;
  // Connections on their way out when their store stops are no news.
  const hear = (error: unknown) => leaving || report(error);
  const running = new Set<Promise<void>>();
  const handled = async () => {
    while (running.size > 0) await Promise.allSettled(running);
  };
  const queues = new Map<QueueName, Promise<Queue>>();
  const queueOf = (name: QueueName) => {
    const known = queues.get(name);
    if (known) return known;
    const queue = store.queue(name);
    queue.on('error', hear);
    const ready = withDeadline(queue.waitUntilReady()).then(() => queue);
    queues.set(name, ready);
    // One built while its store is away may stay broken for ever: the next caller builds another.
    ready.catch(() => {
      queues.delete(name);
      queue.close().catch(report);
    });
    return ready;
  };

  const startWorker = (name: QueueName, concurrency: number, handle: Handle) => {
    if (closed) return;
    const worker = store.worker(name, concurrency, handle);
    workers.add(worker);
    worker.on('error', hear);
    // The row keeps its own count and time of retry, so a failed job is only news for the log.
    worker.on('failed', (job, error) => log.warn({ err: error, queue: name, job: job?.id }, 'a job failed'));
    // One built while its store is away may stay broken for ever, without a word: another takes its place.
    worker.waitUntilReady().catch((error: unknown) => {
      report(error);
      workers.delete(worker);
      worker.close().catch(report);
      setTimeout(() => startWorker(name, concurrency, handle), REBUILD_MS).unref();
    });
  };

  let drained: Promise<void> | undefined;
  const drain = () => (drained ??= endWork());
  const endWork = async () => {
    // From here on no job is taken; but while its store is away, a worker never finishes closing.
    closed = true;
    const closing = Promise.all([...workers].map((worker) => worker.close()));
    await handled();
    await withDeadline(closing, CLOSE_MS).catch(report);
    await handled(); // a job that was just being fetched
  };

  return {
    async add(name, jobs) {
      if (jobs.length === 0) return;
      const bulk = jobs.map(({ key, rowId, delayMs = 0 }) => ({
        name,
        data: { rowId },
        opts: { ...JOB_SETTINGS, jobId: key, ...(delayMs > 0 ? { delay: delayMs } : {}) },
      }));
      const queue = await queueOf(name);
      await withDeadline(queue.addBulk(bulk));
    },
    work(name, concurrency, handle) {
      startWorker(name, concurrency, (rowId) => {
        const run = handle(rowId).finally(() => running.delete(run));
        running.add(run);
        return run;
      });
    },
    drain,
    async close() {
      await drain();
      leaving = true;
      const close = async (queue: Promise<Queue>) => withDeadline((await queue).close(), CLOSE_MS);
      await Promise.all([...queues.values()].map((queue) => close(queue).catch(report)));
    },
  };
}

type Handle = (rowId: string) => Promise<void>;
type Store = {
  queue(name: QueueName): Queue;
  worker(name: QueueName, concurrency: number, handle: Handle): Worker;
};

/** The seam between two backends whose types differ: from here on both look like BullMQ's default. */
function storeOf(
  options: Pick<Parameters<typeof createJobs>[0], 'redisUrl' | 'connection' | 'answerTimeoutMs'>,
): Store {
  const { redisUrl, connection, answerTimeoutMs } = options;
  const processor = (handle: Handle) => (job: { data: { rowId: string } }) => handle(job.data.rowId);
  if (redisUrl) {
    // A hand-over gives up soon, because the sweep comes again; a worker waits for Redis as long as it takes.
    const failFast = { url: redisUrl, maxRetriesPerRequest: 1 };
    const patient = { url: redisUrl, maxRetriesPerRequest: null };
    return {
      queue: (name) => new Queue(name, { connection: failFast }),
      worker: (name, concurrency, handle) =>
        new Worker(name, processor(handle), { ...WORKER_SETTINGS, connection: patient, concurrency }),
    };
  }
  const settings = {
    connection: {
      ...poolSettings(connection, answerTimeoutMs),
      // What a crash of PostgreSQL takes from the queue, the sweep hands over again: no job waits for the disk.
      options: '-c synchronous_commit=off',
      ...{ schema: SCHEMA, max: POOL_SIZE },
    },
  };
  return {
    queue: (name) => new Queue(name, settings, createPostgresBackend) as unknown as Queue,
    worker: (name, concurrency, handle) =>
      new Worker(
        name,
        processor(handle),
        { ...WORKER_SETTINGS, ...settings, concurrency },
        createPostgresBackend,
      ) as unknown as Worker,
  };
}

/** Creates or upgrades the queue's own tables, and has them vacuumed often; a no-op when they are current. */
export async function migrateQueue(client: pg.Client): Promise<void> {
  await runMigrations(client, SCHEMA);
  // Its rows live for moments; with default settings dead ones pile up and make it several times slower.
  const { rows } = await client.query(
    `select from pg_class where oid = '${SCHEMA}.job'::regclass and reloptions is not null`,
  );
  if (rows.length > 0) return;
  await client.query(`alter table ${SCHEMA}.job set (autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)`);
}

/** Asks a Redis whether it answers, and returns its maxmemory-policy; throws, with the cure, when it does not answer in time. */
export async function checkRedis(url: string): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  let reason: unknown;
  redis.on('error', (error) => (reason = error)); // the rejection itself says only that the connection is closed
  try {
    await withDeadline(redis.connect()).catch((error: unknown) => {
      const { host, port } = redis.options;
      throw unreachable('Redis', `${host}:${port}`, 'REDIS_URL', reason ?? error);
    });
    const answer = await withDeadline(redis.config('GET', 'maxmemory-policy'));
    return String((answer as unknown[])[1]);
  } finally {
    redis.disconnect();
  }
}

async function withDeadline<T>(work: Promise<T>, ms = ANSWER_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the queue did not answer in time')), ms);
  });
  // The loser may still reject later, when nobody listens any more.
  work.catch(() => undefined);
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}
