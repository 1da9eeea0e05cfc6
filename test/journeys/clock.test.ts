import { expect, test } from '@jest/globals';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Db } from '../../src/db/database.ts';
import { countByStatus, insertDue, withWorkers } from '../support/backlog.ts';
import { ledgerOf } from '../support/engine.ts';
import { BACKENDS } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 120_000;
const PRELOAD = resolve(import.meta.dirname, '../support/clock-shift.mjs');
const shifted = (seconds: number) => ({
  NODE_OPTIONS: `--import ${PRELOAD}`,
  CLOCK_SHIFT_MS: String(seconds * 1_000),
});

test.concurrent.each(BACKENDS)(
  'one worker half a minute ahead and one behind: each callback is sent once, and retries come in time, queue on %s',
  (backend) =>
    withWorkers(backend, async (stage) => {
      const { db, owner } = stage;
      const seen = new Map<string, number[]>();
      const sink = await startSink((response, { headers }) => {
        const id = String(headers['webhook-id']);
        const times = [...(seen.get(id) ?? []), Date.now()];
        seen.set(id, times);
        setTimeout(() => response.writeHead(id.startsWith('0') && times.length === 1 ? 500 : 200).end(), 20);
      });
      stage.closeLater(() => sink.close());
      await stage.work(shifted(30));
      await stage.work(shifted(-30));
      const id = await insertDue(db, owner, sink.url, { count: 60 });
      for (let n = 0; n < 40; n += 1) {
        await insertDue(db, owner, sink.url, { count: 5 });
        await sleep(50);
      }
      await until(async () => (await countByStatus(db)).delivered === 260, 'all delivered', 60_000);
      const rows = await ledgerOf(db, id);
      for (const { attempts, written } of rows) expect(attempts).toBe(written);
      for (const { event_id, attempts } of rows) expect(seen.get(event_id)).toHaveLength(attempts);
      expect(Math.max(...rows.map(({ attempts }) => attempts))).toBe(2);
      for (const times of seen.values()) {
        if (times.length < 2) continue;
        const waitedMs = times[1]! - times[0]!;
        expect(waitedMs).toBeGreaterThanOrEqual(4_000 - 100);
        expect(waitedMs).toBeLessThan(25_000); // on time is 6 s; half a minute's error would show
      }
    }),
  LIMIT_MS,
);

/** Seconds by the database's clock from now to the earliest of these. */
async function secondsTo(db: Db, column: string, table: string, id: string): Promise<number | null> {
  const { rows } = await sql<{ s: number | null }>`
    select extract(epoch from min(${sql.ref(column)}) - now())::float8 as s from ${sql.table(table)}
    where ${sql.ref(table === 'endpoints' ? 'id' : 'endpoint_id')} = ${id}`.execute(db);
  return rows[0]?.s ?? null;
}

test.concurrent(
  'a worker whose clock is ahead sends nothing before its time, and opens a breaker by the database’s clock',
  () =>
    withWorkers('postgres', async (stage) => {
      const { db, owner } = stage;
      const sink = await startSink();
      stage.closeLater(() => sink.close());
      const early = await insertDue(db, owner, sink.url, { count: 20, dueInS: 15 });
      // Nobody listens at 127.0.0.2: five failures to reach it.
      const failing = await insertDue(db, owner, sink.url.replace('127.0.0.1', '127.0.0.2'), { count: 20 });
      await stage.work(shifted(30));
      const open = () => secondsTo(db, 'open_until', 'endpoints', failing);
      const opened = await until(async () => (await open()) ?? undefined, 'an open breaker', 30_000);
      expect(opened).toBeGreaterThan(20);
      expect(opened).toBeLessThanOrEqual(31);
      while (((await secondsTo(db, 'next_attempt_at', 'deliveries', early)) ?? 0) > 1) {
        expect(sink.received).toHaveLength(0);
        await sleep(200);
      }
      await until(() => sink.received.length === 20, 'the requests', 20_000);
    }),
  LIMIT_MS,
);

test.concurrent(
  'a worker whose clock is behind probes an endpoint as soon as the database says that it may',
  () =>
    withWorkers('postgres', async (stage) => {
      const { db, owner } = stage;
      const sink = await startSink();
      stage.closeLater(() => sink.close());
      const id = await insertDue(db, owner, sink.url, { count: 3 });
      await sql`update endpoints set open_until = now(), opened_times = 1, failing_since = now()
        where id = ${id}`.execute(db);
      await stage.work(shifted(-120));
      await until(() => sink.received.length === 3, 'the requests', 30_000);
    }),
  LIMIT_MS,
);
