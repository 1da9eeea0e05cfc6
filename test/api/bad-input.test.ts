import { expect, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { expectRefusal } from '../support/refusal.ts';
import type { Expected } from '../support/refusal.ts';
import { CREATE_PATH, postBytes, sendRaw } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { withUntouchedServer } from '../support/untouched.ts';

const GOOD = '{"target_user_email":"ada@example.com"}';
const KIB = 1_024;

// Nothing of what this file sends is stored.
let server: TestServer;
withUntouchedServer((started) => {
  server = started;
});

const send = (body: string | Buffer, headers?: Record<string, string>, type?: string) =>
  postBytes(server, body, headers, type);
const expectInvalid = (answer: Awaited<ReturnType<typeof send>>, expected: Partial<Expected> = {}) =>
  expectRefusal(answer, 400, { code: 'invalid', ...expected });

test.each([
  ['cut off', GOOD.slice(0, -1)],
  ['single quotes', "{'target_user_email':'ada@example.com'}"],
  ['a trailing comma', GOOD.replace('}', ',}')],
  ['two values', GOOD + GOOD],
  ['a comment', `/* hi */${GOOD}`],
  ['a form', 'target_user_email=ada%40example.com'],
  ['NaN', '{"expiry_minutes":NaN}'],
  ['a raw line break in a text', '{"context":"a\nb"}'],
  ['a raw NUL in a text', '{"context":"a\u0000b"}'],
  ['a raw NUL behind it', `${GOOD}\u0000`],
  ['a byte order mark', `\ufeff${GOOD}`],
  ['UTF-16', Buffer.from(GOOD, 'utf16le')],
])('broken JSON: %s', async (_name, body) => {
  const answer = await send(body);
  expectInvalid(answer);
  expect(answer.text).toMatch(/not valid (JSON|UTF-8)/);
  expect(answer.text).not.toContain('ada@');
});

test.each([
  ['a byte that starts nothing', [0xff]],
  ['a cut sequence', [0xc3]],
  ['an overlong slash', [0xc0, 0xaf]],
  ['an encoded surrogate', [0xed, 0xa0, 0x80]],
  ['Latin-1', [0xfc]],
])('bytes that are not UTF-8: %s', async (_name, bytes) => {
  const [start, end] = ['{"target_user_id":"', '"}'].map((text) => Buffer.from(text));
  const body = Buffer.concat([start ?? '', Buffer.from(bytes), end ?? ''].map((part) => Buffer.from(part)));
  expectInvalid(await send(body), { error: 'the request body is not valid UTF-8' });
});

test.each(['null', 'true', '7', '"text"', '[]', `[${GOOD}]`])('%s is no object', async (body) => {
  expectInvalid(await send(body), { error: 'the request body must be a JSON object' });
});

test('an empty body, with or without saying so', async () => {
  const error = 'the request body is empty; send a JSON object';
  expectInvalid(await send(''), { error });
  const head = `POST ${CREATE_PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${server.apiKey}\r\nConnection: close\r\n`;
  for (const rest of [
    '\r\n',
    'Content-Type: application/json\r\n\r\n',
    'Content-Type: application/json\r\nContent-Length: 0\r\n\r\n',
    'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ]) {
    const { status, text } = await sendRaw(server.url, head + rest);
    expect([rest, status, text.includes(error)]).toEqual([rest, 400, true]);
  }
});

test.each(['', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/xml'])(
  'the content type %j is refused',
  async (type) => {
    const error = 'Content-Type must be application/json';
    expectRefusal(await send(GOOD, {}, type), 415, { code: 'unsupported_media_type', error });
  },
);

test.each(['gzip', 'br', 'nonsense'])('a body in %s is refused, well packed or not', async (encoding) => {
  for (const body of [gzipSync(GOOD), GOOD]) {
    const answer = await send(body, { 'Content-Encoding': encoding });
    const error = 'Compressed bodies are not accepted';
    expectRefusal(answer, 415, { code: 'unsupported_media_type', error });
  }
});

test('more than 64 KiB is too large, announced or not', async () => {
  const body = GOOD.padEnd(64 * KIB + 1);
  expectRefusal(await send(body), 413, { code: 'too_large', error: 'The request body is too large' });
  const chunked =
    `POST ${CREATE_PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${server.apiKey}\r\nConnection: close\r\n` +
    `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  expect((await sendRaw(server.url, chunked)).status).toBe(413);
});

test('100,000 levels are too large; as many as fit into 64 KiB are refused where they stand', async () => {
  const nest = (levels: number) => '[1,'.repeat(levels) + ']'.repeat(levels);
  expectRefusal(await send(`{"context":${nest(100_000)}}`), 413, { code: 'too_large' });
  const deepest = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000);
  for (const field of ['context', 'target_user_email', 'metadata.x']) {
    for (const value of [deepest('[', ']'), `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`]) {
      const [top, inner] = field.split('.');
      const body = `{"${top}":${inner ? `{"${inner}":${value}}` : value}}`;
      expectInvalid(await send(body), { field, error: `${field} must be a string` });
    }
  }
  expectInvalid(await send(deepest('[', ']')));
});
