import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { nthAttempt, openSinks, settle } from '../support/deliveries.ts';
import { freePort } from '../support/redis.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const MINUTE_MS = 60_000;
const EXCERPT_BYTES = 4_096;

const sinks = openSinks();
afterAll(() => sinks.close());

describe('receivers that misbehave', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());
  const firstAttempt = async (callback_url: string, timeoutMs?: number) =>
    nthAttempt(server.db, await settle(server, { callback_url }), 1, timeoutMs);

  test.each([301, 302, 303, 307, 308])('%i is not followed, and tried again', async (status) => {
    const elsewhere = await sinks.open();
    const sink = await sinks.open((response) =>
      response.writeHead(status, { location: elsewhere.url }).end('moved'),
    );
    const { attempt, delivery } = await firstAttempt(sink.url);
    expect(attempt).toMatchObject({
      status_code: status,
      error_class: 'http_3xx',
      response_excerpt: 'moved',
      url: sink.url,
    });
    expect(delivery.status).toBe('pending');
    expect(sink.received).toHaveLength(1);
    expect(elsewhere.received).toHaveLength(0);
  });

  test('ten seconds are for everything: one that says nothing and one that drips are both cut off', async () => {
    const silent = await sinks.open(() => undefined);
    const dripping = await sinks.open((response) => {
      const timer = setInterval(() => response.write('.'), 200);
      response.on('close', () => clearInterval(timer));
    });
    for (const { attempt, delivery, waitMs } of await Promise.all([
      firstAttempt(silent.url, 20_000),
      firstAttempt(dripping.url, 20_000),
    ])) {
      expect(attempt).toMatchObject({ status_code: null, error_class: 'timeout', response_excerpt: null });
      expect(attempt.error_message).toBe('No complete answer within 10000 ms.');
      expect(attempt.duration_ms).toBeGreaterThanOrEqual(9_500);
      expect(attempt.duration_ms).toBeLessThan(12_000);
      expect(delivery.status).toBe('pending');
      expect(waitMs).toBeGreaterThan(MINUTE_MS - 2_000);
    }
  });

  test('nobody listens', async () => {
    const { attempt, delivery } = await firstAttempt(`http://127.0.0.1:${await freePort()}/callback`);
    expect(attempt).toMatchObject({ status_code: null, error_class: 'connect_refused' });
    expect(delivery.status).toBe('pending');
  });

  test('the connection breaks before and within the answer', async () => {
    const before = await sinks.open((response) => response.socket?.resetAndDestroy());
    const within = await sinks.open((response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => response.socket?.destroy(), 50);
    });
    for (const sink of [before, within]) {
      const { attempt, delivery } = await firstAttempt(sink.url);
      expect(attempt).toMatchObject({ status_code: null, error_class: 'reset' });
      expect(delivery.status).toBe('pending');
    }
  });

  test('a megabyte of NUL and broken UTF-8 is delivered, and its start is kept as text', async () => {
    const noise = Buffer.alloc(1_048_576, Buffer.from([0x00, 0xff, 0xc3, 0x28, 0x41]));
    const sink = await sinks.open((response) => response.end(noise));
    const { attempt, delivery } = await firstAttempt(sink.url);
    expect(delivery.status).toBe('delivered');
    expect(attempt.response_excerpt).toMatch(/^\uFFFD\uFFFD\uFFFD\(A/);
    expect(attempt.response_excerpt).not.toContain('\0');
    expect(Buffer.byteLength(attempt.response_excerpt ?? '')).toBeLessThanOrEqual(EXCERPT_BYTES);

    const long = await sinks.open((response) => response.writeHead(500).end('é'.repeat(EXCERPT_BYTES)));
    const { attempt: other } = await firstAttempt(long.url);
    expect(other.response_excerpt).toBe('é'.repeat(EXCERPT_BYTES / 2));
  });
});
