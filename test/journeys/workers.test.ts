import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { countByStatus, insertDue, withWorkers } from '../support/backlog.ts';
import type { WorkersStage } from '../support/backlog.ts';
import { BACKENDS } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;
const ENDPOINTS = 20;

/** Twenty receivers that answer after a while, and the ids of all that they got. */
async function openTwenty(stage: WorkersStage, holdMs: number) {
  const sinks = await Promise.all(
    Array.from({ length: ENDPOINTS }, () =>
      startSink((response) => void setTimeout(() => response.end(), holdMs)),
    ),
  );
  for (const sink of sinks) stage.closeLater(() => sink.close());
  const receipts = () =>
    sinks.flatMap(({ received }) => received.map(({ headers }) => String(headers['webhook-id'])));
  return { urls: sinks.map(({ url }) => url), receipts };
}

test.concurrent.each(BACKENDS)(
  'two workers share 3,000 callbacks for 20 endpoints and send each once, queue on %s',
  (backend) =>
    withWorkers(backend, async (stage) => {
      const { db, owner } = stage;
      const { urls, receipts } = await openTwenty(stage, 2);
      await Promise.all([stage.work(), stage.work()]);
      for (let n = 0; n < 5; n += 1) for (const url of urls) await insertDue(db, owner, url, { count: 30 });
      await until(async () => (await countByStatus(db)).delivered === 3_000, 'all delivered', 60_000);
      expect(receipts()).toHaveLength(3_000);
      expect(new Set(receipts()).size).toBe(3_000);
      const attempts = await db.selectFrom('delivery_attempts').select('attempt').execute();
      expect(attempts).toHaveLength(3_000);
      expect(new Set(attempts.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    }),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'asked to stop with a hundred requests under way: it ends in time, and no result is lost, queue on %s',
  (backend) =>
    withWorkers(backend, async (stage) => {
      const { db, owner } = stage;
      const { urls, receipts } = await openTwenty(stage, 3_000);
      const worker = await stage.work();
      for (const url of urls) await insertDue(db, owner, url, { count: 200 });
      await until(() => receipts().length >= 100, 'a hundred requests', 30_000);
      const { exitCode, tookMs } = await worker.stop();
      expect({ exitCode, output: worker.output() }).toMatchObject({ exitCode: 0 });
      expect(tookMs).toBeLessThan(15_000);
      const sent = receipts();
      expect(new Set(sent).size).toBe(sent.length);
      expect(await countByStatus(db)).toEqual({ delivered: sent.length, pending: 4_000 - sent.length });
      const held = await db
        .selectFrom('endpoints')
        .select('id')
        .where('lease_token', 'is not', null)
        .execute();
      expect(held).toEqual([]);
      await sleep(500);
      expect(receipts()).toHaveLength(sent.length);
    }),
  LIMIT_MS,
);
