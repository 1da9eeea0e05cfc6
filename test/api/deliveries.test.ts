import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attemptsOf, openSinks, settle } from '../support/deliveries.ts';
import { createDesk, NOBODY, NOWHERE } from '../support/desk.ts';
import type { Delivery } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

type Page = { data: Delivery[]; next_cursor: string | null };

// Without a worker: what is pending stays so.
let server: TestServer;
let desk: ReturnType<typeof createDesk>;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  desk = createDesk(server);
});
afterAll(() => server.close());

const idsOf = (found: { delivery_id: string }[]) => found.map(({ delivery_id }) => delivery_id);
const newKey = async () => (await server.integration({ newTenant: true })).apiKey;

test('a callback that failed is shown with its attempts and all that they came to', async () => {
  const sinks = openSinks();
  const sink = await sinks.open((response) => response.writeHead(503).end('down\0for lunch'));
  const busy = await startServer();
  const id = await settle(busy, { callback_url: sink.url });
  await until(async () => (await attemptsOf(busy.db, id)).length > 0, 'an attempt');
  const [one] = await createDesk(busy).list({ challenge_id: id });
  const detail = await createDesk(busy).read(one?.delivery_id ?? '');
  const { attempts, ...rest } = detail;
  expect(rest).toEqual({ ...one });
  expect(rest).toEqual({
    delivery_id: expect.any(String),
    event_id: sink.received[0]?.headers['webhook-id'],
    event_type: 'challenge.completed',
    challenge_id: id,
    integration_id: expect.any(String),
    endpoint_id: expect.any(String),
    mode: 'test',
    url: sink.url,
    trigger: 'event',
    status: 'pending',
    attempt_count: 1,
    next_attempt_at: expect.any(String),
    last_status_code: 503,
    last_error_class: 'http_5xx',
    dead_reason: null,
    created_at: expect.any(String),
    completed_at: null,
    body_deleted: false,
  });
  expect(attempts).toHaveLength(1);
  expect(attempts[0]).toMatchObject({
    ...{ attempt: 1, url: sink.url, started_at: expect.any(String), duration_ms: expect.any(Number) },
    ...{ status_code: 503, error_class: 'http_5xx', error_message: null, remote_address: '127.0.0.1' },
    response_excerpt: 'down\ufffdfor lunch',
  });
  expect(Object.keys(attempts[0] ?? {})).toEqual(
    expect.arrayContaining(['dns_ms', 'connect_ms', 'first_byte_ms']),
  );
  await busy.close();
  await sinks.close();
});

test('the newest comes first, page after page, each once', async () => {
  const key = await newKey();
  const made = [];
  for (let i = 0; i < 5; i += 1) made.push((await desk.make({ apiKey: key })).delivery_id);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: Record<string, string> = { limit: '2', ...(cursor ? { cursor } : {}) };
    const page: Page = (await desk.get('', key).query(query).expect(200)).body as Page;
    expect(page.data.length).toBeGreaterThan(0);
    seen.push(...idsOf(page.data));
    cursor = page.next_cursor;
  }
  expect(seen).toEqual(made.reverse());
  expect((await desk.get('', await newKey())).body).toEqual({ data: [], next_cursor: null });
});

test('every filter finds what it says and nothing else', async () => {
  const key = await newKey();
  const dead = await desk.make({ apiKey: key, dead_reason: 'refused' });
  const there = await desk.make({ apiKey: key, status: 'delivered', callback_url: 'http://127.0.0.1:10/' });
  const waiting = await desk.make({ apiKey: key, status: 'pending' });
  const sent = await desk.post(`/${there.delivery_id}/resend`, {}, key).expect(202);
  const { delivery_id: resent } = sent.body as Delivery;
  const all = [resent, waiting.delivery_id, there.delivery_id, dead.delivery_id];
  const expected: [Record<string, string>, string[]][] = [
    [{}, all],
    [{ status: 'dead' }, [dead.delivery_id]],
    [{ status: 'pending' }, [resent, waiting.delivery_id]],
    [{ status: 'canceled' }, []],
    [{ endpoint_id: there.endpoint_id }, [resent, there.delivery_id]],
    [{ integration_id: dead.integration_id }, all],
    [{ integration_id: NOBODY }, []],
    [{ challenge_id: waiting.challenge_id }, [waiting.delivery_id]],
    [{ event_type: 'challenge.completed' }, all],
    [{ event_type: 'endpoint.test' }, []],
    [{ trigger: 'resend' }, [resent]],
    [{ dead_reason: 'refused' }, [dead.delivery_id]],
    [{ dead_reason: 'exhausted' }, []],
    [{ since: '2001-01-01', until: '2001-01-02T00:00:00Z' }, []],
    [{ since: '2001-01-01T00:00:00.000+02:00', status: 'delivered' }, [there.delivery_id]],
  ];
  for (const [query, ids] of expected)
    expect([query, idsOf(await desk.list(query, key))]).toEqual([query, ids]);
});

test('since includes its moment, until does not', async () => {
  const key = await newKey();
  const { delivery_id } = await desk.make({ apiKey: key });
  const created_at = new Date('2026-01-31T12:00:00.500Z');
  await server.db.updateTable('deliveries').set({ created_at }).where('id', '=', delivery_id).execute();
  const moment = created_at.toISOString();
  expect(idsOf(await desk.list({ since: moment }, key))).toEqual([delivery_id]);
  expect(idsOf(await desk.list({ until: moment }, key))).toEqual([]);
});

describe('nothing is seen', () => {
  test('of another tenant or the other mode; another key of the tenant sees the same', async () => {
    const { delivery_id } = await desk.make();
    const same = await server.integration();
    const live = await server.integration({ mode: 'live' });
    expect(idsOf(await desk.list({}, same.apiKey))).toContain(delivery_id);
    for (const key of [live.apiKey, await newKey()]) {
      expect(idsOf(await desk.list({}, key))).not.toContain(delivery_id);
      for (const path of [`/${delivery_id}`, `/${delivery_id}/preview`])
        expectRefusal(await desk.get(path, key), 404, { code: 'not_found', error: 'Delivery not found' });
      expectRefusal(await desk.post(`/${delivery_id}/resend`, {}, key), 404, { code: 'not_found' });
    }
  });

  test('of the neighbours, by a key that sees only its own', async () => {
    const rights = { scopes: ['challenges:create', 'challenges:read', 'deliveries:manage'], own_only: true };
    const { apiKey } = await server.integration({ rights });
    const neighbours = await desk.make();
    const own = await desk.make({ apiKey });
    expect(idsOf(await desk.list({}, apiKey))).toEqual([own.delivery_id]);
    expect(await desk.list({ integration_id: neighbours.integration_id }, apiKey)).toEqual([]);
    expectRefusal(await desk.get(`/${neighbours.delivery_id}`, apiKey), 404, { code: 'not_found' });
    expectRefusal(await desk.post(`/${neighbours.delivery_id}/resend`, {}, apiKey), 404, {
      code: 'not_found',
    });
  });

  test('without the scope; who may only read changes nothing', async () => {
    const { delivery_id } = await desk.make();
    const only = async (scope: string) =>
      (await server.integration({ rights: { scopes: [scope], own_only: false } })).apiKey;
    const reader = await only('challenges:read');
    const manager = await only('deliveries:manage');
    for (const path of ['', `/${delivery_id}`]) {
      await desk.get(path, reader).expect(200);
      const error = expect.stringContaining('challenges:read') as unknown as string;
      expectRefusal(await desk.get(path, manager), 403, { code: 'forbidden', error });
    }
    for (const path of [`/${delivery_id}/resend`, '/replay', '/test']) {
      const error = expect.stringContaining('deliveries:manage') as unknown as string;
      expectRefusal(await desk.post(path, {}, reader), 403, { code: 'forbidden', error });
    }
    await desk.post(`/${delivery_id}/resend`, {}, manager).expect(202);
  });

  test('of a preview, which could be sent as it is, by a key that may only read or only manage', async () => {
    const { delivery_id } = await desk.make();
    const both = ['challenges:read', 'deliveries:manage'];
    const keyFor = async (scopes: string[]) =>
      (await server.integration({ rights: { scopes, own_only: false } })).apiKey;
    for (const scope of both) {
      const missing = both.find((other) => other !== scope);
      const answer = await desk.get(`/${delivery_id}/preview`, await keyFor([scope]));
      const error = expect.stringContaining(`the scope ${missing}`) as unknown as string;
      expectRefusal(answer, 403, { code: 'forbidden', error });
      expect(answer.text).not.toContain('signature');
    }
    await desk.get(`/${delivery_id}/preview`, await keyFor(both)).expect(200);
  });
});

test.each([
  ['status=lost', 'status'],
  ['status=', 'status'],
  ['status=dead&status=pending', 'status'],
  ['endpoint_id=1', 'endpoint_id'],
  [`endpoint_id=' or true --`, 'endpoint_id'],
  [`endpoint_id=${NOBODY}'%3B drop table deliveries%3B--`, 'endpoint_id'],
  ['integration_id=First steps', 'integration_id'],
  ['challenge_id=%00', 'challenge_id'],
  ['event_type=challenge.*', 'event_type'],
  ['event_type=%E2%80%AE', 'event_type'],
  ['trigger=EVENT', 'trigger'],
  ['trigger=__proto__', 'trigger'],
  ['dead_reason=exhausted%0A', 'dead_reason'],
  ['dead_reason=toString', 'dead_reason'],
  ['since=yesterday', 'since'],
  ['since=2026-02-30', 'since'],
  ['until=2026-01-01T00:00', 'until'],
  ['until=1769860800', 'until'],
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['limit=1e1', 'limit'],
  ['limit=', 'limit'],
  ['cursor=nonsense', 'cursor'],
  ['cursor=', 'cursor'],
  ['stauts=dead', 'stauts'],
  ['status[]=dead', 'status[]'],
  ['__proto__=x', '__proto__'],
])('?%s is refused by name', async (query, field) => {
  expectRefusal(await desk.get(`?${query}`), 400, { code: 'invalid', field });
});

test.each(['endpoint_id', 'integration_id', 'challenge_id', 'event_type', 'dead_reason', 'since', 'cursor'])(
  '10 kB of %s are refused, by name and without repeating them',
  async (field) => {
    const answer = await desk.get(`?${field}=${'a'.repeat(10_240)}`);
    expectRefusal(answer, 400, { code: 'invalid', field });
    expect(answer.text.length).toBeLessThan(500);
  },
);

test.each([NOBODY, 'nonsense', '1', 'a'.repeat(100), '%00', "'--"])('nothing has the id %s', async (id) => {
  for (const answer of [
    await desk.get(`/${id}`),
    await desk.get(`/${id}/preview`),
    await desk.post(`/${id}/resend`),
  ])
    expectRefusal(answer, 404, { code: 'not_found', error: 'Delivery not found' });
});

test('another method is answered with those there are', async () => {
  const { delivery_id } = await desk.make({ callback_url: NOWHERE });
  for (const [method, path, allowed] of [
    ['delete', '', 'GET, HEAD'],
    ['put', `/${delivery_id}`, 'GET, HEAD'],
    ['post', `/${delivery_id}/preview`, 'GET, HEAD'],
    ['get', `/${delivery_id}/resend`, 'POST'],
    ['get', '/replay', 'POST'],
    ['get', '/test', 'POST'],
  ] as const) {
    const answer = await server.request[method](`/api/v1/deliveries${path}`).set('X-API-Key', server.apiKey);
    expectRefusal(answer, 405, { code: 'method_not_allowed' });
    expect(answer.headers.allow).toBe(allowed);
  }
});
