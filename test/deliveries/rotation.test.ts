import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../support/cli.ts';
import { openSinks, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import type { Received } from '../support/sink.ts';
import { until } from '../support/until.ts';
import { refusalOfLibrary, verifyLikeGitHub } from '../support/verifiers.ts';

/** A run reads its secrets again when they are a second old. */
const NOTICED_MS = 1_500;
const EVENTS_A_PHASE = 40;
const PACE_MS = 20;
const PATIENCE_MS = 20_000;

describe('rotating a secret while callbacks flow', () => {
  let server: TestServer;
  const sinks = openSinks();
  beforeAll(async () => {
    server = await startServer();
  });
  let flow: ReturnType<typeof startFlow> | undefined;
  afterAll(async () => {
    await flow?.stop();
    await server.close();
    await sinks.close();
  });

  test('receivers with the old and with the new secret both accept everything until the old one ends', async () => {
    const sink = await sinks.open();
    const { integrationId, apiKey, secret: old } = await server.integration({ callback_url: sink.url });
    flow = startFlow((n) => settle(server, { context: `event ${n}` }, apiKey));
    const arrived = async (ids: string[]): Promise<Received[]> => {
      for (const id of ids) await sink.waitFor(id, 1, PATIENCE_MS);
      return sink.received.filter(({ json }) => ids.includes(String(json.challenge_id)));
    };

    await flow.more(EVENTS_A_PHASE);
    const args = ['secret', 'rotate', '--integration', integrationId, '--overlap', '1h', '--json'];
    const made = String((await runCli(args, server.settings)).json.webhook_secret);
    const before = flow.ids.slice();
    await sleep(NOTICED_MS);
    const during = await flow.more(EVENTS_A_PHASE);
    const early = await arrived([...before, ...during]);

    await server.db
      .updateTable('callback_secrets')
      .set({ valid_until: new Date(Date.now() - 1_000) })
      .where('integration_id', '=', integrationId)
      .where('valid_until', 'is not', null)
      .execute();
    await sleep(NOTICED_MS);
    const after = await flow.more(EVENTS_A_PHASE);
    await flow.stop();

    // The old one is never let down, from long before the rotation until it ends.
    expect(early.length).toBeGreaterThanOrEqual(2 * EVENTS_A_PHASE);
    expect(refusedBy(old, early)).toEqual([]);
    expect(early.filter((one) => !acceptsBody(old, one))).toEqual([]);
    expect(refusedBy(made, await arrived(during))).toEqual([]);

    const late = await arrived(after);
    expect(late.length).toBeGreaterThanOrEqual(EVENTS_A_PHASE);
    expect(refusedBy(made, late)).toEqual([]);
    expect(late.filter((one) => !acceptsBody(made, one))).toEqual([]);
    expect(refusedBy(old, late)).toHaveLength(late.length);
    expect(late.filter((one) => acceptsBody(old, one))).toEqual([]);

    // And nothing failed on the way.
    await arrived(flow.ids);
    expect(sink.received).toHaveLength(flow.ids.length);
  });
});

const acceptsBody = (secret: string, { body, headers }: Received) =>
  verifyLikeGitHub(body, String(headers['x-webhook-signature']), secret);
const refusedBy = (secret: string, received: Received[]) =>
  received.flatMap(({ body, headers }) => refusalOfLibrary(body, headers, secret) ?? []);

/** Makes one event after the other until it is stopped; `more` waits for the next ones and returns their ids. */
function startFlow(make: (n: number) => Promise<string>) {
  const ids: string[] = [];
  const end = new AbortController();
  const done = (async () => {
    while (!end.signal.aborted) {
      ids.push(await make(ids.length));
      await sleep(PACE_MS);
    }
  })();
  return {
    ids,
    async more(count: number): Promise<string[]> {
      const from = ids.length + 1; // the one under way was begun before
      await until(() => ids.length >= from + count, `${count} more events`, PATIENCE_MS);
      return ids.slice(from);
    },
    stop() {
      end.abort();
      return done;
    },
  };
}
