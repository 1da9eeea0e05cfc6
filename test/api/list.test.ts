import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { expectRefusal } from '../support/refusal.ts';
import { makeOverdue } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

type Read = { challenge_id: string; status: string };
type Page = { data: Read[]; next_cursor: string | null };

// The role runs no sweep: what is overdue stays as it was stored.
let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
});
afterAll(() => server.close());

const get = (query: Record<string, string> | string, key = server.apiKey) =>
  server.request.get('/api/v1/challenges').set('X-API-Key', key).query(query);
async function list(query: Record<string, string>, key = server.apiKey): Promise<Page> {
  return (await get(query, key).expect(200)).body as Page;
}
const idsOf = ({ data }: Page) => data.map((one) => one.challenge_id);
/** A key of a tenant that has nothing yet. */
const newKey = async () => (await server.integration({ newTenant: true })).apiKey;
async function createMany(n: number, key: string, body = {}): Promise<string[]> {
  const ids = [];
  for (let i = 0; i < n; i += 1) ids.push((await server.create(body, key)).challenge_id);
  return ids.reverse();
}

test('an empty list is one empty page', async () => {
  expect(await list({}, await newKey())).toEqual({ data: [], next_cursor: null });
});

test('the newest comes first, each as a read shows it, 20 unless asked otherwise', async () => {
  const key = await newKey();
  const ids = await createMany(21, key, { context: 'Reset' });
  const page = await list({}, key);
  expect(idsOf(page)).toEqual(ids.slice(0, 20));
  expect(page.data[0]).toEqual(await server.read(ids[0] ?? '', key));
  expect(idsOf(await list({ limit: '100' }, key))).toEqual(ids);
});

describe('pages', () => {
  test.each(['1', '3', '7', '8'])('of %s, one after the other, hold everything once', async (limit) => {
    const key = await newKey();
    const ids = await createMany(7, key);
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await list({ limit, ...(cursor ? { cursor } : {}) }, key);
      expect(page.data.length).toBeLessThanOrEqual(Number(limit));
      // No page is empty: a cursor is only given when something follows.
      expect(page.data.length).toBeGreaterThan(0);
      seen.push(...idsOf(page));
      cursor = page.next_cursor;
    }
    expect(seen).toEqual(ids);
  });

  test('do not shift when something is created in between', async () => {
    const key = await newKey();
    const ids = await createMany(4, key);
    const first = await list({ limit: '2' }, key);
    await createMany(3, key);
    const second = await list({ limit: '2', cursor: first.next_cursor ?? '' }, key);
    expect([...idsOf(first), ...idsOf(second)]).toEqual(ids);
    expect(second.next_cursor).toBeNull();
  });

  test('keep their filter, and a cursor opens nothing of another tenant', async () => {
    const key = await newKey();
    const mine = await createMany(3, key, { requester_id: 'me' });
    await createMany(2, key, { requester_id: 'you' });
    const first = await list({ limit: '2', requester: 'me' }, key);
    const cursor = first.next_cursor ?? '';
    const second = await list({ limit: '2', requester: 'me', cursor }, key);
    expect([...idsOf(first), ...idsOf(second)]).toEqual(mine);
    expect(await list({ cursor }, await newKey())).toEqual({ data: [], next_cursor: null });
  });
});

describe('filters', () => {
  test('target finds by id exactly, by e-mail in any case', async () => {
    const key = await newKey();
    const byId = await server.create({ target_user_id: 'U-1', target_user_email: null }, key);
    const byEmail = await server.create({ target_user_email: 'Ada@Example.com' }, key);
    expect(idsOf(await list({ target: 'U-1' }, key))).toEqual([byId.challenge_id]);
    expect(idsOf(await list({ target: 'u-1' }, key))).toEqual([]);
    expect(idsOf(await list({ target: 'aDA@example.COM' }, key))).toEqual([byEmail.challenge_id]);
    expect(idsOf(await list({ target: '%' }, key))).toEqual([]);
    expect(idsOf(await list({ target: "' or true --" }, key))).toEqual([]);
  });

  test('created_after includes its moment, created_before does not', async () => {
    const key = await newKey();
    const [id = ''] = await createMany(1, key);
    const created_at = new Date('2026-01-31T12:00:00Z');
    await server.db.updateTable('challenges').set({ created_at }).where('id', '=', id).execute();
    for (const moment of ['2026-01-31T12:00:00Z', '2026-01-31T14:00:00.000+02:00', '2026-01-31T12:00Z']) {
      expect(idsOf(await list({ created_after: moment }, key))).toEqual([id]);
      expect(idsOf(await list({ created_before: moment }, key))).toEqual([]);
    }
    expect(idsOf(await list({ created_after: '2026-01-31', created_before: '2026-02-01' }, key))).toEqual([
      id,
    ]);
    expect(idsOf(await list({ created_after: '2026-01-31T12:00:01Z' }, key))).toEqual([]);
    for (const [created_after, created_before] of [
      ['0001-01-01', '9999-12-31T23:59:59-23:59'],
      ['0000-01-01T00:00:00+23:59', '9999-12-31'],
    ] as const) {
      expect(idsOf(await list({ created_after, created_before }, key))).toEqual([id]);
    }
  });

  test('status agrees with what a read says, also for what is overdue but not yet swept', async () => {
    const key = await newKey();
    const make = async (decision?: string, { start = true } = {}) => {
      const created = await server.create({}, key);
      const person = createPerson(server);
      if (start) await person.start(created).expect(303);
      if (decision) await person.decide(created, decision).expect(303);
      return created.challenge_id;
    };
    const initiated = await make(undefined, { start: false });
    const started = await make();
    const verified = await make('approve');
    const failed = await make('report');
    const overdue = [await make(undefined, { start: false }), await make()];
    for (const id of [...overdue, verified]) await makeOverdue(server.db, id);

    const expected: [string, string[]][] = [
      ['initiated', [initiated]],
      ['in-progress', [started]],
      ['verified', [verified]],
      ['failed', [failed]],
      ['expired', overdue.reverse()],
    ];
    for (const [status, ids] of expected) {
      const page = await list({ status }, key);
      expect([status, idsOf(page)]).toEqual([status, ids]);
      for (const one of page.data) {
        expect(one.status).toBe(status);
        expect(await server.read(one.challenge_id, key)).toEqual(one);
      }
    }
  });
});

test('another tenant and the other mode see nothing; another key of the tenant sees the same', async () => {
  const { challenge_id } = await server.create();
  const same = await server.integration();
  const live = await server.integration({ mode: 'live' });
  expect(await list({}, same.apiKey)).toEqual(await list({}));
  expect(idsOf(await list({}, live.apiKey))).not.toContain(challenge_id);
  expect(idsOf(await list({}, await newKey()))).toEqual([]);
});

test.each([
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['limit=-1', 'limit'],
  ['limit=1.5', 'limit'],
  ['limit=1e1', 'limit'],
  ['limit=ten', 'limit'],
  ['limit=5&limit=6', 'limit'],
  ['status=done', 'status'],
  ['status=Verified', 'status'],
  ['status=verified,failed', 'status'],
  ['status=failed&status=verified', 'status'],
  [`target=${'a'.repeat(256)}`, 'target'],
  ['target=%00', 'target'],
  ['requester=%E2%80%AE', 'requester'],
  ['created_after=yesterday', 'created_after'],
  ['created_after=1769860800', 'created_after'],
  ['created_after=2026-13-01', 'created_after'],
  ['created_after=2026-02-30', 'created_after'],
  ['created_before=2026-04-31T00:00:00Z', 'created_before'],
  ['created_before=2026-01-01T25:00Z', 'created_before'],
  ['created_before=2026-01-01T00:00', 'created_before'],
  ['cursor=nonsense', 'cursor'],
  [`cursor=${'a'.repeat(101)}`, 'cursor'],
  ['stauts=failed', 'stauts'],
  ['status[]=failed', 'status[]'],
  ['__proto__=x', '__proto__'],
  ['page=2', 'page'],
  ['target=', 'target'],
])('?%s is refused', async (query, field) => {
  expectRefusal(await get(query), 400, { code: 'invalid', field });
});
