import { readConfig } from '../../src/config.ts';
import type { Db } from '../../src/db/database.ts';
import { createEngine } from '../../src/deliveries/engine.ts';
import type { EngineDeps } from '../../src/deliveries/engine.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createMetrics } from '../../src/kernel/metrics.ts';
import { createReach } from '../../src/reach.ts';
import { testEnv } from './server.ts';

/** The delivery engine without queue, sweep or timers: it sends exactly when `carry` is called. */
export function startEngine(db: EngineDeps['db'], key: Buffer, changes: Partial<EngineDeps> = {}) {
  const config = readConfig(testEnv('postgres://unused@localhost/unused', undefined, key));
  const { outbound, reachOf } = createReach(config, false);
  const metrics = createMetrics();
  const { retryWaitsMs, inFlightCap } = config;
  const woken: string[] = [];
  const relay = { wake: (ids: readonly string[]) => void woken.push(...ids), schedule: () => undefined };
  const engine = createEngine({
    ...{ db, outbound, reachOf, sealer: createSealer([key]), metrics, retryWaitsMs, inFlightCap },
    ...{ relay, log: createLog('silent'), slack: noSlack, ...changes },
  });
  return {
    carry: engine.carry,
    stop: engine.stop,
    /** endpoints that it asked to be woken */
    woken,
    /** The value of a counter, of one label or of all. */
    async counted(name: string, label?: string): Promise<number> {
      const metric = await metrics.registry.getSingleMetric(`countersign_${name}`)?.get();
      const values = metric?.values ?? [];
      return values
        .filter(({ labels }) => label === undefined || Object.values(labels).includes(label))
        .reduce((sum, { value }) => sum + value, 0);
    },
    close: () => outbound.close(),
  };
}

/** None of these tests has anything to do in Slack. */
const noSlack = () => Promise.reject(new Error('there is no Slack here'));

/** Every delivery of an endpoint with how many attempts of it were written down. */
export async function ledgerOf(db: Db, endpointId: string) {
  return db
    .selectFrom('deliveries')
    .where('endpoint_id', '=', endpointId)
    .select((eb) => [
      ...(['id', 'event_id', 'status', 'attempts', 'lane', 'dead_reason', 'next_attempt_at'] as const),
      eb
        .selectFrom('delivery_attempts')
        .whereRef('delivery_attempts.delivery_id', '=', 'deliveries.id')
        .select((inner) => inner.fn.countAll<string>().as('count'))
        .as('written'),
    ])
    .execute()
    .then((rows) => rows.map((row) => ({ ...row, written: Number(row.written) })));
}
