import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cancel, deliveriesOf, makeDue, nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const MINUTE_MS = 60_000;

const sinks = openSinks();
afterAll(() => sinks.close());

describe('where a callback goes', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test("the challenge's URL comes before the integration's", async () => {
    const [own, usual] = [await sinks.open(), await sinks.open()];
    const { apiKey } = await server.integration({ callback_url: usual.url });
    const withOwn = await settle(server, { callback_url: own.url }, apiKey);
    await own.waitFor(withOwn);
    const without = await settle(server, {}, apiKey);
    await usual.waitFor(without);
    expect(own.received).toHaveLength(1);
    expect(usual.received).toHaveLength(1);
  });

  test('without any URL there is an event and no delivery', async () => {
    const id = await settle(server, {});
    const events = await server.db
      .selectFrom('events')
      .where('challenge_id', '=', id)
      .select('type')
      .execute();
    expect(events).toEqual([{ type: 'challenge.completed' }]);
    expect(await deliveriesOf(server.db, id)).toEqual([]);
  });

  test('the URL is that of the time of creation, whatever becomes of the integration', async () => {
    const [before, after] = [await sinks.open(), await sinks.open()];
    const { apiKey, integrationId } = await server.integration({ callback_url: before.url });
    const { challenge_id } = await server.create({}, apiKey);
    await server.db
      .updateTable('integrations')
      .set({ callback_url: after.url })
      .where('id', '=', integrationId)
      .execute();
    await cancel(server, { challenge_id }, apiKey);
    await before.waitFor(challenge_id);
    expect(after.received).toHaveLength(0);
  });

  /** Puts a URL where only the check at creation would have kept it away from. */
  async function settleBehindTheCheck(at: TestServer, url: string): Promise<string> {
    const { challenge_id } = await at.create();
    await at.db.updateTable('challenges').set({ callback_url: url }).where('id', '=', challenge_id).execute();
    await cancel(at, { challenge_id });
    return challenge_id;
  }

  test('a private address is refused again when the callback is sent, three times', async () => {
    const id = await settleBehindTheCheck(server, 'http://10.0.0.1/');
    for (const n of [1, 2, 3]) {
      const { attempt, delivery, waitMs } = await nthAttempt(server.db, id, n);
      expect(attempt).toMatchObject({
        attempt: n,
        url: 'http://10.0.0.1/',
        status_code: null,
        error_class: 'ssrf_refused',
        remote_address: null,
      });
      expect(attempt.error_message).toContain('10.0.0.1');
      expect(delivery.status).toBe(n < 3 ? 'pending' : 'dead');
      if (n < 3) expect(waitMs).toBeGreaterThan(23 * MINUTE_MS);
      await makeDue(server.db, delivery.id);
    }
  });

  test('a refused address gets no request', async () => {
    const strict = await startServer({ env: { OUTBOUND_ALLOWED_CIDRS: '' } });
    try {
      const sink = await sinks.open();
      const { attempt } = await nthAttempt(strict.db, await settleBehindTheCheck(strict, sink.url), 1);
      expect(attempt.error_class).toBe('ssrf_refused');
      expect(sink.received).toHaveLength(0);
    } finally {
      await strict.close();
    }
  });
});
