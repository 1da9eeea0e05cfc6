import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { CREATE_PATH, postBytes } from '../support/raw.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

// Odd, but right.
const GOOD = '{"target_user_email":"ada@example.com"}';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
});
afterAll(() => server.close());

test.each([
  ['exactly 64 KiB', GOOD.padEnd(64 * 1_024), {}],
  ['a character set', GOOD, { 'Content-Type': 'application/json; charset=utf-8' }],
  ['a media type in capitals', GOOD, { 'Content-Type': 'Application/JSON' }],
  ['an encoding that is none', GOOD, { 'Content-Encoding': 'identity' }],
  ['escapes', GOOD.replace('a', '\\u0061'), {}],
])('%s is accepted', async (_name, body, headers) => {
  expect((await postBytes(server, body, headers)).status).toBe(201);
});

test('of a key that is given twice the last value counts, as in every JSON parser of a browser', async () => {
  const { text, status } = await postBytes(server, `{"target_user_id":"first","target_user_id":"last"}`);
  expect(status).toBe(201);
  const { challenge_id } = JSON.parse(text) as { challenge_id: string };
  expect(await server.read(challenge_id)).toMatchObject({ target_user_id: 'last' });
});

test('__proto__ is a name like any other: unknown as a field, kept in metadata', async () => {
  const metadata = '{"__proto__":"a","constructor":"b","toString":"c"}';
  const { text } = await postBytes(
    server,
    `{"target_user_id":"u","__proto__":{"polluted":1},"metadata":${metadata}}`,
  );
  const { challenge_id, warnings } = JSON.parse(text) as { challenge_id: string; warnings: string[] };
  expect(warnings).toEqual(['unknown field "__proto__" was ignored']);
  const read = await server.request.get(`${CREATE_PATH}/${challenge_id}`).set('X-API-Key', server.apiKey);
  expect(read.text).toContain(`"metadata":${metadata}`);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

test('unknown fields may hold anything and are ignored', async () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  const { status, text } = await postBytes(
    server,
    `{"target_user_id":"u","deep":${deep},"\\ud800":"\\u0000"}`,
  );
  expect(status).toBe(201);
  expect(JSON.parse(text)).toHaveProperty('warnings', [
    'unknown field "deep" was ignored',
    'unknown field "\\ud800" was ignored',
  ]);
});
