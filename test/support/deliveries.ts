import type { Db } from '../../src/db/database.ts';
import type { Created, TestServer } from './server.ts';
import { startSink } from './sink.ts';
import type { Answer } from './sink.ts';
import { until } from './until.ts';

/** Creates a challenge and cancels it at once: the shortest way to a callback. */
export async function settle(
  server: Pick<TestServer, 'create' | 'request' | 'apiKey'>,
  body: Record<string, unknown>,
  apiKey = server.apiKey,
): Promise<string> {
  const created = await server.create(body, apiKey);
  await cancel(server, created, apiKey);
  return created.challenge_id;
}

/** Ends a challenge as its integration. */
export async function cancel(
  { request, apiKey }: Pick<TestServer, 'request' | 'apiKey'>,
  { challenge_id }: Pick<Created, 'challenge_id'>,
  key = apiKey,
): Promise<void> {
  await request.post(`/api/v1/challenges/${challenge_id}/cancel`).set('X-API-Key', key).expect(200);
}

/** The deliveries about a challenge as they stand. */
export function deliveriesOf(db: Db, challengeId: string) {
  return db
    .selectFrom('deliveries')
    .innerJoin('events', 'events.id', 'deliveries.event_id')
    .where('events.challenge_id', '=', challengeId)
    .selectAll('deliveries')
    .execute();
}

/** The written attempts of a challenge's deliveries, in order. */
export function attemptsOf(db: Db, challengeId: string) {
  return db
    .selectFrom('delivery_attempts')
    .innerJoin('deliveries', 'deliveries.id', 'delivery_attempts.delivery_id')
    .innerJoin('events', 'events.id', 'deliveries.event_id')
    .where('events.challenge_id', '=', challengeId)
    .selectAll('delivery_attempts')
    .orderBy('started_at')
    .orderBy('attempt')
    .execute();
}

/** Waits until the n-th attempt is written down, and returns it together with the delivery. */
export async function nthAttempt(db: Db, challengeId: string, n: number, timeoutMs?: number) {
  const written = async () => (await attemptsOf(db, challengeId))[n - 1];
  const attempt = await until(written, `attempt ${n} for challenge ${challengeId}`, timeoutMs);
  const [delivery] = await deliveriesOf(db, challengeId);
  if (!delivery) throw new Error('an attempt without a delivery');
  return { attempt, delivery, waitMs: delivery.next_attempt_at.getTime() - Date.now() };
}

/** Lets the next attempt's time come, instead of waiting for it. */
export async function makeDue(db: Db, deliveryId: string): Promise<void> {
  const { endpoint_id } = await db
    .updateTable('deliveries')
    .set({ next_attempt_at: new Date(Date.now() - 1_000) })
    .where('id', '=', deliveryId)
    .returning('endpoint_id')
    .executeTakeFirstOrThrow();
  await db
    .updateTable('endpoints')
    .set({ open_until: null, paused_until: null })
    .where('id', '=', endpoint_id)
    .execute();
}

/** As many receivers as a test file asks for, closed together. */
export function openSinks() {
  const sinks: Awaited<ReturnType<typeof startSink>>[] = [];
  return {
    async open(answer?: Answer) {
      const sink = await startSink(answer);
      sinks.push(sink);
      return sink;
    },
    close: () => Promise.all(sinks.map((sink) => sink.close())),
  };
}
