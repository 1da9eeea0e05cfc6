import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeDue, nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import type { Answer } from '../support/sink.ts';

const MINUTE_MS = 60_000;

/** Answers with these statuses in turn, the last one for ever. */
const inTurn =
  (...statuses: number[]): Answer =>
  (response, _, count) =>
    response.writeHead(statuses[Math.min(count, statuses.length) - 1] ?? 200).end(`answer ${count}`);

const sinks = openSinks();
afterAll(() => sinks.close());

describe.each(BACKENDS)('delivering, queue on %s', (backend) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ backend });
  });
  afterAll(() => server.close());

  test('an attempt is written down with what the receiver said', async () => {
    const sink = await sinks.open();
    const { attempt, delivery } = await nthAttempt(
      server.db,
      await settle(server, { callback_url: sink.url }),
      1,
    );
    expect(attempt).toMatchObject({
      attempt: 1,
      url: sink.url,
      status_code: 200,
      error_class: null,
      error_message: null,
      response_excerpt: 'ok',
      remote_address: '127.0.0.1',
    });
    expect(attempt.duration_ms).toBeLessThan(5_000);
    for (const part of [attempt.dns_ms, attempt.connect_ms, attempt.first_byte_ms])
      expect(part).toBeGreaterThanOrEqual(0);
    expect(Math.abs(Date.now() - attempt.started_at.getTime())).toBeLessThan(10_000);
    expect(delivery).toMatchObject({
      status: 'delivered',
      attempts: 1,
    });
    expect(delivery.completed_at).not.toBeNull();
    expect(sink.received).toHaveLength(1);
  });

  test('204 without a body is delivered', async () => {
    const sink = await sinks.open(inTurn(204));
    const { attempt, delivery } = await nthAttempt(
      server.db,
      await settle(server, { callback_url: sink.url }),
      1,
    );
    expect(attempt).toMatchObject({ status_code: 204, error_class: null, response_excerpt: null });
    expect(delivery.status).toBe('delivered');
  });

  test('every attempt sends the same bytes under the same id, each with its own timestamp', async () => {
    const sink = await sinks.open(inTurn(500, 503, 200));
    const id = await settle(server, { callback_url: sink.url, context: 'Zoë ☃' });
    const first = await nthAttempt(server.db, id, 1);
    expect(first.attempt).toMatchObject({
      status_code: 500,
      error_class: 'http_5xx',
      response_excerpt: 'answer 1',
    });
    expect(first.delivery).toMatchObject({ status: 'pending', attempts: 1 });

    const second = await nthAttempt(server.db, id, 2); // comes by itself after 4 to 6 seconds
    const gap = second.attempt.started_at.getTime() - first.attempt.started_at.getTime();
    expect(gap).toBeGreaterThanOrEqual(4_000);
    expect(gap).toBeLessThan(8_000);
    expect(second.waitMs).toBeGreaterThan(0.75 * 5 * MINUTE_MS);
    await makeDue(server.db, second.delivery.id);
    const third = await nthAttempt(server.db, id, 3);
    expect(third.delivery).toMatchObject({ status: 'delivered', attempts: 3 });

    const [one, two, three] = sink.received;
    expect(sink.received).toHaveLength(3);
    expect(two?.body.equals(one!.body)).toBe(true);
    expect(three?.body.equals(one!.body)).toBe(true);
    const header = (name: string) => sink.received.map((received) => received.headers[name]);
    expect(new Set(header('webhook-id'))).toEqual(new Set([one?.json.event_id]));
    expect(new Set(header('x-webhook-signature')).size).toBe(1);
    expect(new Set(header('webhook-signature')).size).toBe(3 - Number(sameSecond(header)));
    const [before, after] = header('webhook-timestamp').map(Number);
    expect(after! - before!).toBeGreaterThanOrEqual(3);
  });

  test('410 ends it: no further attempt', async () => {
    const sink = await sinks.open(inTurn(410));
    const { attempt, delivery } = await nthAttempt(
      server.db,
      await settle(server, { callback_url: sink.url }),
      1,
    );
    expect(attempt).toMatchObject({ status_code: 410, error_class: 'http_4xx' });
    expect(delivery.status).toBe('dead');
    expect(delivery.completed_at).not.toBeNull();
  });

  test('a delivery out of attempts is dead', async () => {
    const sink = await sinks.open(inTurn(500));
    const id = await settle(server, { callback_url: sink.url });
    const { delivery: first } = await nthAttempt(server.db, id, 1);
    // As if seven more had come to the same: each would take another sweep.
    await server.db.updateTable('deliveries').set({ attempts: 8 }).where('id', '=', first.id).execute();
    await makeDue(server.db, first.id);
    const ninth = await nthAttempt(server.db, id, 2);
    expect(ninth).toMatchObject({ attempt: { attempt: 9 }, delivery: { status: 'pending', attempts: 9 } });
    await makeDue(server.db, first.id);
    const last = await nthAttempt(server.db, id, 3);
    expect(last).toMatchObject({ attempt: { attempt: 10 }, delivery: { status: 'dead', attempts: 10 } });
    expect(sink.received).toHaveLength(3);
  });
});

/** Attempts 2 and 3 follow each other at once here, so they may share a timestamp and with it a signature. */
function sameSecond(header: (name: string) => unknown[]): boolean {
  const [, two, three] = header('webhook-timestamp');
  return two === three;
}
