import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { startProxy } from '../support/proxy.ts';
import type { ProxyOptions } from '../support/proxy.ts';
import {
  closeAll,
  closeLater,
  failureOf,
  HTTP_ONLY,
  listen,
  outboundWith,
  requestAndSettle,
  requestTo,
  serveHttp,
  serveRaw,
} from '../support/outbound.ts';
import { createAuthority } from '../support/tls.ts';
import { until } from '../support/until.ts';

const NAME = 'hooks.example.com';
let authority: ReturnType<typeof createAuthority>;
beforeAll(() => void (authority = createAuthority()));
afterAll(() => authority.close());
afterEach(closeAll);

async function proxyWith(options: ProxyOptions = {}) {
  const proxy = await startProxy(options);
  closeLater(() => proxy.close());
  return proxy;
}

const outboundBehind = (url: string, found: readonly string[] = ['127.0.0.1']) =>
  outboundWith({ proxy: { url, resolves: false }, resolve: () => Promise.resolve([...found]) });
const outboundTrusting = (url: string) =>
  outboundWith({ proxy: { url, resolves: true }, resolve: () => Promise.reject(new Error('DNS was asked')) });

async function serveHttps(names: string[]) {
  const seen = await listen(https.createServer(authority.issue(names), (_, response) => response.end('ok')));
  return Object.assign(seen, { url: `https://${NAME}:${seen.port}/`, tls: { ca: authority.cert } });
}

describe('through a proxy', () => {
  test('an http target is reached at the vetted address, which the proxy is told, and the tunnel is reused', async () => {
    const receiver = await serveHttp((request, response) =>
      request.on('data', () => {}).on('end', () => response.end(request.headers.host)),
    );
    const proxy = await proxyWith({ credentials: 'küche:p@ss:w%rd' });
    const outbound = outboundBehind(proxy.url);
    for (let turn = 0; turn < 2; turn += 1) {
      const request = requestTo(`http://${NAME}:${receiver.port}/in`, { method: 'POST', body: 'x' });
      const answer = await requestAndSettle(outbound, request);
      expect([answer.body.toString(), answer.remoteAddress]).toEqual([
        `${NAME}:${receiver.port}`,
        '127.0.0.1',
      ]);
    }
    expect(proxy.targets).toEqual([`127.0.0.1:${receiver.port}`]);
    expect(proxy.headers[0]).toMatchObject({ host: `127.0.0.1:${receiver.port}`, connection: 'keep-alive' });
  });

  test('an https target is verified by its name, though the proxy is told an address', async () => {
    const receiver = await serveHttps([NAME]);
    const elsewhere = await serveHttps(['other.example.com']);
    const proxy = await proxyWith();
    const outbound = outboundBehind(proxy.url);
    const answer = await outbound.request(requestTo(receiver.url, { tls: receiver.tls }));
    expect([answer.body.toString(), answer.remoteAddress]).toEqual(['ok', '127.0.0.1']);
    const failure = await failureOf(outbound.request(requestTo(elsewhere.url, { tls: elsewhere.tls })));
    expect([failure.errorClass, failure.message]).toEqual([
      'tls',
      expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    ]);
    expect(proxy.targets).toEqual([`127.0.0.1:${receiver.port}`, `127.0.0.1:${elsewhere.port}`]);
    await outbound.close();
    await until(() => proxy.open.size === 0, 'all tunnels to be closed');
  });

  test('IPv6 is put in brackets', async () => {
    const receiver = await listen(
      http.createServer((_, response) => response.end()),
      '::1',
    );
    const proxy = await proxyWith();
    const answer = await outboundBehind(proxy.url, ['::1']).request(
      requestTo(`http://${NAME}:${receiver.port}/`),
    );
    expect([answer.status, answer.remoteAddress, proxy.targets]).toEqual([
      200,
      '::1',
      [`[::1]:${receiver.port}`],
    ]);
  });

  test('the next address of a host is asked for when the proxy cannot reach the first', async () => {
    const receiver = await serveHttp((_, response) => response.end());
    const proxy = await proxyWith({ refuse: (target) => (target.startsWith('127.0.0.9') ? 504 : undefined) });
    const outbound = outboundBehind(proxy.url, ['127.0.0.9', '127.0.0.1']);
    const answer = await outbound.request(requestTo(`http://${NAME}:${receiver.port}/`));
    expect(answer.remoteAddress).toBe('127.0.0.1');
    expect(proxy.targets).toEqual([`127.0.0.9:${receiver.port}`, `127.0.0.1:${receiver.port}`]);
  });

  test('the guard stays whole: names and literals that lead inside never get to the proxy', async () => {
    const proxy = await proxyWith();
    const outbound = outboundBehind(proxy.url, ['93.184.216.34', '10.0.0.1']);
    for (const [host, rule] of [
      [NAME, 'private'],
      ['127.0.0.1', 'loopback'],
      ['localhost', 'localhost'],
    ] as const) {
      const failure = await failureOf(outbound.request(requestTo(`http://${host}/`, { reach: HTTP_ONLY })));
      expect([failure.errorClass, failure.rule]).toEqual(['ssrf_refused', rule]);
    }
    expect(proxy.targets).toEqual([]);
  });

  test('the time limit covers the answer behind the tunnel, and is then the receiver’s', async () => {
    const receiver = await serveRaw(() => {});
    const proxy = await proxyWith();
    const outbound = outboundBehind(proxy.url);
    const silent = await failureOf(outbound.request(requestTo(receiver.url, { timeoutMs: 300 })));
    const greeting = requestTo(`https://127.0.0.1:${receiver.port}/`, { timeoutMs: 300 });
    const shaking = await failureOf(outbound.request(greeting)); // TLS is never answered
    expect([silent.errorClass, shaking.errorClass]).toEqual(['timeout', 'connect_timeout']);
    await until(() => proxy.open.size === 0, 'all tunnels to be closed');
  });

  test('a receiver that hangs up behind the tunnel is a reset', async () => {
    const receiver = await serveRaw((socket) => socket.destroy());
    const proxy = await proxyWith();
    const outbound = outboundBehind(proxy.url);
    for (const url of [receiver.url, `https://127.0.0.1:${receiver.port}/`]) {
      expect((await failureOf(outbound.request(requestTo(url)))).errorClass).toBe('reset');
    }
  });
});

describe('through a proxy that resolves names', () => {
  test('the name is told to it, and nothing is known of the address', async () => {
    const receiver = await serveHttps([NAME]);
    const proxy = await proxyWith({ names: { [NAME]: '127.0.0.1' } });
    const outbound = outboundWith({
      ports: [receiver.port],
      proxy: { url: proxy.url, resolves: true },
      resolve: () => Promise.reject(new Error('DNS was asked')),
    });
    const reach = { http: false, loopback: false };
    const answer = await outbound.request(requestTo(receiver.url, { reach, tls: receiver.tls }));
    expect([answer.body.toString(), answer.remoteAddress]).toEqual(['ok', undefined]);
    expect(proxy.targets).toEqual([`${NAME}:${receiver.port}`]);
  });

  test('what needs no DNS to be refused still is', async () => {
    const proxy = await proxyWith();
    const outbound = outboundTrusting(proxy.url);
    for (const [url, rule] of [
      ['http://169.254.169.254/', 'metadata'],
      ['http://[::1]/', 'loopback'],
      ['http://10.0.0.1/', 'private'],
      ['http://printer.local/', 'special_use_name'],
      [`http://${NAME}:22/`, 'port'],
    ]) {
      const failure = await failureOf(outbound.request(requestTo(url!, { reach: HTTP_ONLY })));
      expect([url, failure.rule]).toEqual([url, rule]);
    }
    expect(proxy.targets).toEqual([]);
  });
});

describe('a fault of the proxy', () => {
  const SECRET = 'opensesame';

  async function faultBehind(url: string, timeoutMs = 5_000) {
    const withSecret = url.replace('http://', `http://user:${SECRET}@`);
    const failure = await failureOf(
      outboundBehind(withSecret).request(requestTo(`http://${NAME}:8080/`, { timeoutMs })),
    );
    const told = `${failure.message} ${String(failure.cause)} ${failure.stack}`;
    expect(told).not.toContain(SECRET);
    expect(told).not.toContain(Buffer.from(`user:${SECRET}`).toString('base64'));
    expect(failure.errorClass).toBe('proxy');
    return failure.message;
  }

  test.each([302, 400, 403, 502, 503, 504])('a %d is named', async (status) => {
    const proxy = await proxyWith({ refuse: () => status });
    expect(await faultBehind(proxy.url)).toBe(`The proxy answered ${status}.`);
    expect(proxy.targets).toHaveLength(1);
    await until(() => proxy.open.size === 0, 'the connection to be closed');
  });

  test('wrong credentials are a 407', async () => {
    const proxy = await proxyWith({ credentials: 'user:other' });
    expect(await faultBehind(proxy.url.replace('user:other@', ''))).toBe('The proxy answered 407.');
  });

  test('a receiver that the proxy cannot connect to is the proxy’s word, not ours', async () => {
    const proxy = await proxyWith();
    const { port } = await serveHttp(() => {});
    const outbound = outboundBehind(proxy.url, ['127.0.0.9']);
    const failure = await failureOf(outbound.request(requestTo(`http://${NAME}:${port}/`)));
    expect([failure.errorClass, failure.message]).toEqual(['proxy', 'The proxy answered 502.']);
  });

  test('it is down', async () => {
    const server = net.createServer();
    const { port } = await listen(server);
    await new Promise((done) => server.close(done));
    expect(await faultBehind(`http://127.0.0.1:${port}`)).toBe(
      'The proxy could not be reached. (ECONNREFUSED)',
    );
  });

  test.each([
    ['says nothing', () => {}],
    [
      'drips its headers',
      (socket: net.Socket) => {
        socket.write('HTTP/1.1 200 OK\r\nx: ');
        const drip = setInterval(() => socket.write('y'), 30);
        socket.on('close', () => clearInterval(drip));
      },
    ],
  ])('it %s until the time is up', async (_, react) => {
    const proxy = await serveRaw(react);
    const before = Date.now();
    expect(await faultBehind(proxy.url, 300)).toBe('No tunnel through the proxy within 300 ms.');
    expect(Date.now() - before).toBeLessThan(1_500);
  });

  test.each([
    ['hangs up at once', (socket: net.Socket) => void socket.end()],
    ['hangs up within its headers', (socket: net.Socket) => void socket.end('HTTP/1.1 200 OK\r\nx')],
    ['resets the connection', (socket: net.Socket) => void socket.resetAndDestroy()],
    ['is no HTTP server', (socket: net.Socket) => void socket.write('220 smtp.example.com\r\n')],
  ])('it %s', async (_, react) => {
    const proxy = await serveRaw(react);
    expect(await faultBehind(proxy.url)).toContain(
      'The proxy broke the connection off, or its answer was not HTTP.',
    );
    expect(proxy.connections).toBe(1);
  });

  test('its headers are endless', async () => {
    const proxy = await serveRaw((socket) => {
      const pour = () => {
        while (socket.writable && socket.write(`x: ${'y'.repeat(1_000)}\r\n`));
      };
      socket.write('HTTP/1.1 200 OK\r\n');
      socket.on('drain', pour);
      pour();
    });
    expect(await faultBehind(proxy.url)).toContain(
      'The proxy answered with more than 8192 bytes of headers.',
    );
  });

  test('a user name that is not percent-encoded stops the start', () => {
    expect(() => outboundBehind('http://100%:x@proxy.example.com:3128')).toThrow('not percent-encoded');
  });
});
