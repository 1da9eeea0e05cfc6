import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SCOPES } from '../../src/tenants/store.ts';
import { listOperations } from '../support/contract.ts';
import { NOBODY } from '../support/desk.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

const PATH = '/api/v1/challenges';
const keyWith = async (rights: { scopes: string[]; own_only: boolean }) =>
  (await server.integration({ rights })).apiKey;

test('the contract names the scope of every operation of challenges, and the key without just that one is told so', async () => {
  const ofChallenges = listOperations().filter(
    ({ operation: { tags, security } }) => tags?.includes('challenges') && security === undefined,
  );
  expect(ofChallenges.length).toBeGreaterThan(7);
  for (const { method, path, operation } of ofChallenges) {
    const scope = /Needs the\s+scope `([\w:]+)`/.exec(operation.description ?? '')?.[1] ?? 'none is named';
    const key = await keyWith({ scopes: SCOPES.filter((one) => one !== scope), own_only: false });
    const asked = server.request[method](path.replace('{challenge_id}', NOBODY)).set('X-API-Key', key);
    const { status, body } = await asked;
    expect({ operation: operation.operationId, status, body }).toMatchObject({
      operation: operation.operationId,
      ...{ status: 403, body: { code: 'forbidden', error: expect.stringContaining(scope) } },
    });
  }
});

test('a key that may only create is told which scope it lacks when it reads', async () => {
  const key = await keyWith({ scopes: ['challenges:create'], own_only: false });
  const { challenge_id } = await server.create({}, key);
  const read = await server.request.get(`${PATH}/${challenge_id}`).set('X-API-Key', key);
  expect(read.status).toBe(403);
  expect(read.body).toMatchObject({ code: 'forbidden', error: expect.stringContaining('challenges:read') });
  expect((await server.request.get(PATH).set('X-API-Key', key)).status).toBe(403);
});

test('a key that may only read neither creates nor cancels, and nothing is stored', async () => {
  const key = await keyWith({ scopes: ['challenges:read'], own_only: false });
  const { challenge_id } = await server.create();
  expect((await server.read(challenge_id, key)).status).toBe('initiated');
  const created = await server.request.post(PATH).set('X-API-Key', key).send({ target_user_id: 'forbidden' });
  expect(created.status).toBe(403);
  expect((await server.request.post(`${PATH}/${challenge_id}/cancel`).set('X-API-Key', key)).status).toBe(
    403,
  );
  expect((await server.read(challenge_id)).status).toBe('initiated');
  const stored = await server.db
    .selectFrom('challenges')
    .select('id')
    .where('target_user_id', '=', 'forbidden')
    .execute();
  expect(stored).toEqual([]);
});

test('a key that sees only its own finds nothing of its neighbours, by id or in lists', async () => {
  const key = await keyWith({ scopes: ['challenges:create', 'challenges:read'], own_only: true });
  const neighbours = await server.create();
  const own = await server.create({}, key);
  expect(await server.read(own.challenge_id, key)).toMatchObject({ challenge_id: own.challenge_id });
  for (const answer of [
    await server.request.get(`${PATH}/${neighbours.challenge_id}`).set('X-API-Key', key),
    await server.request.post(`${PATH}/${neighbours.challenge_id}/cancel`).set('X-API-Key', key),
  ]) {
    expect(answer.status).toBe(404);
    expect(answer.body).toMatchObject({ error: 'Challenge not found' });
  }
  const { data } = (await server.request.get(PATH).set('X-API-Key', key)).body as {
    data: { challenge_id: string }[];
  };
  expect(data.map(({ challenge_id }) => challenge_id)).toEqual([own.challenge_id]);
  // The neighbour, whose key is an ordinary one, sees both.
  expect(await server.read(own.challenge_id)).toMatchObject({ status: 'initiated' });
});
