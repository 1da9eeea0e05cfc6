import { setTimeout as sleep } from 'node:timers/promises';

type Options = {
  atOnce: number;
  maxItems: number;
  isItemsFault: (error: unknown) => boolean;
  /** a call that is not full waits until so long after the one before began: fewer and larger calls when much goes on */
  paceMs?: number;
};
type Waiting<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void };

/**
 * Shares one call among the requests that come while the calls before are under way: nobody waits when little goes on,
 * and a busy server asks once for many. `run` answers in the order of its items. When a shared call fails because of
 * what is in an item (`isItemsFault`), each is tried alone, so that one does not fail its neighbours.
 */
export function batched<T, R>(
  run: (items: T[]) => Promise<R[]>,
  { atOnce, maxItems, isItemsFault, paceMs = 0 }: Options,
): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let running = 0;

  const next = async (): Promise<void> => {
    running++;
    while (waiting.length > 0) {
      const begunAt = performance.now();
      await settle(run, isItemsFault, waiting.splice(0, maxItems));
      const restMs = begunAt + paceMs - performance.now();
      if (restMs > 1 && waiting.length < maxItems) await sleep(restMs);
    }
    running--;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Not at once: requests read from their sockets in the same turn share a call too.
      if (running < atOnce && waiting.length === 1) setImmediate(() => running < atOnce && void next());
    });
}

async function settle<T, R>(
  run: (items: T[]) => Promise<R[]>,
  isItemsFault: Options['isItemsFault'],
  batch: Waiting<T, R>[],
): Promise<void> {
  try {
    const results = await run(batch.map(({ item }) => item));
    batch.forEach(({ resolve }, index) => resolve(results[index] as R));
  } catch (error) {
    if (batch.length > 1 && isItemsFault(error))
      for (const one of batch) await settle(run, isItemsFault, [one]);
    else for (const { reject } of batch) reject(error);
  }
}
