import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { settle } from '../support/deliveries.ts';
import { expectRefusal } from '../support/refusal.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const NOBODY = '00000000-0000-4000-8000-000000000000';
const RIGHTS = { scopes: ['challenges:create', 'challenges:read', 'challenges:erase'], own_only: false };
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

let server: TestServer;
let key: string;
beforeAll(async () => {
  server = await startServer({ env: HTTPS });
  key = (await server.integration({ rights: RIGHTS })).apiKey;
});
afterAll(() => server.close());

const eraseOne = (id: string, by = key) =>
  server.request.post(`/api/v1/challenges/${id}/erase`).set('X-API-Key', by);
const eraseAll = (target: object, by = key) =>
  server.request.post('/api/v1/erasures').set('X-API-Key', by).send(target);
const isErased = async (id: string, by = server.apiKey) => (await server.read(id, by)).erased_at !== null;

describe('one challenge', () => {
  test('is answered and read as a tombstone', async () => {
    const id = await settle(server, { target_user_id: 'u1', context: 'Why', metadata: { a: 'b' } });
    expect(await server.read(id)).toMatchObject({ erased_at: null, context: 'Why' });
    const erased = await eraseOne(id);
    expect(erased.status).toBe(200);
    expect(erased.body).toMatchObject({
      ...{ challenge_id: id, status: 'failed', failure_reason: 'canceled', requester_id: 'erased' },
      ...{ target_user_id: null, target_user_email: null, context: null, target_response: null },
      ...{ device_fingerprint: null, device_fingerprint_status: 'unavailable', metadata: {} },
      erased_at: expect.stringMatching(TIME),
    });
    expect(await server.read(id)).toEqual(erased.body);
  });

  test('that is open is refused with the cure, and nothing changes', async () => {
    const { challenge_id } = await server.create();
    const before = await server.read(challenge_id);
    const error = 'Challenge is still initiated; cancel it first, or wait until it has ended';
    expectRefusal(await eraseOne(challenge_id), 409, { code: 'conflict', error });
    expect(await server.read(challenge_id)).toEqual(before);
  });

  test('needs a key with the scope, which an ordinary key has not', async () => {
    const id = await settle(server, {});
    const error = 'This API key may not do this; it needs the scope challenges:erase';
    expectRefusal(await eraseOne(id, server.apiKey), 403, { code: 'forbidden', error });
    expectRefusal(await eraseAll({ target_user_id: 'x' }, server.apiKey), 403, { code: 'forbidden', error });
    expectRefusal(await eraseOne(id, 'wrong'), 401, { code: 'unauthorized' });
    expect(await isErased(id)).toBe(false);
  });

  test('of another tenant, another mode or nobody is not found', async () => {
    const id = await settle(server, {});
    const foreign = await server.integration({ newTenant: true, rights: RIGHTS });
    const live = await server.integration({ mode: 'live', rights: RIGHTS });
    const own = await server.integration({ rights: { ...RIGHTS, own_only: true } });
    for (const answer of [
      await eraseOne(id, foreign.apiKey),
      await eraseOne(id, live.apiKey),
      await eraseOne(id, own.apiKey),
      await eraseOne(NOBODY),
      await eraseOne('no-id'),
    ])
      expectRefusal(answer, 404, { code: 'not_found', error: 'Challenge not found' });
    expect(await isErased(id)).toBe(false);
  });

  test('other methods are told what is allowed', async () => {
    for (const path of [`/api/v1/challenges/${NOBODY}/erase`, '/api/v1/erasures'])
      expectRefusal(await server.request.get(path).set('X-API-Key', key), 405, {
        code: 'method_not_allowed',
        error: 'Use POST here',
      });
  });
});

describe('a target', () => {
  test('is erased from all ended challenges by e-mail in any case; open ones are left and counted', async () => {
    const target_user_email = 'Grace.H@example.com';
    const ended = [
      await settle(server, { target_user_email }),
      await settle(server, { target_user_email: target_user_email.toUpperCase() }),
    ];
    const open = await server.create({ target_user_email });
    const other = await settle(server, { target_user_email: `x${target_user_email}` });
    const first = await eraseAll({ target_user_email: 'grace.h@EXAMPLE.com' });
    expect([first.status, first.body]).toEqual([200, { erased: 2, open: 1, deliveries_canceled: 0 }]);
    expect(await Promise.all(ended.map((id) => isErased(id)))).toEqual([true, true]);
    expect(await server.read(open.challenge_id)).toMatchObject({ target_user_email, erased_at: null });
    expect(await isErased(other)).toBe(false);

    const again = await eraseAll({ target_user_email });
    expect(again.body).toEqual({ erased: 0, open: 1, deliveries_canceled: 0 });
  });

  test('by identifier is the identifier itself, in its case', async () => {
    const id = await settle(server, { target_user_id: 'EMP-7' });
    expect((await eraseAll({ target_user_id: 'emp-7' })).body).toMatchObject({ erased: 0 });
    expect((await eraseAll({ target_user_id: 'EMP-7' })).body).toMatchObject({ erased: 1 });
    expect(await isErased(id)).toBe(true);
  });

  test('is erased only where the key may look', async () => {
    const target_user_id = 'shared';
    const own = await server.integration({ rights: { ...RIGHTS, own_only: true } });
    const live = await server.integration({ mode: 'live', rights: RIGHTS });
    const foreign = await server.integration({ newTenant: true, rights: RIGHTS });
    const keys = [key, own.apiKey, live.apiKey, foreign.apiKey];
    const ids: string[] = [];
    for (const by of keys) ids.push(await settle(server, { target_user_id }, by));
    const state = async () => Promise.all(ids.map((id, index) => isErased(id, keys[index])));
    for (const [by, expected] of [
      [own.apiKey, [false, true, false, false]],
      [foreign.apiKey, [false, true, false, true]],
      [live.apiKey, [false, true, true, true]],
      [key, [true, true, true, true]],
    ] as const) {
      expect((await eraseAll({ target_user_id }, by)).body).toMatchObject({ erased: 1 });
      expect(await state()).toEqual(expected);
    }
  });

  test.each<[string, object | string, number, string, string | undefined]>([
    ['nothing', {}, 400, 'target_user_email or target_user_id is required', 'target_user_email'],
    [
      'null',
      { target_user_id: null },
      400,
      'target_user_email or target_user_id is required',
      'target_user_email',
    ],
    [
      'blank',
      { target_user_id: ' ' },
      400,
      'target_user_email or target_user_id is required',
      'target_user_email',
    ],
    [
      'both',
      { target_user_id: 'a', target_user_email: 'a@b.example' },
      400,
      'send target_user_email or target_user_id, not both; erase by each in turn',
      'target_user_id',
    ],
    [
      'a field that is none',
      { target_user_id: 'a', before: '2026-01-01' },
      400,
      'unknown field; use target_user_email or target_user_id',
      'before',
    ],
    ['a number', { target_user_id: 7 }, 400, 'target_user_id must be a string', 'target_user_id'],
    ['a list', [], 400, 'the request body must be a JSON object', undefined],
  ])('named by %s is refused', async (_, body, status, error, field) => {
    expectRefusal(await eraseAll(body as object), status, {
      code: 'invalid',
      error,
      ...(field ? { field } : {}),
    });
  });
});
