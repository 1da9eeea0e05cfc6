import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { updateIntegration } from '../../src/tenants/integrations-store.ts';
import { sealHeaders } from '../../src/tenants/sending.ts';
import { runCli } from '../support/cli.ts';
import { makeDue, nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';
import { verifyStandard } from '../support/verifiers.ts';

describe('the headers of a callback', () => {
  let server: TestServer;
  const sinks = openSinks();
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(async () => {
    await server.close();
    await sinks.close();
  });

  test('name the delivery and count its attempts, under one event id', async () => {
    const sink = await sinks.open((response, _, count) => response.writeHead(count < 3 ? 500 : 200).end());
    const id = await settle(server, { callback_url: sink.url });
    for (const n of [1, 2]) await makeDue(server.db, (await nthAttempt(server.db, id, n)).delivery.id);
    const { delivery } = await nthAttempt(server.db, id, 3);
    const of = (name: string) => sink.received.map(({ headers }) => headers[name]);
    expect(of('countersign-delivery')).toEqual([delivery.id, delivery.id, delivery.id]);
    expect(of('countersign-attempt')).toEqual(['1', '2', '3']);
    expect(of('webhook-id')).toEqual([delivery.event_id, delivery.event_id, delivery.event_id]);
    expect(sink.received.map(({ json }) => json.event_id)).toEqual(of('webhook-id'));
    expect(sink.received[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Countersign\/\d/),
    });
  });

  test('are of one event but two deliveries when two integrations hear of it', async () => {
    const sink = await sinks.open();
    const { integrationId } = await server.integration();
    for (const path of ['a', 'b']) {
      const listener = await server.integration({ callback_url: new URL(path, sink.url).href });
      await updateIntegration(server.db, listener.integrationId, { events: ['secret.rotated'] });
    }
    await runCli(['secret', 'rotate', '--integration', integrationId], server.settings);
    const told = await until(() => sink.received.length === 2 && sink.received, 'both callbacks');
    expect(new Set(told.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(told.map(({ headers }) => headers['countersign-delivery'])).size).toBe(2);
  });

  test('include those of the integration', async () => {
    const sink = await sinks.open();
    const { integrationId, apiKey, secret } = await server.integration({ callback_url: sink.url });
    const wish = ['--header', 'Authorization: Bearer abc', '--header', 'X-Ünlike: no'];
    const args = ['integration', 'set', '--integration', integrationId, ...wish];
    expect(await runCli(args, server.settings)).toMatchObject({ code: 2 });
    expect(await runCli(args.slice(0, -2), server.settings)).toMatchObject({ code: 0 });
    const { body, headers } = await sink.waitFor(await settle(server, { callback_url: sink.url }, apiKey));
    expect(headers.authorization).toBe('Bearer abc');
    // Whoever may name a URL in a request must not get the secret sent there.
    const elsewhere = await sinks.open();
    const foreign = await elsewhere.waitFor(await settle(server, { callback_url: elsewhere.url }, apiKey));
    expect(foreign.headers.authorization).toBeUndefined();
    expect(verifyStandard(body, headers, secret)).toBe(true);

    const other = await server.integration();
    const plain = await sink.waitFor(await settle(server, { callback_url: sink.url }, other.apiKey));
    expect(plain.headers.authorization).toBeUndefined();
  });

  test('are ours, even if others had slipped into the integration’s', async () => {
    const sink = await sinks.open();
    const { integrationId, apiKey, secret } = await server.integration({ callback_url: sink.url });
    const forged = {
      'Content-Type': 'text/plain',
      'WEBHOOK-ID': 'forged',
      'webhook-Signature': 'v1,forged',
      'X-Webhook-Signature': 'sha256=forged',
      'Countersign-Attempt': '99',
      'User-Agent': 'forged',
      Host: 'forged.example.com',
      'X-Tenant': 'acme',
    };
    const headers_sealed = sealHeaders(server.sealer, integrationId, forged);
    await updateIntegration(server.db, integrationId, { headers_sealed });
    const { body, headers } = await sink.waitFor(await settle(server, { callback_url: sink.url }, apiKey));
    expect(JSON.stringify(headers)).not.toContain('forged');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'countersign-attempt': '1',
      'x-tenant': 'acme',
      host: new URL(sink.url).host,
    });
    expect(verifyStandard(body, headers, secret)).toBe(true);
  });
});
