import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createIntegration, newApiKey } from '../../src/tenants/keys.ts';
import { findFirstTenant, insertKey } from '../../src/tenants/store.ts';
import { cancel } from '../support/deliveries.ts';
import { startSink } from '../support/sink.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import { openWorld } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import { until } from '../support/until.ts';

/** Deliveries to Slack among all others. */
const closers: (() => Promise<unknown>)[] = [];
let world: World;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  [world, sink] = await Promise.all([openWorld(), startSink()]);
});
afterAll(async () => {
  await world.close();
  await sink.close();
  for (const close of closers) await close();
});
afterEach(() => world.finish());

const endpoint = () =>
  world.db
    .selectFrom('endpoints')
    .selectAll()
    .where('integration_id', '=', world.instance)
    .where('origin', '=', 'slack')
    .executeTakeFirstOrThrow();
const api = (method: 'get' | 'post', path: string, key = world.server.apiKey) =>
  world.server.request[method](`/api/v1${path}`).set('X-API-Key', key);

test('integrations that chose to hear of it hear that a delivery is dead', async () => {
  const desk = await startSink();
  closers.push(() => desk.close());
  const tenant_id = (await findFirstTenant(world.db))?.id ?? '';
  const wish = { tenant_id, name: 'Operations', mode: 'test', callback_url: desk.url } as const;
  const { integrationId } = await createIntegration(world.db, world.server.sealer, wish);
  await world.db
    .updateTable('integrations')
    .set({ events: ['delivery.dead'] })
    .where('id', '=', integrationId)
    .execute();
  await world.db.updateTable('endpoints').set({ dead_announced_at: null }).execute();
  world.slack.intervene((method) =>
    method === 'chat.postMessage' ? { body: { ok: false, error: 'channel_not_found' } } : undefined,
  );
  const created = await world.create();
  const { json } = await desk.waitFor(created.challenge_id);
  expect(json).toMatchObject({
    ...{ event_type: 'delivery.dead', integration_id: world.instance, reason: 'rejected', attempts: 1 },
    ...{ status_code: 200, error_class: 'slack_refused', origin: 'slack' },
  });
});

test('a workspace whose breaker is open keeps neither another workspace nor callbacks waiting', async () => {
  const other = await startSlack();
  closers.push(() => other.close());
  const slack_instance_id = await connectSlack(world.server, other, { name: 'Another' });
  await world.shown(await world.create(), 'card');
  await until(async () => (await endpoint()).lease_token === null, 'nobody to send there');
  const open = new Date(Date.now() + 3_600_000);
  await world.db
    .updateTable('endpoints')
    .set({ open_until: open })
    .where('id', '=', (await endpoint()).id)
    .execute();
  const waiting = await world.create({ callback_url: sink.url });
  const served = await world.create({ slack_instance_id });
  await until(async () => (await other.seenBy('ada')).length === 1, 'the card in the other workspace');
  await world.quiet(served, 'card');
  await cancel(world.server, waiting);
  await sink.waitFor(waiting.challenge_id);
  expect((await world.deliveries(waiting, 'card')).map(({ status }) => status)).toEqual([
    'pending',
    'pending',
  ]);
  await world.db.updateTable('endpoints').set({ open_until: null }).execute();
  await Promise.all([world.quiet(waiting, 'card'), world.quiet(waiting, 'notice')]);
  await world.shown(waiting, 'notice');
});

test('a test of callbacks for a workspace without a callback URL says what is missing', async () => {
  const { key, ...hashed } = newApiKey('test');
  await insertKey(world.db, { ...hashed, integration_id: world.instance });
  const { body } = await api('post', '/deliveries/test', key).expect(400);
  expect(body).toMatchObject({ field: 'callback_url' });
  await api('post', '/deliveries/test', key).send({ callback_url: sink.url }).expect(202);
  await until(() => sink.received.some(({ json }) => json.event_type === 'endpoint.test'), 'the test');
});

test('test mode sees nothing of what live mode has to do in Slack, and the other way round', async () => {
  const live = await world.server.integration({ mode: 'live' });
  const created = await world.create();
  await world.shown(created, 'card');
  const [delivery] = await world.deliveries(created, 'card');
  await api('get', `/deliveries/${delivery?.id}`, live.apiKey).expect(404);
  await api('post', `/deliveries/${delivery?.id}/resend`, live.apiKey).expect(404);
  const { body } = await api('get', '/deliveries', live.apiKey).expect(200);
  expect(body).toMatchObject({ data: [] });
});

test('a callback to Slack’s own address, of the workspace’s own key, has an endpoint of its own', async () => {
  const { key, ...hashed } = newApiKey('test');
  await insertKey(world.db, { ...hashed, integration_id: world.instance });
  const body = { target_user_email: 'ada@example.com', callback_url: 'https://slack.com/api/' };
  const created = await world.server.create(body, key);
  await cancel(world.server, created);
  await world.shown(await world.create(), 'card');
  const origins = world.db
    .selectFrom('endpoints')
    .select('origin')
    .where('integration_id', '=', world.instance)
    .where('origin', 'like', '%slack%')
    .orderBy('origin');
  expect((await origins.execute()).map(({ origin }) => origin)).toEqual(['https://slack.com', 'slack']);
  await world.db
    .updateTable('deliveries')
    .set({ status: 'canceled', completed_at: new Date() })
    .where('url', '=', body.callback_url)
    .execute();
});

test('a key that sees its own alone sees what is done in Slack for its own challenges, and for no others', async () => {
  const rights = { scopes: ['challenges:create', 'challenges:read'], own_only: true };
  const own = await world.server.integration({ rights });
  const { key, ...hashed } = newApiKey('test');
  await insertKey(world.db, { ...hashed, ...rights, integration_id: world.instance });
  const mine = await world.server.create(
    { integration_type: 'slack', target_user_email: 'ada@example.com' },
    own.apiKey,
  );
  await world.shown(mine, 'card');
  const seen = async (of: string, by: string) => {
    const { body } = await api('get', `/deliveries?challenge_id=${of}`, by).expect(200);
    return (body as { data: { event_type: string }[] }).data.map(({ event_type }) => event_type);
  };
  expect(await seen(mine.challenge_id, own.apiKey)).toEqual(['slack.card']);
  expect(await seen(mine.challenge_id, key)).toEqual([]);
});
