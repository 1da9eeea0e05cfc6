type Waiting<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void };

/**
 * Shares one call among the requests that come while the calls before are under way: nobody waits when little goes on,
 * and a busy server asks once for many. `run` answers in the order of its items. When a shared call fails, each item
 * is tried alone, so that one bad item does not fail its neighbours.
 */
export function batched<T, R>(
  run: (items: T[]) => Promise<R[]>,
  { atOnce, maxItems }: { atOnce: number; maxItems: number },
): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let running = 0;

  const next = async (): Promise<void> => {
    running++;
    while (waiting.length > 0) await settle(run, waiting.splice(0, maxItems));
    running--;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      // Not at once: requests read from their sockets in the same turn share a call too.
      if (running < atOnce && waiting.length === 1) setImmediate(() => running < atOnce && void next());
    });
}

async function settle<T, R>(run: (items: T[]) => Promise<R[]>, batch: Waiting<T, R>[]): Promise<void> {
  try {
    const results = await run(batch.map(({ item }) => item));
    batch.forEach(({ resolve }, index) => resolve(results[index] as R));
  } catch (error) {
    if (batch.length === 1) batch[0]?.reject(error);
    else for (const one of batch) await settle(run, [one]);
  }
}
