import type { Db } from '../db/database.ts';
import { newId } from '../kernel/id.ts';
import type { Log } from '../kernel/log.ts';
import { rateLimited } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Job, Jobs, QueueName } from '../queue.ts';
import { LATE_LANE } from './claim-store.ts';
import type { Result } from './finish-store.ts';
import { releaseOverdue } from './hold-store.ts';
import { buryDisabled, findBusy } from './sweep-store.ts';

/** Tells the queue which endpoints have something due. A job names an endpoint; what is due stands in PostgreSQL. */
export type Relay = {
  /** Deliveries for these endpoints were committed: hand them over soon. Never waits, never throws. */
  wake: (endpointIds: readonly string[]) => void;
  /** The job for an attempt whose time is already written in its row. */
  schedule: (
    endpointId: string,
    next: Pick<Result, 'delivery_id' | 'attempts' | 'lane'> & { wait_ms: number },
  ) => void;
  /** Hands over all that is due and that nobody carries: what was held, and what a crash, a lost job or a lapsed lease left behind. */
  sweep: () => Promise<void>;
  close: () => Promise<void>;
};

/** Wakes within this time share one hand-over. */
const COALESCE_MS = 5;
const MAX_BATCH = 500;
/** The job comes a little after its time: the queue's clock and the database's need not agree. */
const AFTER_MS = 50;
/** A sweep's job for one endpoint is not repeated sooner, however long it waits for a worker. */
const SWEEP_AGAIN_MS = 5_000;

export function createRelay({
  db,
  jobs,
  metrics,
  log,
}: {
  db: Db;
  jobs: Jobs;
  metrics: Metrics;
  log: Log;
}): Relay {
  const report = rateLimited((error) =>
    log.warn({ err: error }, 'deliveries could not be handed over; the sweep will try again'),
  );
  const waiting: Record<'callbacks' | 'retries', Map<string, Job>> = {
    callbacks: new Map(),
    retries: new Map(),
  };
  let timer: NodeJS.Timeout | undefined;
  const running = new Set<Promise<unknown>>();

  const add = (name: QueueName, gathered: Job[]) => {
    const adding = jobs
      .add(name, gathered)
      .catch(report)
      .finally(() => running.delete(adding));
    running.add(adding);
  };
  const flush = () => {
    timer = undefined;
    for (const name of ['callbacks', 'retries'] as const) {
      const gathered = [...waiting[name].values()];
      waiting[name].clear();
      for (let from = 0; from < gathered.length; from += MAX_BATCH)
        add(name, gathered.slice(from, from + MAX_BATCH));
    }
  };
  const gather = (name: 'callbacks' | 'retries', of: string, job: Job) => {
    waiting[name].set(of, job);
    timer ??= setTimeout(flush, COALESCE_MS);
  };

  return {
    wake(endpointIds) {
      for (const rowId of endpointIds) gather('callbacks', rowId, { key: `w_${newId()}`, rowId });
    },
    schedule(endpointId, { delivery_id, attempts, lane, wait_ms }) {
      const key = `r_${delivery_id}_${attempts + 1}_${newId().slice(-6)}`;
      const job = { key, rowId: endpointId, delayMs: wait_ms + AFTER_MS };
      // Later retries have workers of their own, so that they never keep first attempts waiting.
      gather(lane === LATE_LANE ? 'retries' : 'callbacks', key, job);
    },
    async sweep() {
      await releaseOverdue(db);
      const busy = await findBusy(db);
      const round = Math.floor(Date.now() / SWEEP_AGAIN_MS);
      for (const late of [false, true]) {
        const found = busy.filter((one) => one.late === late);
        const handed = found.map(({ endpoint_id }) => ({
          key: `s_${endpoint_id}_${round}`,
          rowId: endpoint_id,
        }));
        for (let from = 0; from < handed.length; from += MAX_BATCH)
          await jobs.add(late ? 'retries' : 'callbacks', handed.slice(from, from + MAX_BATCH));
      }
      const buried = await buryDisabled(db);
      metrics.givenUpTotal.inc({ reason: 'endpoint_disabled' }, buried);
    },
    async close() {
      // What is not handed over any more, the next sweep finds.
      clearTimeout(timer);
      await Promise.all(running);
    },
  };
}
