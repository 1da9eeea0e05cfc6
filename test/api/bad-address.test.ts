import { expect, test } from '@jest/globals';
import { expectRefusal } from '../support/refusal.ts';
import { CREATE_PATH as PATH, readAnswer, sendRaw } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { withUntouchedServer } from '../support/untouched.ts';

// Nothing of what this file sends is stored.
let server: TestServer;
withUntouchedServer((started) => {
  server = started;
});

test.each([
  [`${PATH}/%00`, 404],
  [`${PATH}/01a1f81a-bae4-738e-8ec8-7c54fa0ed4a3%00`, 404],
  [`${PATH}/%2e%2e%2fhealthz`, 404],
  [`${PATH}/${encodeURIComponent('\u202e')}`, 404],
  [`${PATH}?target=%00`, 400],
  [`${PATH}?%00=1`, 400],
  [`${PATH}?limit=1%00`, 400],
  [`${PATH}/%`, 400],
  [`${PATH}/%E0%A4%A`, 400],
  [`${PATH}/%ff`, 400],
  ['/nothing/here', 404],
  ['/nothing%00/here%ff', 404],
  [`${PATH}/a/b/c`, 404],
  ['//nothing', 404],
])('GET %s is %i', async (path, status) => {
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nX-API-Key: ${server.apiKey}\r\nConnection: close\r\n\r\n`;
  const answer = await sendRaw(server.url, head);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text.slice(answer.text.indexOf('\r\n\r\n')))).toEqual({
    error: expect.stringMatching(/\S/),
    code: status === 404 ? 'not_found' : 'invalid',
    request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    ...(path.includes('?') ? { field: expect.any(String) } : {}),
  });
});

test('raw NULs in the request line and in headers are refused before anything reads them', async () => {
  for (const head of [
    `GET ${PATH}/\u0000 HTTP/1.1\r\nHost: x\r\n`,
    `GET ${PATH}?target=\u0000 HTTP/1.1\r\nHost: x\r\n`,
    `GET ${PATH} HTTP/1.1\r\nHost: x\r\nX-API-Key: a\u0000b\r\n`,
  ]) {
    const answer = await sendRaw(server.url, `${head}\r\n`);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(
      /\r\n\r\n\{"error":"The request is malformed","code":"invalid","request_id":"[0-9a-f-]{36}"\}$/,
    );
  }
});

test.each([
  ['DELETE', PATH, 'GET, HEAD, POST'],
  ['PUT', PATH, 'GET, HEAD, POST'],
  ['PATCH', `${PATH}/01a1f81a-bae4-738e-8ec8-7c54fa0ed4a3`, 'GET, HEAD'],
  ['POST', `${PATH}/01a1f81a-bae4-738e-8ec8-7c54fa0ed4a3`, 'GET, HEAD'],
  ['GET', `${PATH}/01a1f81a-bae4-738e-8ec8-7c54fa0ed4a3/cancel`, 'POST'],
  ['POST', '/healthz', 'GET, HEAD'],
  ['DELETE', '/webhooks/veriff/01a1f81a-bae4-738e-8ec8-7c54fa0ed4a3', 'GET, HEAD, POST'],
])('%s %s is answered 405 with what is allowed', async (method, path, allowed) => {
  const answer = await fetch(server.url + path, { method, headers: { 'X-API-Key': server.apiKey } });
  expect(answer.headers.get('allow')).toBe(allowed);
  expectRefusal(await readAnswer(answer), 405, { code: 'method_not_allowed' });
});
