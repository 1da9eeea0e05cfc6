import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { expectRefusal } from '../support/refusal.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

const FAILED = { code: 'internal', error: 'Failed to create challenge' };
const BODY = { target_user_email: 'ada@example.com' };

let database: TestDatabase;
let proxy: Awaited<ReturnType<typeof startDatabaseProxy>>;
let server: TestServer;
beforeAll(async () => {
  database = await createDatabase();
  proxy = await startDatabaseProxy(database);
  server = await startServer({ role: 'api', env: { DATABASE_URL: proxy.url } });
});
const closers: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const closer of closers) await closer();
  await server.close();
  await proxy.close();
  await database.close();
});

const post = (path = '/api/v1/challenges', headers: Record<string, string> = {}) =>
  server.request
    .post(path)
    .set({ 'X-API-Key': server.apiKey, ...headers })
    .send(BODY);

test('a create that fails on our side says so in the documented words and nothing more', async () => {
  await sql`alter table challenges rename to hidden`.execute(database.db);
  for (const path of ['/api/v1/challenges', '/api/v1/challenges/', '/api/v1/challenges?source=itsm']) {
    const answer = await post(path);
    expectRefusal(answer, 500, FAILED);
    expect(answer.text).not.toMatch(/relation|exist|select|insert/);
  }
  const read = await server.request.get('/api/v1/challenges').set('X-API-Key', server.apiKey);
  expectRefusal(read, 500, { code: 'internal', error: 'Internal error' });

  // The failed try keeps neither a row nor the idempotency key.
  expectRefusal(await post(undefined, { 'Idempotency-Key': 'again' }), 500, FAILED);
  await sql`alter table hidden rename to challenges`.execute(database.db);
  const answer = await post(undefined, { 'Idempotency-Key': 'again' }).expect(201);
  expect(answer.headers['idempotency-replayed']).toBeUndefined();
  const { rows } = await sql`select from challenges`.execute(database.db);
  expect(rows).toHaveLength(1);
});

test('while the database is away every answer is 503, and afterwards all is well by itself', async () => {
  const { challenge_id } = await server.create();
  const asKey = { 'X-API-Key': server.apiKey };
  proxy.cut();
  const { request } = server;
  const unavailable = { code: 'unavailable', error: 'The database is not available; try again' };
  expectRefusal(await post(), 503, unavailable);
  expectRefusal(await post(undefined, { 'Idempotency-Key': 'away' }), 503, unavailable);
  expectRefusal(await request.get('/api/v1/challenges').set(asKey), 503, unavailable);
  expectRefusal(await request.get(`/api/v1/challenges/${challenge_id}`).set(asKey), 503, unavailable);
  expectRefusal(await request.post(`/api/v1/challenges/${challenge_id}/cancel`).set(asKey), 503, unavailable);
  // An unknown key is not called wrong while nobody can tell.
  const unknown = { 'X-API-Key': server.apiKey.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) };
  expectRefusal(await request.get('/api/v1/challenges').set(unknown), 503, unavailable);
  await request.get('/healthz').expect(200);
  await request.get('/readyz').expect(503, { status: 'database unavailable' });

  proxy.mend();
  await until(async () => (await request.get('/readyz')).status === 200, 'the database to be back');
  expect(await server.read(challenge_id)).toMatchObject({ status: 'initiated' });
  expect((await post(undefined, { 'Idempotency-Key': 'away' }).expect(201)).headers).not.toHaveProperty(
    'idempotency-replayed',
  );
});

test('when PostgreSQL has no connection left, the answer is 503 too', async () => {
  const { db, connection, url } = database;
  const role = sql.id(`crowd_${connection.database}`);
  await sql`create role ${role} login password 'crowd' in role ${sql.id(connection.user)}`.execute(db);
  const address = new URL(url);
  Object.assign(address, { username: `crowd_${connection.database}`, password: 'crowd' });
  const { ENCRYPTION_KEY } = server.settings;
  const crowded = await startServer({ role: 'api', env: { DATABASE_URL: address.href, ENCRYPTION_KEY } });
  closers.push(() => crowded.close());

  await sql`alter role ${role} connection limit 0`.execute(db);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${address.username}`.execute(
    db,
  );
  const list = () => crowded.request.get('/api/v1/challenges').set('X-API-Key', server.apiKey);
  await until(async () => (await list()).status !== 200, 'the connections to be gone');
  for (let turn = 0; turn < 3; turn += 1) expectRefusal(await list(), 503, { code: 'unavailable' });
});
