import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { createSealer } from '../../src/kernel/crypto.ts';
import { sealTls } from '../../src/tenants/sending.ts';
import { insertDue, insertOwner } from '../support/backlog.ts';
import type { Owner } from '../support/backlog.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { openSinks } from '../support/deliveries.ts';
import { ledgerOf, startEngine } from '../support/engine.ts';
import { createAuthority } from '../support/tls.ts';

const MEGABYTE = 1_048_576;

const sinks = openSinks();
afterAll(() => sinks.close());
const key = randomBytes(32);
let database: TestDatabase;
let db: TestDatabase['db'];
let owner: Owner;
let engine: ReturnType<typeof startEngine>;
beforeAll(async () => {
  database = await createDatabase();
  db = database.db;
});
beforeEach(async () => {
  owner = await insertOwner(db, key);
  engine = startEngine(db, key);
});
afterEach(() => engine.close());
afterAll(() => database.close());

/** Sends one delivery to the URL once: how it stands afterwards, and what was written of the attempt. */
async function sendOne(url: string) {
  const id = await insertDue(db, owner, url, { count: 1 });
  await engine.carry(id);
  const [delivery] = (await ledgerOf(db, id)).slice(-1);
  const attempt = await db
    .selectFrom('delivery_attempts')
    .selectAll()
    .where('delivery_id', '=', delivery!.id)
    .executeTakeFirst();
  return { id, delivery: delivery!, attempt };
}

describe('receivers that break the rules', () => {
  const servers: { close: () => unknown }[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));
  const urlOf = async (server: Server, scheme = 'http') => {
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    server.on('secureConnection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    servers.push({
      close() {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };
  /** A server that writes these bytes at every request. */
  const raw = (write: (socket: Socket) => void) =>
    createServer((socket) => void socket.once('data', () => write(socket)));

  test('a body without an end is read no further than need be, and 200 is 200', async () => {
    let written = 0;
    const server = createHttpServer((_request, response) => {
      const chunk = Buffer.alloc(16_384, 'x');
      const more = () => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length;
      };
      response.on('drain', more);
      more();
    });
    const { delivery, attempt } = await sendOne(await urlOf(server));
    expect(delivery.status).toBe('delivered');
    expect(attempt?.response_excerpt).toBe('x'.repeat(4_096));
    expect(attempt?.duration_ms).toBeLessThan(9_000);
    expect(written).toBeLessThan(64 * MEGABYTE);
  });

  test('a megabyte of headers is refused', async () => {
    const server = raw((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n`);
      socket.write(Array.from({ length: 1_024 }, (_, n) => `x-${n}: ${'y'.repeat(1_016)}`).join('\r\n'));
      socket.end('\r\n\r\nok');
    });
    const { delivery, attempt } = await sendOne(await urlOf(server));
    expect(attempt).toMatchObject({ status_code: null, error_class: 'too_large' });
    expect(delivery.status).toBe('pending');
  });

  test('a gzip bomb is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MEGABYTE));
    const before = process.memoryUsage().rss;
    const sink = await sinks.open((response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    const { delivery, attempt } = await sendOne(sink.url);
    expect(delivery.status).toBe('delivered');
    expect(Buffer.byteLength(attempt?.response_excerpt ?? '')).toBeLessThanOrEqual(4_096);
    expect(process.memoryUsage().rss - before).toBeLessThan(48 * MEGABYTE);
  });

  test('an interim answer is not the answer', async () => {
    const server = raw((socket) =>
      socket.end(
        'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok',
      ),
    );
    const { delivery, attempt } = await sendOne(await urlOf(server));
    expect(attempt).toMatchObject({ status_code: 201, response_excerpt: 'ok' });
    expect(delivery.status).toBe('delivered');
  });

  test('100 Continue that nobody asked for is not success; undici takes it for a broken connection', async () => {
    const server = raw((socket) =>
      socket.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    );
    const { delivery, attempt } = await sendOne(await urlOf(server));
    expect(attempt).toMatchObject({ status_code: null, error_class: 'reset' });
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
  });

  test('what is no HTTP is an attempt that failed', async () => {
    const server = raw((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
    const { delivery, attempt } = await sendOne(await urlOf(server));
    expect(attempt?.status_code).toBeNull();
    expect(attempt?.error_class).not.toBe('internal');
    expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
  });

  test.each([
    ['has expired', true, ['127.0.0.1']],
    ['is for another host', false, ['elsewhere.example']],
  ])(
    'a certificate that %s is an attempt that failed, though its CA is trusted',
    async (_, expired, names) => {
      const authority = createAuthority();
      servers.push(authority);
      const trusted = sealTls(createSealer([key]), owner.integrationId, { ca: authority.cert });
      await db
        .updateTable('integrations')
        .set({ tls_sealed: trusted })
        .where('id', '=', owner.integrationId)
        .execute();
      const good = createTlsServer(
        authority.issue(['127.0.0.1']),
        (_request, response) => void response.end('ok'),
      );
      expect((await sendOne(await urlOf(good, 'https'))).delivery.status).toBe('delivered');
      const bad = createTlsServer(
        authority.issue(names, { expired }),
        (_request, response) => void response.end('ok'),
      );
      const { delivery, attempt } = await sendOne(await urlOf(bad, 'https'));
      expect(attempt).toMatchObject({ status_code: null, error_class: 'tls' });
      expect(delivery).toMatchObject({ status: 'pending', attempts: 1 });
    },
  );
});
