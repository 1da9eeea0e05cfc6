import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Connection } from './db/database.ts';
import { rateLimited } from './kernel/log.ts';
import type { Log } from './kernel/log.ts';

/** `callbacks` carries deliveries to endpoints, `inbox` carries kept webhooks to their handler. */
export type QueueName = 'callbacks' | 'inbox';
/** A job names a row; what it means and whether it is still due stands in PostgreSQL. */
export type Job = { key: string; rowId: string; delayMs?: number };
export type Jobs = {
  /** Hands jobs over; a key already waiting is not added twice. Rejects when the store does not answer in time. */
  add(name: QueueName, jobs: Job[]): Promise<void>;
  /** Starts a worker in this process; `handle` must be safe to run twice for one row. */
  work(name: QueueName, concurrency: number, handle: (rowId: string) => Promise<void>): void;
  /** Stops taking jobs and waits for those under way. */
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
}): Jobs {
  const { log } = options;
  const report = rateLimited((error) => log.warn({ err: error }, 'the queue reports an error'));
  const store = storeOf(options);
  const workers = new Set<Worker>();
  let closed = false;
  const running = new Set<Promise<void>>();
  const drained = async () => {
    while (running.size > 0) await Promise.allSettled(running);
  };
  const queues = new Map<QueueName, Promise<Queue>>();
  const queueOf = (name: QueueName) => {
    const known = queues.get(name);
    if (known) return known;
    const queue = store.queue(name);
    queue.on('error', report);
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
    worker.on('error', report);
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
    async close() {
      // From here on no job is taken; but while its store is away, a worker never finishes closing.
      closed = true;
      const closing = Promise.all([...workers].map((worker) => worker.close()));
      await drained();
      await withDeadline(closing, CLOSE_MS).catch(report);
      await drained(); // a job that was just being fetched
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
function storeOf({ redisUrl, connection }: { redisUrl: string | undefined; connection: Connection }): Store {
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
  const settings = { connection: { ...connection, schema: SCHEMA, max: POOL_SIZE, Client: HeardClient } };
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

/** BullMQ checks out connections without listening to them; one that breaks then would end the process. Its query fails as well. */
class HeardClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
  }
}

/** Creates or upgrades the queue's own tables; a no-op when they are current. */
export async function migrateQueue(client: pg.Client): Promise<void> {
  await runMigrations(client, SCHEMA);
}

/** Asks a Redis whether it answers, and returns its maxmemory-policy; throws when it does not answer in time. */
export async function checkRedis(url: string): Promise<string> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  redis.on('error', () => undefined);
  try {
    await withDeadline(redis.connect());
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
