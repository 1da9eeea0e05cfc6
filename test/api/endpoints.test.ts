import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { lockReplays } from '../../src/deliveries/replay-store.ts';
import { deliveriesOf, openSinks, settle } from '../support/deliveries.ts';
import { auditOf, createDesk, metricOf, NOBODY } from '../support/desk.ts';
import { expectRefusal } from '../support/refusal.ts';
import { readAllRows } from '../support/rows.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { until } from '../support/until.ts';

type Endpoint = { endpoint_id: string; state: string; disabled_at: string | null; [field: string]: unknown };
type Page = { data: Endpoint[]; next_cursor: string | null };

const DISABLED = 'countersign_endpoints_disabled_total{reason="operator"}';

// Without a worker: what is pending stays so.
let server: TestServer;
let desk: ReturnType<typeof createDesk>;
beforeAll(async () => {
  server = await startServer({ role: 'api' });
  desk = createDesk(server);
});
afterAll(() => server.close());

const clientOf = (one: TestServer) => ({
  get: (path: string, key = one.apiKey) => one.request.get(`/api/v1/endpoints${path}`).set('X-API-Key', key),
  post: (path: string, body?: object | string, key = one.apiKey) => {
    const asked = one.request.post(`/api/v1/endpoints${path}`).set('X-API-Key', key);
    return body === undefined ? asked : asked.type('json').send(body);
  },
});
const get = (path: string, key?: string) => clientOf(server).get(path, key);
const post = (path: string, body?: object | string, key?: string) => clientOf(server).post(path, body, key);
const read = async (id: string, key?: string) => (await get(`/${id}`, key).expect(200)).body as Endpoint;
const newTenant = () => server.integration({ newTenant: true });
let port = 20;
/** A URL whose origin no other test uses. */
const newUrl = () => `http://127.0.0.1:${(port += 1)}/hook`;
/** A listener to news of the tenant's endpoints. */
async function listener(tenant_id: string) {
  const { integrationId } = await server.integration({ callback_url: newUrl() });
  await server.db
    .updateTable('integrations')
    .set({ events: ['endpoint.disabled', 'endpoint.enabled'], tenant_id })
    .where('id', '=', integrationId)
    .execute();
  const news = () =>
    server.db
      .selectFrom('events')
      .innerJoin('deliveries', 'deliveries.event_id', 'events.id')
      .where('deliveries.integration_id', '=', integrationId)
      .select(['type', 'body'])
      .orderBy('events.id')
      .execute();
  return { news };
}

describe('reading', () => {
  test('an endpoint tells where it leads, how it is and what waits', async () => {
    const { apiKey, integrationId } = await newTenant();
    const url = newUrl();
    const { endpoint_id } = await desk.make({ apiKey, callback_url: url, status: 'pending' });
    await desk.make({ apiKey, callback_url: `${url}/other`, status: 'pending' });
    await desk.make({ apiKey, callback_url: url });
    expect(await read(endpoint_id, apiKey)).toEqual({
      endpoint_id,
      integration_id: integrationId,
      integration_name: expect.stringContaining('integration '),
      mode: 'test',
      origin: new URL(url).origin,
      state: 'healthy',
      ...{ open_until: null, paused_until: null, failing_since: null, last_success_at: null },
      ...{ consecutive_failures: 0, disabled_at: null, disabled_reason: null, gone_urls: [] },
      ...{ pending: 2, dead_since_disabled: 0 },
    });
  });

  test('its state is that of its health', async () => {
    const { endpoint_id } = await desk.make({ callback_url: newUrl() });
    const at = (ms: number) => new Date(Date.now() + ms);
    for (const [state, health] of [
      ['failing', { failing_since: at(-1_000), consecutive_failures: 2 }],
      ['open', { open_until: at(60_000) }],
      ['half_open', { open_until: at(-1_000) }],
      ['paused', { open_until: null, paused_until: at(60_000) }],
      ['disabled', { disabled_at: at(0), disabled_reason: 'failing' as const }],
    ] as const) {
      await server.db.updateTable('endpoints').set(health).where('id', '=', endpoint_id).execute();
      expect((await read(endpoint_id)).state).toBe(state);
    }
  });

  test('the list shows each once, page after page', async () => {
    const { apiKey } = await newTenant();
    const made = [];
    for (let i = 0; i < 3; i += 1)
      made.push((await desk.make({ apiKey, callback_url: newUrl() })).endpoint_id);
    const first = (await get('?limit=2', apiKey).expect(200)).body as Page;
    const second = (await get(`?limit=2&cursor=${first.next_cursor}`, apiKey).expect(200)).body as Page;
    expect(second.next_cursor).toBeNull();
    const all = [...first.data, ...second.data];
    expect(all.map(({ endpoint_id }) => endpoint_id)).toEqual(made.sort());
    expect(all[0]).toEqual(await read(made[0] ?? '', apiKey));
    expect((await get('', (await newTenant()).apiKey)).body).toEqual({ data: [], next_cursor: null });
  });

  test.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['cursor=%00', 'cursor'],
    ['state=disabled', 'state'],
  ])('?%s is refused by name', async (query, field) => {
    expectRefusal(await get(`?${query}`), 400, { code: 'invalid', field });
  });
});

describe('nobody finds or changes an endpoint', () => {
  test('of another tenant, of the other mode, or of a neighbour when the key sees only its own', async () => {
    const { endpoint_id } = await desk.make({ callback_url: newUrl() });
    const rights = { scopes: ['challenges:read', 'deliveries:manage'], own_only: true };
    const keys = [
      (await newTenant()).apiKey,
      (await server.integration({ mode: 'live' })).apiKey,
      (await server.integration({ rights })).apiKey,
    ];
    for (const key of keys) {
      expect((await get('', key)).body).toEqual({ data: [], next_cursor: null });
      for (const answer of [
        await get(`/${endpoint_id}`, key),
        await post(`/${endpoint_id}/disable`, {}, key),
        await post(`/${endpoint_id}/enable`, {}, key),
      ])
        expectRefusal(answer, 404, { code: 'not_found', error: 'Endpoint not found' });
    }
    expect((await read(endpoint_id)).disabled_at).toBeNull();
  });

  test('that is not there, under whatever id', async () => {
    for (const id of [NOBODY, 'nonsense', '%00', "'--", 'a'.repeat(100)])
      for (const answer of [await get(`/${id}`), await post(`/${id}/disable`), await post(`/${id}/enable`)])
        expectRefusal(answer, 404, { code: 'not_found' });
  });

  test('without the scope', async () => {
    const { endpoint_id } = await desk.make({ callback_url: newUrl() });
    const only = async (scope: string) =>
      (await server.integration({ rights: { scopes: [scope], own_only: false } })).apiKey;
    const [reader, manager] = [await only('challenges:read'), await only('deliveries:manage')];
    for (const path of ['', `/${endpoint_id}`])
      expectRefusal(await get(path, manager), 403, { code: 'forbidden' });
    for (const path of [`/${endpoint_id}/disable`, `/${endpoint_id}/enable`])
      expectRefusal(await post(path, {}, reader), 403, { code: 'forbidden' });
    expect((await post(`/${endpoint_id}/disable`, {}, manager)).status).toBe(200);
  });

  test('with a body that says something else', async () => {
    const { endpoint_id } = await desk.make({ callback_url: newUrl() });
    for (const [path, body, field] of [
      ['disable', '{', undefined],
      ['disable', '{"reason":"x"}', 'reason'],
      ['enable', '[]', undefined],
      ['enable', '{"replay":"yes"}', 'replay'],
      ['enable', '{"repaly":true}', 'repaly'],
    ] as const)
      expectRefusal(await post(`/${endpoint_id}/${path}`, body), 400, {
        code: 'invalid',
        ...(field ? { field } : {}),
      });
    expect((await read(endpoint_id)).disabled_at).toBeNull();
  });
});

describe('disabling', () => {
  test('is announced, audited and counted, once; again, it changes nothing', async () => {
    const { apiKey, tenant_id, integrationId } = await newTenant();
    const { news } = await listener(tenant_id);
    const { endpoint_id } = await desk.make({ apiKey, callback_url: newUrl() });
    const counted = await metricOf(server, DISABLED);
    const answer = await post(`/${endpoint_id}/disable`, {}, apiKey).expect(200);
    const endpoint = answer.body as Endpoint;
    expect(endpoint).toMatchObject({ endpoint_id, state: 'disabled', disabled_reason: 'operator' });
    expect(endpoint).toEqual(await read(endpoint_id, apiKey));
    const [announced, ...others] = await news();
    expect(others).toEqual([]);
    expect(JSON.parse(announced?.body ?? '')).toMatchObject({
      ...{ event_type: 'endpoint.disabled', integration_id: integrationId, endpoint_id, reason: 'operator' },
    });
    const [entry] = await auditOf(server.db, 'endpoint_disabled');
    expect(entry).toMatchObject({ tenant_id, challenge_id: null, detail: { endpoint_id } });
    expect(entry?.actor).toBe(`api_key:${apiKey.slice(0, 12)}`);
    expect(await metricOf(server, DISABLED)).toBe(counted + 1);

    const before = await readAllRows(server.db);
    expect((await post(`/${endpoint_id}/disable`, undefined, apiKey).expect(200)).body).toEqual(endpoint);
    expect(await readAllRows(server.db)).toEqual(before);
    expect(await metricOf(server, DISABLED)).toBe(counted + 1);
  });

  test('by two at the same time is announced once', async () => {
    const { apiKey, tenant_id } = await newTenant();
    const { news } = await listener(tenant_id);
    const { endpoint_id } = await desk.make({ apiKey, callback_url: newUrl() });
    const path = `/${endpoint_id}/disable`;
    const answers = await Promise.all([post(path, {}, apiKey), post(path, {}, apiKey)]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await news()).toHaveLength(1);
  });
});

describe('enabling', () => {
  test('forgets all that was held against the endpoint, and takes it from the run that had it', async () => {
    const { apiKey, tenant_id } = await newTenant();
    const { news } = await listener(tenant_id);
    const url = newUrl();
    const { endpoint_id } = await desk.make({ apiKey, callback_url: url });
    const past = new Date(Date.now() - 1_000);
    const last_success_at = new Date('2026-01-01T00:00:00Z');
    const health = {
      ...{ window_started_at: past, window_attempts: 9, window_failures: 9, consecutive_failures: 9 },
      ...{ consecutive_unreachable: 4, failing_since: past, open_until: past, opened_times: 3 },
      ...{ probe_successes: 1, paused_until: past, announced_percent: 50, last_success_at },
      ...{ disabled_at: past, disabled_reason: 'failing' as const },
      ...{ lease_token: NOBODY, lease_until: new Date(Date.now() + 60_000) },
    };
    await server.db.updateTable('endpoints').set(health).where('id', '=', endpoint_id).execute();
    await server.db.insertInto('gone_urls').values({ endpoint_id, url, gone_at: past }).execute();
    const shown = await read(endpoint_id, apiKey);
    expect(shown.gone_urls).toEqual([{ url, gone_at: past.toISOString() }]);

    const answer = await post(`/${endpoint_id}/enable`, {}, apiKey).expect(200);
    expect(answer.body).toMatchObject({ state: 'healthy', gone_urls: [], replayed: 0, capped: false });
    const row = await server.db
      .selectFrom('endpoints')
      .selectAll()
      .where('id', '=', endpoint_id)
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({
      ...{ window_started_at: null, window_attempts: 0, window_failures: 0, consecutive_failures: 0 },
      ...{ consecutive_unreachable: 0, failing_since: null, open_until: null, opened_times: 0 },
      ...{ probe_successes: 0, paused_until: null, announced_percent: 0, last_success_at },
      ...{ disabled_at: null, disabled_reason: null, lease_token: null, lease_until: null },
    });
    expect((await news()).map(({ type }) => type)).toEqual(['endpoint.enabled']);
    const [entry] = await auditOf(server.db, 'endpoint_enabled');
    expect(entry).toMatchObject({ tenant_id, detail: { endpoint_id, was: 'disabled' } });

    const before = await readAllRows(server.db);
    await post(`/${endpoint_id}/enable`, { replay: true }, apiKey).expect(200);
    expect(await readAllRows(server.db)).toEqual(before);
  });

  test('of an endpoint with a gone URL alone leaves its health and the run that sends to it as they are', async () => {
    const { apiKey, tenant_id } = await newTenant();
    const { news } = await listener(tenant_id);
    const url = newUrl();
    const { endpoint_id } = await desk.make({ apiKey, callback_url: url, dead_reason: 'gone' });
    const past = new Date(Date.now() - 1_000);
    const busy = {
      ...{ lease_token: NOBODY, lease_until: new Date(Date.now() + 60_000), window_started_at: past },
      ...{ window_attempts: 9, window_failures: 2, consecutive_failures: 2, failing_since: past },
    };
    await server.db.updateTable('endpoints').set(busy).where('id', '=', endpoint_id).execute();
    await server.db.insertInto('gone_urls').values({ endpoint_id, url, gone_at: past }).execute();
    const row = () =>
      server.db.selectFrom('endpoints').selectAll().where('id', '=', endpoint_id).executeTakeFirstOrThrow();
    const before = await row();
    const answer = await post(`/${endpoint_id}/enable`, { replay: true }, apiKey).expect(200);
    expect(answer.body).toMatchObject({ state: 'failing', gone_urls: [], replayed: 1, capped: false });
    expect(await row()).toEqual(before);
    expect((await news()).map(({ type }) => type)).toEqual(['endpoint.enabled']);
    const [entry] = await auditOf(server.db, 'endpoint_enabled');
    expect(entry).toMatchObject({ tenant_id, detail: { endpoint_id, was: 'failing' } });
  });

  test('closes an open breaker, which is news for nobody', async () => {
    const { apiKey, tenant_id } = await newTenant();
    const { news } = await listener(tenant_id);
    const { endpoint_id } = await desk.make({ apiKey, callback_url: newUrl() });
    const open_until = new Date(Date.now() + 60_000);
    await server.db.updateTable('endpoints').set({ open_until }).where('id', '=', endpoint_id).execute();
    expect((await post(`/${endpoint_id}/enable`, {}, apiKey)).body).toMatchObject({ state: 'healthy' });
    expect(await news()).toEqual([]);
  });

  test('with replay sends again what died of it since, and nothing else', async () => {
    const { apiKey, tenant_id } = await newTenant();
    const url = newUrl();
    const counted = await metricOf(server, 'countersign_replays_total');
    const old = await desk.make({ apiKey, callback_url: url, dead_reason: 'endpoint_disabled' });
    const long_ago = new Date(Date.now() - 3_600_000);
    const { db } = server;
    await db
      .updateTable('deliveries')
      .set({ completed_at: long_ago })
      .where('id', '=', old.delivery_id)
      .execute();
    await post(`/${old.endpoint_id}/disable`, {}, apiKey).expect(200);
    const bornDead = await desk.make({ apiKey, callback_url: url, dead_reason: 'endpoint_disabled' });
    const gone = await desk.make({ apiKey, callback_url: url, dead_reason: 'gone' });
    const worn = await desk.make({ apiKey, callback_url: url, dead_reason: 'exhausted' });
    const bodyless = await desk.make({ apiKey, callback_url: url, dead_reason: 'endpoint_disabled' });
    await desk.deleteBody(bodyless.event_id);
    expect(await read(old.endpoint_id, apiKey)).toMatchObject({ dead_since_disabled: 3 });
    const enabled = await post(`/${old.endpoint_id}/enable`, { replay: true }, apiKey).expect(200);
    expect(enabled.body).toMatchObject({ state: 'healthy', replayed: 2, pending: 2, dead_since_disabled: 0 });
    for (const [{ event_id }, count] of [
      [old, 1],
      [bornDead, 2],
      [gone, 2],
      [worn, 1],
      [bodyless, 1],
    ] as const)
      expect(await desk.ofEvent(event_id)).toHaveLength(count);
    const [entry] = await auditOf(server.db, 'deliveries_replayed');
    expect(entry).toMatchObject({
      ...{ tenant_id, actor: `api_key:${apiKey.slice(0, 12)}` },
      detail: { replayed: 2, filter: { status: 'dead', endpoint_id: old.endpoint_id } },
    });
    expect(await metricOf(server, 'countersign_replays_total')).toBe(counted + 2);
  });
});

describe('enabling with replay, while another replay is under way,', () => {
  /** A disabled endpoint that missed one delivery, being enabled; `end` ends the other replay. */
  async function enablingBehind() {
    const { apiKey, tenant_id } = await newTenant();
    const { news } = await listener(tenant_id);
    const made = await desk.make({ apiKey, callback_url: newUrl(), dead_reason: 'endpoint_disabled' });
    await post(`/${made.endpoint_id}/disable`, {}, apiKey).expect(200);
    const other = await server.db.startTransaction().execute();
    await lockReplays(other, tenant_id);
    const answer = post(`/${made.endpoint_id}/enable`, { replay: true }, apiKey).then((one) => one);
    const waiting = async () => {
      const { rows } = await sql<{ pid: number }>`
        select pid from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`.execute(
        server.db,
      );
      return rows[0]?.pid;
    };
    await until(async () => (await waiting()) !== undefined, 'the replay to wait');
    const end = () => other.commit().execute();
    return { ...made, apiKey, tenant_id, news, answer, waiting, end };
  }

  test('enables at once and keeps nobody from the endpoint; the answer comes with what was sent again', async () => {
    const { endpoint_id, apiKey, answer, news, end } = await enablingBehind();
    expect((await read(endpoint_id, apiKey)).state).toBe('healthy');
    expect((await news()).map(({ type }) => type)).toEqual(['endpoint.disabled', 'endpoint.enabled']);
    await sql`select from endpoints where id = ${endpoint_id} for update nowait`.execute(server.db);
    await end();
    expect((await answer).body).toMatchObject({ state: 'healthy', replayed: 1, pending: 1, capped: false });
  });

  test('stays done when its own replay fails, and says how to repeat that', async () => {
    const { endpoint_id, event_id, apiKey, tenant_id, ...rest } = await enablingBehind();
    // As the server's own time limit does it.
    await sql`select pg_cancel_backend(${await rest.waiting()}::integer)`.execute(server.db);
    const cure = expect.stringContaining(`\`countersign delivery replay --endpoint ${endpoint_id} --yes\``);
    expectRefusal(await rest.answer, 503, { code: 'unavailable', error: cure as unknown as string });
    await rest.end();
    expect(await read(endpoint_id, apiKey)).toMatchObject({ state: 'healthy', pending: 0 });
    const entries = await Promise.all(
      ['endpoint_enabled', 'deliveries_replayed'].map((action) => auditOf(server.db, action)),
    );
    const own = entries.flat().filter((entry) => entry.tenant_id === tenant_id);
    expect(own.map(({ action }) => action)).toEqual(['endpoint_enabled']);
    const repeat = { filter: { endpoint_id }, dry_run: false };
    expect((await desk.post('/replay', repeat, apiKey).expect(200)).body).toMatchObject({ replayed: 1 });
    expect(await desk.ofEvent(event_id)).toHaveLength(2);
  });
});

test('another method is answered with those there are', async () => {
  for (const [method, path, allowed] of [
    ['post', '', 'GET, HEAD'],
    ['delete', `/${NOBODY}`, 'GET, HEAD'],
    ['get', `/${NOBODY}/disable`, 'POST'],
    ['get', `/${NOBODY}/enable`, 'POST'],
  ] as const) {
    const answer = await server.request[method](`/api/v1/endpoints${path}`).set('X-API-Key', server.apiKey);
    expectRefusal(answer, 405, { code: 'method_not_allowed' });
    expect(answer.headers.allow).toBe(allowed);
  }
});

test('nothing is sent while an endpoint is disabled; enabled with replay, it gets what it missed', async () => {
  const [sinks, busy] = [openSinks(), await startServer()];
  const sink = await sinks.open();
  const first = await settle(busy, { callback_url: sink.url });
  await sink.waitFor(first);
  const [{ endpoint_id } = { endpoint_id: '' }] = await deliveriesOf(busy.db, first);
  const client = clientOf(busy);
  await client.post(`/${endpoint_id}/disable`).expect(200);
  const missed = await settle(busy, { callback_url: sink.url });
  expect((await deliveriesOf(busy.db, missed)).map(({ status }) => status)).toEqual(['dead']);
  expect(sink.of(missed)).toEqual([]);
  const enabled = await client.post(`/${endpoint_id}/enable`, { replay: true }).expect(200);
  expect(enabled.body).toMatchObject({ replayed: 1 });
  await sink.waitFor(missed);
  await until(
    async () => (await deliveriesOf(busy.db, missed)).some(({ status }) => status === 'delivered'),
    'the replay to be written',
  );
  expect(sink.of(missed)).toHaveLength(1);
  expect(sink.of(first)).toHaveLength(1);
  await busy.close();
  await sinks.close();
});
