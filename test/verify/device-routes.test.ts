import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const SCRIPT = '<script>alert(1)</script>';
const NOTHING = { device_fingerprint: null, device_fingerprint_status: 'pending' };
const JSON_TYPE = 'application/json';

let server: TestServer;
let created: Created;
let person: ReturnType<typeof createPerson>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  created = await server.create();
  person = createPerson(server);
  await person.press(created).expect(303);
});

const path = () => `/challenge/${created.challenge_id}/device`;
const read = () => server.read(created.challenge_id);

test('the browser that pressed Continue is answered without a page, and cannot be told apart from one that told before', async () => {
  for (let times = 0; times < 2; times += 1) {
    const answer = await person.tell(created).expect(204);
    expect(answer.text).toBe('');
    expect(answer.headers['cache-control']).toBe('no-store');
  }
  expect(await read()).toMatchObject({ device_fingerprint_status: 'collected' });
});

test('another browser is refused, and so is one that has only opened the link', async () => {
  await createPerson(server).tell(created).expect(403);
  const other = createPerson(server);
  await other.open(created).expect(200);
  await other.tell(created).expect(403);
  expect(await read()).toMatchObject(NOTHING);
});

test('another site is refused, whatever browser it is', async () => {
  for (const site of ['cross-site', 'same-site'])
    await person.tell(created).set('Sec-Fetch-Site', site).expect(403);
  expect(await read()).toMatchObject(NOTHING);
  await person.tell(created).set('Sec-Fetch-Site', 'same-origin').expect(204);
});

test.each([
  ['text', 'text/plain', '{"screen":"1920x1080"}', 400],
  ['a form', 'application/x-www-form-urlencoded', 'screen=1920x1080', 400],
  ['what is no JSON', JSON_TYPE, '{"screen":', 400],
  ['a list', JSON_TYPE, '[]', 400],
  ['a word', JSON_TYPE, '"1920x1080"', 400],
  ['too much', JSON_TYPE, JSON.stringify({ screen: 'x'.repeat(2_048) }), 413],
  ['an unknown encoding', `${JSON_TYPE}; charset=ebcdic`, '{}', 400],
])('%s is refused and changes nothing', async (_what, type, body, status) => {
  await person.agent.post(path()).set('Content-Type', type).send(body).expect(status);
  expect(await read()).toMatchObject(NOTHING);
});

test('an empty object is a report too: what the request says is enough', async () => {
  await person.tell(created, {}).set('User-Agent', 'Mozilla/5.0 (X11; Linux) Firefox/121.0').expect(204);
  const { device_fingerprint } = await read();
  expect(device_fingerprint).toMatchObject({ browser: 'Firefox 121.0', screen: null, ip: '127.0.0.1' });
});

test('what is not what it should be is left out, and script text stays text', async () => {
  const report = { screen: SCRIPT, timezone: SCRIPT, language: SCRIPT, platform: SCRIPT };
  await person
    .tell(created, { ...report, ip: SCRIPT, user_agent: 'x' })
    .set('User-Agent', SCRIPT)
    .expect(204);
  const { device_fingerprint } = await read();
  expect(device_fingerprint).toEqual({
    ...{ browser: null, os: null, screen: null, timezone: null, language: null },
    ...{ ip: '127.0.0.1', user_agent: SCRIPT },
  });
  expect(
    (await person.agent.get(`/challenge/${created.challenge_id}/sandbox`).expect(200)).text,
  ).not.toContain('alert(1)');
});

test('no other method, and no challenge that does not exist', async () => {
  const { headers } = await person.agent.get(path()).expect(405);
  expect(headers.allow).toBe('POST');
  const nobody = { ...created, challenge_id: '01a1f80c-66f3-757c-8473-8105b057d432' };
  await person.tell(nobody).expect(404);
  await person.tell({ ...created, challenge_id: 'no-id' }).expect(404);
});
