import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { updateIntegration } from '../../src/tenants/integrations-store.ts';
import { runCli } from '../support/cli.ts';
import { makeDue, nthAttempt, settle } from '../support/deliveries.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { createAuthority } from '../support/tls.ts';
import type { Pair } from '../support/tls.ts';

describe('callbacks over TLS with certificates of one’s own', () => {
  let server: TestServer;
  let folder: string;
  const authority = createAuthority('House CA');
  const receivers: https.Server[] = [];
  beforeAll(async () => {
    server = await startServer();
    folder = mkdtempSync(join(tmpdir(), 'countersign-tls-set-'));
  });
  afterAll(async () => {
    await server.close();
    for (const receiver of receivers) {
      receiver.closeAllConnections();
      receiver.close();
    }
    authority.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** An https receiver that notes who called. */
  async function open(options: https.ServerOptions) {
    const callers: string[] = [];
    const receiver = https.createServer(options, (request, response) => {
      callers.push((request.socket as TLSSocket).getPeerCertificate().subject?.CN?.toString() ?? 'nobody');
      request.resume().on('end', () => response.end('ok'));
    });
    receivers.push(receiver);
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    return { callers, url: `https://127.0.0.1:${(receiver.address() as AddressInfo).port}/callback` };
  }
  /** Its retries come when the test makes them due, also on a slow machine. */
  async function integrationTo(callback_url: string) {
    const made = await server.integration({ callback_url });
    await updateIntegration(server.db, made.integrationId, { retry_waits_s: [3_600, 3_600] });
    return made;
  }
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const set = (integration: string, ...args: string[]) =>
    runCli(['integration', 'set', '--integration', integration, ...args], server.settings);
  const files = ({ cert, key }: Pair) => [
    ...['--client-cert', file('client.pem', cert), '--client-key', file('client.key', key)],
  ];

  test('fail until the integration trusts the CA, and then arrive', async () => {
    const receiver = await open(authority.issue(['127.0.0.1']));
    const { integrationId, apiKey } = await integrationTo(receiver.url);
    const id = await settle(server, {}, apiKey);
    const first = await nthAttempt(server.db, id, 1);
    expect(first).toMatchObject({
      attempt: { error_class: 'tls', status_code: null },
      delivery: { status: 'pending' },
    });
    expect(receiver.callers).toEqual([]);

    expect(await set(integrationId, '--ca', file('ca.pem', authority.cert))).toMatchObject({ code: 0 });
    await makeDue(server.db, first.delivery.id);
    const second = await nthAttempt(server.db, id, 2);
    expect(second).toMatchObject({ attempt: { status_code: 200 }, delivery: { status: 'delivered' } });
    expect(receiver.callers).toEqual(['nobody']);

    // Another integration's trust is its own business.
    const other = await integrationTo(receiver.url);
    const { attempt } = await nthAttempt(server.db, await settle(server, {}, other.apiKey), 1);
    expect(attempt.error_class).toBe('tls');
  });

  test('show a client certificate to a receiver that demands one', async () => {
    const receiver = await open({
      ...authority.issue(['127.0.0.1']),
      ...{ ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    });
    const { integrationId, apiKey } = await integrationTo(receiver.url);
    await set(integrationId, '--ca', file('ca.pem', authority.cert));
    const id = await settle(server, {}, apiKey);
    const first = await nthAttempt(server.db, id, 1);
    expect(first.attempt.status_code).toBeNull();
    expect(first.delivery.status).toBe('pending');

    expect(await set(integrationId, ...files(authority.issue(['countersign'])))).toMatchObject({ code: 0 });
    await makeDue(server.db, first.delivery.id);
    const second = await nthAttempt(server.db, id, 2);
    expect(second).toMatchObject({ attempt: { status_code: 200 }, delivery: { status: 'delivered' } });
    expect(receiver.callers).toEqual(['countersign']);
  });
});
