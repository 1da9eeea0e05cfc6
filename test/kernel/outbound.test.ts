import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { OutboundError } from '../../src/kernel/outbound.ts';
import {
  closeAll,
  failureOf,
  HTTP_ONLY,
  listen,
  outboundWith,
  requestAndSettle,
  requestTo,
  serveHttp,
  serveRaw,
} from '../support/outbound.ts';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeAll();
});

describe('check', () => {
  test('returns the normalised URL', () => {
    expect(outboundWith().check('https://Hooks.example.com.:443/a b', HTTP_ONLY).href).toBe(
      'https://hooks.example.com/a%20b',
    );
  });

  test.each([
    ['http://example.com/', 'https_required', 'Use https:// instead of http://.'],
    [
      'https://127.0.0.1/',
      'loopback',
      '127.0.0.1 is not on the public internet (loopback). Use a public host',
    ],
    [
      'https://169.254.169.254/',
      'metadata',
      '169.254.169.254 is a cloud metadata address, which is never called.',
    ],
    ['https://example.com:22/', 'port', 'Use one of the ports 80, 443, 8443.'],
    ['https://redis/', 'single_label_name', 'redis is not a public name.'],
  ])('refuses %s by rule %s with a sentence to act on', (url, rule, sentence) => {
    const refusal = () => outboundWith().check(url, { http: false, loopback: false });
    expect(refusal).toThrow(OutboundError);
    expect(refusal).toThrow(expect.objectContaining({ errorClass: 'ssrf_refused', rule }));
    expect(refusal).toThrow(sentence);
  });

  test('names the ports that the operator opened', () => {
    const reach = { http: false, loopback: false };
    const two = outboundWith({ ports: [443, 9443] });
    expect(two.check('https://example.com:9443/', reach).port).toBe('9443');
    expect(() => two.check('https://example.com:8443/', reach)).toThrow('Use one of the ports 443, 9443.');
    expect(() => outboundWith({ ports: [443] }).check('http://1.1.1.1/', HTTP_ONLY)).toThrow('Use port 443.');
  });

  test('refuses this server itself', () => {
    const outbound = outboundWith({ ownUrl: 'https://verify.example.com' });
    expect(() => outbound.check('https://verify.example.com:8443/in', HTTP_ONLY)).toThrow(
      expect.objectContaining({
        rule: 'own_host',
        message: 'verify.example.com is this server itself. Use the host of the system that is to be called.',
      }),
    );
  });

  test('a CIDR that cannot be read stops the start', () => {
    expect(() => outboundWith({ allowedCidrs: ['10.0.0.0/99'] })).toThrow('"10.0.0.0/99" is not a network');
  });
});

describe('a request', () => {
  test('sends headers and body as given, names us, and returns status, headers, body and peer', async () => {
    let got: { method?: string; url?: string; headers?: http.IncomingHttpHeaders; body?: string } = {};
    const server = await serveHttp((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += chunk));
      request.on('end', () => {
        got = { method: request.method!, url: request.url!, headers: request.headers, body };
        response.writeHead(201, { 'x-one': '1', 'set-cookie': ['a=1', 'b=2'] }).end('created');
      });
    });
    const headers = {
      'X-Signature': 'sha256=ab',
      'content-type': 'application/json',
      'User-Agent': 'forged/1',
    };
    const answer = await outboundWith().request(
      requestTo(`${server.url}/in?x=1`, { method: 'POST', headers, body: '{"é":1}' }),
    );

    expect(got).toMatchObject({ method: 'POST', url: '/in?x=1', body: '{"é":1}' });
    expect(got.headers).toMatchObject({
      'x-signature': 'sha256=ab',
      'content-type': 'application/json',
      'user-agent': 'countersign/test',
      'content-length': '8',
      host: `127.0.0.1:${server.port}`,
    });
    expect(answer).toMatchObject({ status: 201, truncated: false, remoteAddress: '127.0.0.1' });
    expect(answer.headers).toMatchObject({ 'x-one': '1', 'set-cookie': 'a=1, b=2' });
    expect(answer.body.toString()).toBe('created');
  });

  test.each([204, 400, 404, 500, 503])('status %d is an answer', async (status) => {
    const server = await serveHttp((_, response) => response.writeHead(status).end());
    expect((await outboundWith().request(requestTo(server.url))).status).toBe(status);
  });

  test.each([301, 302, 303, 307, 308])('a %d to loopback is returned and not followed', async (status) => {
    let hits = 0;
    const victim = await serveHttp((_, response) => response.end(String((hits += 1))));
    const server = await serveHttp((_, response) =>
      response.writeHead(status, { location: victim.url }).end(),
    );
    const answer = await outboundWith().request(requestTo(server.url));
    expect([answer.status, answer.headers['location'], hits]).toEqual([status, victim.url, 0]);
  });

  test('localhost reaches a server on either loopback address, without DNS', async () => {
    const server = http.createServer((request, response) => response.end(request.headers.host));
    const seen = await listen(server, '::1');
    const outbound = outboundWith({ resolve: () => Promise.reject(new Error('DNS was asked')) });
    for (const name of ['localhost', 'app.localhost']) {
      const answer = await outbound.request(requestTo(`http://${name}:${seen.port}/`));
      expect([answer.body.toString(), answer.remoteAddress]).toEqual([`${name}:${seen.port}`, '::1']);
    }
  });

  test('sends what a tenant wants along, but not over what is ours', async () => {
    let got: http.IncomingHttpHeaders = {};
    const server = await serveHttp((request, response) => {
      got = request.headers;
      response.end();
    });
    const headers = { 'content-type': 'application/json', 'webhook-id': 'ours' };
    const extraHeaders = { 'X-Route': 'a', 'Content-Type': 'text/plain', 'Webhook-Id': 'forged', host: 'x' };
    await outboundWith().request(requestTo(server.url, { method: 'POST', headers, extraHeaders, body: '1' }));
    expect(got).toMatchObject({ ...headers, 'x-route': 'a', host: `127.0.0.1:${server.port}` });
  });

  test('tells once per request that is written whether its connection was used before', async () => {
    const server = await serveRaw((socket, _, turn) => {
      if (turn === 3) socket.resetAndDestroy();
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
    const told: boolean[] = [];
    const outbound = outboundWith({ onConnection: (reused) => told.push(reused) });
    for (let turn = 0; turn < 3; turn += 1) await requestAndSettle(outbound, requestTo(server.url));
    await failureOf(outbound.request(requestTo('http://10.0.0.1/')));
    expect(told).toEqual([false, true, true, false]); // the third was stale and went again
  });

  test('the Host header cannot be set by the caller', async () => {
    const server = await serveHttp((_, response) => response.end());
    const failure = await failureOf(
      outboundWith().request(requestTo(server.url, { headers: { hOst: 'admin.internal' } })),
    );
    expect([failure.errorClass, server.connections]).toEqual(['internal', 0]);
  });

  test('is refused after close', async () => {
    const server = await serveHttp((_, response) => response.end());
    const outbound = outboundWith();
    await outbound.close();
    expect((await failureOf(outbound.request(requestTo(server.url)))).errorClass).toBe('internal');
  });
});

describe('the guard', () => {
  test.each(['127.0.0.1', '2130706433', '0x7f.1', '127.1', '0', '[::ffff:127.0.0.1]', '[::1]', 'localhost'])(
    'http://%s does not reach a loopback server',
    async (host) => {
      const server = await serveHttp((_, response) => response.end());
      const url = `http://${host}:${server.port}/`;
      const failure = await failureOf(outboundWith().request(requestTo(url, { reach: HTTP_ONLY })));
      expect([failure.errorClass, server.connections]).toEqual(['ssrf_refused', 0]);
    },
  );

  test.each([
    [['127.0.0.1'], 'loopback'],
    [['93.184.216.34', '127.0.0.1'], 'loopback'],
    [['2606:4700::1111', '10.0.0.1'], 'private'],
    [['93.184.216.34', '::ffff:127.0.0.1'], 'embedded_ipv4'],
    [['fe80::1%eth0'], 'link_local'],
    [['169.254.169.254'], 'metadata'],
    [['not an address'], 'not_an_address'],
  ])(
    'a name that resolves to %j is refused as %s, and the message keeps the addresses',
    async (found, rule) => {
      const outbound = outboundWith({ resolve: () => Promise.resolve(found) });
      const failure = await failureOf(
        outbound.request(requestTo('http://hooks.example.com/', { reach: HTTP_ONLY })),
      );
      expect([failure.errorClass, failure.rule]).toEqual(['ssrf_refused', rule]);
      expect(failure.message).toContain('hooks.example.com');
      for (const address of found) expect(failure.message).not.toContain(address);
    },
  );

  test('a name is called on an odd port only when all its addresses are opened', async () => {
    const server = await serveHttp((_, response) => response.end());
    const outbound = outboundWith({
      resolve: (name) =>
        Promise.resolve(name === 'in.example.com' ? ['127.0.0.1'] : ['127.0.0.1', '93.184.216.34']),
    });
    const answer = await outbound.request(requestTo(`http://in.example.com:${server.port}/`));
    expect(answer.status).toBe(200);
    const failure = await failureOf(outbound.request(requestTo(`http://mixed.example.com:${server.port}/`)));
    expect([failure.rule, server.connections]).toEqual(['port', 1]);
  });

  test('a name that leads to this server itself is refused at connect, another port of the machine is not', async () => {
    const own = await serveHttp((_, response) => response.end());
    const receiver = await serveHttp((_, response) => response.end());
    const resolve = () => Promise.resolve(['127.0.0.1']);
    const outbound = outboundWith({ ownUrl: own.url, resolve });
    const failure = await failureOf(outbound.request(requestTo(`http://hooks.example.com:${own.port}/`)));
    expect([failure.rule, own.connections]).toEqual(['own_host', 0]);
    const answer = await outbound.request(requestTo(`http://hooks.example.com:${receiver.port}/`));
    expect(answer.status).toBe(200);
  });

  test('an allowed CIDR opens a compose service by name', async () => {
    const server = await serveHttp((_, response) => response.end('sink'));
    const outbound = outboundWith({
      allowedCidrs: ['127.0.0.0/8'],
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const answer = await outbound.request(requestTo(`http://sink:${server.port}/`, { reach: HTTP_ONLY }));
    expect(answer.body.toString()).toBe('sink');
  });

  test('rebinding: the address that was vetted is the one connected to, and the next answer is vetted anew', async () => {
    let hits = 0;
    const victim = await serveHttp((_, response) => response.end(String((hits += 1))));
    const good = http.createServer((_, response) => response.setHeader('connection', 'close').end('good'));
    await listen(good, '127.0.0.2', victim.port);
    let asked = 0;
    const resolve = () => Promise.resolve((asked += 1) === 1 ? ['127.0.0.2'] : ['127.0.0.1']);
    const outbound = outboundWith({ allowedCidrs: ['127.0.0.2/32'], resolve });
    const request = requestTo(`http://rebind.example.com:${victim.port}/`, { reach: HTTP_ONLY });

    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await outbound.request(request);
      expect([answer.body.toString(), answer.remoteAddress, asked]).toEqual(['good', '127.0.0.2', 1]);
    }
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_001);
    expect((await failureOf(outbound.request(request))).rule).toBe('loopback');
    expect([asked, hits]).toEqual([2, 0]);
  });

  test('a peer other than the vetted addresses is refused before a byte is sent', async () => {
    let received = '';
    const elsewhere = net.createServer((socket) =>
      socket.on('data', (data) => (received += data.toString())),
    );
    const { port } = await listen(elsewhere, '127.0.0.9');
    const { connect } = net;
    // As if something below us, a proxying library or a rule of the host, sent the connection elsewhere.
    jest
      .spyOn(net, 'connect')
      .mockImplementation(((options: net.TcpNetConnectOpts) =>
        connect({ ...options, host: '127.0.0.9' })) as typeof net.connect);
    const failure = await failureOf(outboundWith().request(requestTo(`http://127.0.0.1:${port}/`)));
    expect([failure.errorClass, failure.rule, received]).toEqual(['ssrf_refused', 'peer_changed', '']);
  });

  test('a socket opened under a wide reach does not serve a request with a narrow one', async () => {
    const server = await serveHttp((_, response) => response.end());
    const outbound = outboundWith({
      allowedCidrs: ['10.0.0.0/8'],
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const url = `http://hooks.example.com:${server.port}/`;
    expect((await requestAndSettle(outbound, requestTo(url))).status).toBe(200);
    expect((await failureOf(outbound.request(requestTo(url, { reach: HTTP_ONLY })))).rule).toBe('loopback');
  });
});

describe('names', () => {
  test('one that does not exist fails as dns, is asked for once in 30 s, and then again', async () => {
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return Promise.reject(Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' }));
    };
    const outbound = outboundWith({ resolve });
    const request = requestTo('http://nowhere.example.com/');
    const failure = await failureOf(outbound.request(request));
    expect([failure.errorClass, failure.message]).toEqual([
      'dns',
      'nowhere.example.com could not be resolved (ENOTFOUND).',
    ]);
    await failureOf(outbound.request(request));
    expect(asked).toBe(1);
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 30_001);
    await failureOf(outbound.request(request));
    expect(asked).toBe(2);
  });

  test('no addresses at all fails as dns', async () => {
    const outbound = outboundWith({ resolve: () => Promise.resolve([]) });
    expect((await failureOf(outbound.request(requestTo('http://empty.example.com/')))).errorClass).toBe(
      'dns',
    );
  });

  test('a resolver that hangs fails as dns after its two seconds', async () => {
    const outbound = outboundWith({ resolve: () => new Promise(() => {}) });
    const before = Date.now();
    expect((await failureOf(outbound.request(requestTo('http://slow.example.com/')))).errorClass).toBe('dns');
    expect(Date.now() - before).toBeLessThan(3_500);
  });

  test('simultaneous requests ask once', async () => {
    const server = await serveHttp((_, response) => response.end());
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return Promise.resolve(['127.0.0.1']);
    };
    const outbound = outboundWith({ resolve });
    const request = requestTo(`http://hooks.example.com:${server.port}/`);
    await Promise.all([outbound.request(request), outbound.request(request), outbound.request(request)]);
    expect(asked).toBe(1);
  });

  test('without a resolver of ours, A and AAAA are asked of c-ares and either suffices', async () => {
    const server = await serveHttp((_, response) => response.end());
    const four = jest
      .spyOn(Resolver.prototype, 'resolve4')
      .mockImplementation(() => Promise.resolve(['127.0.0.1']));
    const six = jest.spyOn(Resolver.prototype, 'resolve6').mockRejectedValue(new Error('ENODATA'));
    const outbound = outboundWith();
    expect((await outbound.request(requestTo(`http://a.example.com:${server.port}/`))).status).toBe(200);
    expect(four.mock.calls[0]?.[0]).toBe('a.example.com');

    six.mockImplementation(() => Promise.resolve(['fd00::1']));
    expect((await failureOf(outbound.request(requestTo(`http://b.example.com:${server.port}/`)))).rule).toBe(
      'unique_local',
    );
    four.mockRejectedValue(Object.assign(new Error('x'), { code: 'ESERVFAIL' }));
    six.mockRejectedValue(new Error('y'));
    const failure = await failureOf(outbound.request(requestTo(`http://c.example.com:${server.port}/`)));
    expect([failure.errorClass, failure.message]).toEqual(['dns', expect.stringContaining('ESERVFAIL')]);
  });
});

describe('time and size', () => {
  test('a server that never answers costs timeoutMs and fails as timeout', async () => {
    const server = await serveRaw(() => {});
    const before = Date.now();
    const failure = await failureOf(outboundWith().request(requestTo(server.url, { timeoutMs: 300 })));
    expect(failure.errorClass).toBe('timeout');
    expect(Date.now() - before).toBeLessThan(1_500);
  });

  test('a body that drips fails as timeout', async () => {
    const server = await serveHttp((_, response) => {
      const drip = setInterval(() => response.write('x'), 30);
      response.on('close', () => clearInterval(drip));
    });
    const before = Date.now();
    const failure = await failureOf(outboundWith().request(requestTo(server.url, { timeoutMs: 400 })));
    expect(failure.errorClass).toBe('timeout');
    expect(Date.now() - before).toBeLessThan(1_500);
  });

  test('time that runs out before the connection stands fails as connect_timeout', async () => {
    const server = await serveRaw(() => {}); // takes the TLS hello and says nothing
    const before = Date.now();
    const silent = outboundWith().request(requestTo(`https://127.0.0.1:${server.port}/`, { timeoutMs: 300 }));
    const unresolved = outboundWith({ resolve: () => new Promise(() => {}) });
    const slow = unresolved.request(requestTo('http://slow.example.com/', { timeoutMs: 300 }));
    expect((await failureOf(silent)).errorClass).toBe('connect_timeout');
    expect((await failureOf(slow)).errorClass).toBe('connect_timeout');
    expect(Date.now() - before).toBeLessThan(1_500);
  });

  test('an abandoned connect is ended with its request and does not hold up close', async () => {
    const server = await serveRaw(() => {});
    const outbound = outboundWith();
    await failureOf(outbound.request(requestTo(`https://127.0.0.1:${server.port}/`, { timeoutMs: 200 })));
    const unresolved = outboundWith({ resolve: () => new Promise(() => {}) });
    await failureOf(unresolved.request(requestTo('http://slow.example.com/', { timeoutMs: 200 })));
    const before = Date.now();
    await Promise.all([outbound.close(), unresolved.close()]);
    expect(Date.now() - before).toBeLessThan(1_000);
  });

  test('an endless body is cut at maxBytes, is still an answer, and its connection is closed', async () => {
    let closed: (poured: number) => void;
    const isClosed = new Promise<number>((resolve) => (closed = resolve));
    const server = await serveHttp(({ socket }, response) => {
      const pour = () => {
        while (response.write('y'.repeat(16_384)));
      };
      response.on('drain', pour).on('close', () => closed(socket.bytesWritten));
      pour();
    });
    const answer = await outboundWith().request(requestTo(server.url, { maxBytes: 10_000 }));
    expect([answer.status, answer.truncated, answer.body.length]).toEqual([200, true, 10_000]);
    expect(await isClosed).toBeLessThan(20_000_000); // what the buffers of both sides may hold, not a second of loopback
  });

  test('a body of exactly maxBytes is whole', async () => {
    const server = await serveHttp((_, response) => response.end('z'.repeat(1_000)));
    const outbound = outboundWith();
    const whole = await outbound.request(requestTo(server.url, { maxBytes: 1_000 }));
    const cut = await outbound.request(requestTo(server.url, { maxBytes: 999 }));
    expect([whole.truncated, whole.body.length, cut.truncated, cut.body.length]).toEqual([
      false,
      1_000,
      true,
      999,
    ]);
  });

  test.each([
    ['one of 1 MB', `x-big: ${'a'.repeat(1_000_000)}\r\n`],
    ['1 MB in small ones', 'x-small: 12345678\r\n'.repeat(55_000)],
  ])('headers beyond 16 KiB (%s) fail as too_large', async (_, headers) => {
    const server = await serveRaw((socket) =>
      socket.write(`HTTP/1.1 200 OK\r\n${headers}content-length: 0\r\n\r\n`),
    );
    expect((await failureOf(outboundWith().request(requestTo(server.url)))).errorClass).toBe('too_large');
  });

  test('a gzip bomb stays as small as it came', async () => {
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    const server = await serveHttp((_, response) => response.setHeader('content-encoding', 'gzip').end(bomb));
    const answer = await outboundWith().request(requestTo(server.url));
    expect([answer.truncated, answer.body.equals(bomb)]).toEqual([false, true]);
  });
});

describe('a connection that breaks', () => {
  test('refused at once fails as connect_refused, without naming the address', async () => {
    const server = net.createServer();
    const { port } = await listen(server);
    await new Promise((done) => server.close(done));
    const outbound = outboundWith({ resolve: () => Promise.resolve(['127.0.0.1', '127.0.0.3']) });
    for (const host of ['127.0.0.1', 'down.example.com']) {
      const failure = await failureOf(outbound.request(requestTo(`http://${host}:${port}/`)));
      expect([failure.errorClass, failure.message]).toEqual([
        'connect_refused',
        'The connection was refused. (ECONNREFUSED)',
      ]);
    }
  });

  test.each([
    ['reset in a counted body', 'content-length: 100\r\n\r\nhalf', 'resetAndDestroy'],
    ['closed in a counted body', 'content-length: 100\r\n\r\nhalf', 'end'],
    ['closed in a chunked body', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', 'end'],
    ['reset in the headers', 'content-length: 1', 'resetAndDestroy'],
  ] as const)('%s fails as reset', async (_, rest, leave) => {
    const server = await serveRaw((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
      setTimeout(() => socket[leave](), 30);
    });
    expect((await failureOf(outboundWith().request(requestTo(server.url)))).errorClass).toBe('reset');
    expect(server.connections).toBe(1);
  });

  test('news before the answer are passed over, but an unasked 100 Continue fails as reset', async () => {
    const early = await serveHttp((_, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.writeHead(202).end('late'));
    });
    const answer = await outboundWith().request(requestTo(early.url, { method: 'POST', body: 'x' }));
    expect([answer.status, answer.body.toString(), answer.headers['link']]).toEqual([202, 'late', undefined]);
    // undici takes it for a broken server, which RFC 9110 §15.2.1 does not; servers send it to those who ask.
    const eager = await serveRaw((socket) =>
      socket.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'),
    );
    const failure = await failureOf(
      outboundWith().request(requestTo(eager.url, { method: 'POST', body: 'x' })),
    );
    expect(failure.errorClass).toBe('reset');
  });

  test('an answer may name its headers as it likes', async () => {
    const server = await serveRaw((socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\n__proto__: a\r\n__proto__: b\r\nconstructor: c\r\ncontent-length: 0\r\n\r\n',
      ),
    );
    const { status, headers } = await outboundWith().request(requestTo(server.url));
    expect([status, headers['constructor'], Object.getPrototypeOf(headers)]).toEqual([
      200,
      'c',
      Object.prototype,
    ]);
  });

  test('what is not HTTP fails as reset', async () => {
    const server = await serveRaw((socket) => socket.write('220 mail.example.com ESMTP\r\n'));
    expect((await failureOf(outboundWith().request(requestTo(server.url)))).errorClass).toBe('reset');
  });

  test('a fresh connection that is reset before any answer is not tried again', async () => {
    const server = await serveRaw((socket) => socket.resetAndDestroy());
    expect((await failureOf(outboundWith().request(requestTo(server.url)))).errorClass).toBe('reset');
    expect(server.connections).toBe(1);
  });

  const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

  test('a reused connection that is reset before any answer is tried once on a new one', async () => {
    let requests = 0;
    const server = await serveRaw((socket, _, turn) => {
      requests += 1;
      if (turn === 1) socket.write(OK);
      else socket.resetAndDestroy();
    });
    const outbound = outboundWith();
    await requestAndSettle(outbound, requestTo(server.url));
    const answer = await outbound.request(requestTo(server.url, { method: 'POST', body: 'x' }));
    expect([answer.body.toString(), requests, server.connections]).toEqual(['ok', 3, 2]);
  });

  test('a reused connection that breaks within the answer is not tried again', async () => {
    const server = await serveRaw((socket, _, turn) => {
      socket.write(turn === 1 ? OK : 'HTTP/1.1 2');
      if (turn > 1) setTimeout(() => socket.resetAndDestroy(), 30);
    });
    const outbound = outboundWith();
    await requestAndSettle(outbound, requestTo(server.url));
    expect((await failureOf(outbound.request(requestTo(server.url)))).errorClass).toBe('reset');
    expect(server.connections).toBe(1);
  });

  test('the timeout of one request does not end the connection under the next', async () => {
    const server = await serveHttp((_, response) => response.end());
    const outbound = outboundWith();
    await outbound.request(requestTo(server.url, { timeoutMs: 200 }));
    await new Promise((done) => setTimeout(done, 300));
    await outbound.request(requestTo(server.url));
    expect(server.connections).toBe(1);
  });

  test('a connection is reused, but not for longer than 30 s', async () => {
    const server = await serveHttp((_, response) => response.end());
    const outbound = outboundWith();
    await requestAndSettle(outbound, requestTo(server.url));
    await requestAndSettle(outbound, requestTo(server.url));
    expect(server.connections).toBe(1);
    jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 30_001);
    await outbound.request(requestTo(server.url));
    expect(server.connections).toBe(2);
  });
});

describe('TLS', () => {
  const NAME = 'hooks.example.com';
  let folder: string;
  let key: Buffer;
  let cert: Buffer;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'));
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
    const subject = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`, '-days', '2'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...files, ...subject], {
      stdio: 'ignore',
    });
    key = readFileSync(join(folder, 'key.pem'));
    cert = readFileSync(join(folder, 'cert.pem'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a self-signed certificate fails as tls before a request is sent', async () => {
    let requests = 0;
    const seen = await listen(https.createServer({ key, cert }, () => (requests += 1)));
    const failure = await failureOf(outboundWith().request(requestTo(`https://localhost:${seen.port}/`)));
    expect([failure.errorClass, requests]).toEqual(['tls', 0]);
    expect(failure.message).toContain('DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  test('TLS 1.1 and plain http on the port fail as tls', async () => {
    const old = {
      key,
      cert,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const;
    const outdated = await listen(https.createServer(old));
    const plain = await serveHttp((_, response) => response.end());
    for (const { port } of [outdated, plain]) {
      const failure = await failureOf(outboundWith().request(requestTo(`https://127.0.0.1:${port}/`)));
      expect(failure.errorClass).toBe('tls');
      expect(failure.message).not.toContain('CERT'); // it ended before the certificate was looked at
    }
  });

  test('the pinned address is asked for the certificate of the name in the URL', async () => {
    const names: string[] = [];
    const server = tls.createServer({
      key,
      cert,
      SNICallback: (name, done) => done(null, void names.push(name)),
    });
    const seen = await listen(server);
    const outbound = outboundWith({ resolve: () => Promise.resolve(['127.0.0.1']) });
    await failureOf(outbound.request(requestTo(`https://${NAME}.:${seen.port}/`)));
    expect(names).toEqual([NAME]);
  });

  test('a trusted certificate for the name is accepted, also on a retry, and for another name refused', async () => {
    const server = tls.createServer({ key, cert }, (socket) => {
      let turn = 0;
      socket.on('error', () => {});
      socket.on('data', () => {
        if ((turn += 1) > 1) socket.destroy();
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      });
    });
    const seen = await listen(server);
    // Trust can only be given to a process at its start, so a child makes the requests. Taking trust away is ignored.
    const script = `
      import { createOutbound } from ${JSON.stringify(new URL('../../src/kernel/outbound.ts', import.meta.url).href)};
      const outbound = createOutbound({ allowedCidrs: [], userAgent: 'x', resolve: async () => ['127.0.0.1'] });
      const call = (host) => outbound
        .request({ method: 'GET', url: 'https://' + host + ':${seen.port}/', headers: {}, timeoutMs: 5000, maxBytes: 100,
          reach: { http: false, loopback: true } })
        .then((answer) => answer.body.toString(), (error) => error.errorClass);
      const said = [await call('${NAME}')];
      await new Promise((done) => setTimeout(done, 50));
      said.push(await call('${NAME}'), await call('other.example.com'));
      await outbound.close();
      console.log(JSON.stringify(said));`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', script],
      {
        env: {
          ...process.env,
          NODE_EXTRA_CA_CERTS: join(folder, 'cert.pem'),
          NODE_TLS_REJECT_UNAUTHORIZED: '0',
        },
        timeout: 15_000,
      },
    );
    expect(JSON.parse(stdout)).toEqual(['ok', 'ok', 'tls']);
    expect(seen.connections).toBe(3);
  }, 20_000);
});
