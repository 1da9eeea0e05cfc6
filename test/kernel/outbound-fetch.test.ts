import { afterEach, expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { fetchThrough } from '../../src/kernel/outbound-fetch.ts';
import {
  closeAll,
  DEVELOPMENT,
  failureOf,
  HTTP_ONLY,
  outboundWith,
  serveHttp,
  serveRaw,
} from '../support/outbound.ts';

const GET = { method: 'GET', headers: { accept: 'application/json' } };

afterEach(closeAll);

test('a form reaches the other side, and what it answers comes back as a Response', async () => {
  const seen: unknown[] = [];
  const { url } = await serveHttp((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => {
      seen.push(request.method, request.url, request.headers.authorization, text);
      response.writeHead(400, { 'content-type': 'application/json', 'www-authenticate': 'Basic' });
      response.end('{"error":"invalid_grant"}');
    });
  });
  const answer = await fetchThrough(outboundWith(), DEVELOPMENT)(`${url}/token?a=b`, {
    method: 'POST',
    headers: { authorization: 'Basic eDp5' },
    body: new URLSearchParams({ code: 'a b&c' }),
  });
  expect(seen).toEqual(['POST', '/token?a=b', 'Basic eDp5', 'code=a+b%26c']);
  expect(answer).toMatchObject({ status: 400, ok: false });
  expect(answer.headers.get('www-authenticate')).toBe('Basic');
  expect(await answer.json()).toEqual({ error: 'invalid_grant' });
});

test('a redirect is an answer and is not followed', async () => {
  let visits = 0;
  const { url } = await serveHttp((request, response) => {
    visits += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  const answer = await fetchThrough(outboundWith(), DEVELOPMENT)(url, GET);
  expect([answer.status, answer.headers.get('location'), visits]).toEqual([302, '/elsewhere', 1]);
});

test('an address that may not be reached is not called', async () => {
  let visits = 0;
  const { url } = await serveHttp((_, response) => {
    visits += 1;
    response.end();
  });
  const refusal = await failureOf(fetchThrough(outboundWith(), HTTP_ONLY)(url, GET));
  expect(refusal).toMatchObject({ errorClass: 'ssrf_refused', rule: 'loopback' });
  expect(visits).toBe(0);
});

test('an answer without end is not read to the end', async () => {
  const { url } = await serveHttp((_, response) => {
    const pour = () => {
      while (response.write('x'.repeat(65_536)));
    };
    response.on('drain', pour);
    pour();
  });
  const failure = await failureOf(fetchThrough(outboundWith(), DEVELOPMENT)(url, GET));
  expect(failure).toMatchObject({
    errorClass: 'too_large',
    message: 'The answer has more than 262144 bytes.',
  });
});

test('asks for an answer that is not compressed', async () => {
  const { url } = await serveHttp((request, response) => {
    const plain = request.headers['accept-encoding'] === 'identity';
    response.end(plain ? 'plain' : gzipSync('packed'));
  });
  const answer = await fetchThrough(outboundWith(), DEVELOPMENT)(url, GET);
  expect(await answer.text()).toBe('plain');
});

test.each([
  ['HTTP/1.1 204 No Content\r\n\r\n', 204, ''],
  ['HTTP/1.1 200 OK\r\nx-name: \u00fc\u{1f600}\r\ncontent-length: 2\r\n\r\nok', 200, 'ok'],
])('an odd answer (%j) is an answer nevertheless', async (text, status, body) => {
  const { url } = await serveRaw((socket) => socket.write(text));
  const answer = await fetchThrough(outboundWith(), DEVELOPMENT)(url, GET);
  expect([answer.status, await answer.text()]).toEqual([status, body]);
});

test('a status that HTTP does not have is a failure like any other', async () => {
  const { url } = await serveRaw((socket) => socket.write('HTTP/1.1 799 What\r\ncontent-length: 0\r\n\r\n'));
  const failure = await failureOf(fetchThrough(outboundWith(), DEVELOPMENT)(url, GET));
  expect(failure).toMatchObject({ errorClass: 'reset', message: expect.stringContaining('799') });
});

test('only text and form fields are sent', async () => {
  const send = fetchThrough(outboundWith(), DEVELOPMENT)('https://idp.example.com', {
    ...{ method: 'POST', headers: {} },
    body: new ReadableStream(),
  });
  await expect(send).rejects.toThrow('only text and form fields can be sent');
});
