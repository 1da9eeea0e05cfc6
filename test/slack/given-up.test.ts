import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { saveConnection } from '../../src/slack/workspaces-store.ts';
import { cancel } from '../support/deliveries.ts';
import { createPerson } from '../support/person.ts';
import type { Created } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import type { Intervention } from '../support/slack.ts';
import { openWorld } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import { until } from '../support/until.ts';

const POST = 'chat.postMessage';
const REFUSED = { ok: false, error: 'missing_scope' };
const LIMIT_MS = 30_000;
type Listed = { delivery_id: string; dead_reason: string; event_type: string; challenge_id: string };

let world: World;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  [world, sink] = await Promise.all([openWorld(), startSink()]);
});
afterAll(async () => {
  await world.close();
  await sink.close();
});
afterEach(() => world.finish());

const api = (method: 'get' | 'post', path: string, key = world.server.apiKey) =>
  world.server.request[method](`/api/v1${path}`).set('X-API-Key', key);
const endpoint = () =>
  world.db
    .selectFrom('endpoints')
    .selectAll()
    .where('integration_id', '=', world.instance)
    .where('origin', '=', 'slack')
    .executeTakeFirstOrThrow();
const endpointId = async () => (await endpoint()).id;
/** Cards are refused so, and notices go through; or the other way round. */
const refuse =
  (role: 'card' | 'notice', error: string): Intervention =>
  (method, count) =>
    method === POST && (count === 1) === (role === 'card') ? { body: { ok: false, error } } : undefined;
const dead = async (query: Record<string, string> = {}) => {
  const answer = await api('get', '/deliveries')
    .query({ status: 'dead', limit: '100', ...query })
    .expect(200);
  return (answer.body as { data: Listed[] }).data;
};

/** The challenge has failed because of its card, and everybody who has to has heard of it. */
async function expectUndeliverable(created: Created, reason: string): Promise<void> {
  const ended = await world.status(created, 'failed');
  expect(ended.failure_reason).toBe('undeliverable');
  const about = { challenge_id: created.challenge_id };
  const cards = await dead({ ...about, event_type: 'slack.card' });
  expect(new Set(cards.map(({ dead_reason }) => dead_reason))).toEqual(new Set([reason]));
  const { json } = await sink.waitFor(created.challenge_id);
  expect(json).toMatchObject({
    event_type: 'challenge.completed',
    status: 'failed',
    failure_reason: 'undeliverable',
  });
  expect(await world.seen(created, 'card')).toEqual([]);
}

describe('a card that cannot be posted for good fails the challenge, and the notice says so', () => {
  test.each(['missing_scope', 'channel_not_found', 'account_inactive', 'cannot_dm_bot', 'invalid_auth'])(
    'when Slack says %s',
    async (error) => {
      world.slack.intervene(refuse('card', error));
      const created = await world.create({ callback_url: sink.url });
      await expectUndeliverable(created, 'rejected');
      await world.quiet(created, 'notice');
      await world.shown(created, 'notice');
      const [delivery] = await dead({ dead_reason: 'rejected', challenge_id: created.challenge_id });
      const { body } = await api('get', `/deliveries/${delivery?.delivery_id}`).expect(200);
      expect(body).toMatchObject({
        ...{ attempt_count: 1, last_status_code: 200, last_error_class: 'slack_refused' },
        attempts: [{ error_message: expect.stringContaining(error) }],
      });
    },
  );

  test(
    'when Slack never took it, however often it was tried',
    async () => {
      const waits = (retry_waits_s: number[]) =>
        world.db
          .updateTable('integrations')
          .set({ retry_waits_s })
          .where('id', '=', world.instance)
          .execute();
      const { retry_waits_s } = await world.db
        .selectFrom('integrations')
        .select('retry_waits_s')
        .where('id', '=', world.instance)
        .executeTakeFirstOrThrow();
      await waits([1]);
      world.slack.intervene((method) => (method === POST ? { status: 500 } : undefined));
      const created = await world.create({ callback_url: sink.url });
      await expectUndeliverable(created, 'exhausted');
      await waits(retry_waits_s ?? []);
    },
    LIMIT_MS,
  );

  test('when an operator has disabled the endpoint, and once it is enabled the notice can be replayed', async () => {
    await api('post', `/endpoints/${await endpointId()}/disable`).expect(200);
    const created = await world.create({ callback_url: sink.url });
    await expectUndeliverable(created, 'endpoint_disabled');
    expect(await world.seen(created, 'notice')).toEqual([]);
    const { body } = await api('post', `/endpoints/${await endpointId()}/enable`).send({ replay: true });
    expect(body).toMatchObject({ replayed: 2 });
    await Promise.all([world.quiet(created, 'card'), world.quiet(created, 'notice')]);
    await world.shown(created, 'notice');
    expect(await world.seen(created, 'card')).toEqual([]);
  });

  test('when the endpoint is disabled while the card waits', async () => {
    world.slack.intervene((method) => (method === POST ? { status: 503 } : undefined));
    const created = await world.create({ callback_url: sink.url });
    await until(async () => (await world.deliveries(created, 'card'))[0]?.attempts === 1, 'an attempt');
    await api('post', `/endpoints/${await endpointId()}/disable`).expect(200);
    await expectUndeliverable(created, 'endpoint_disabled');
    await api('post', `/endpoints/${await endpointId()}/enable`)
      .send({})
      .expect(200);
  });

  test('when the workspace is disconnected before it is posted', async () => {
    const { instance, db } = world;
    const row = await db
      .selectFrom('slack_workspaces')
      .selectAll()
      .where('integration_id', '=', instance)
      .executeTakeFirstOrThrow();
    const { settings_sealed, team_id, team_name, bot_user_id } = row;
    world.slack.intervene((method) => (method === POST ? { status: 503 } : undefined));
    const created = await world.create({ callback_url: sink.url });
    await saveConnection(db, instance, { settings_sealed: null, team_id, team_name, bot_user_id }, null);
    await expectUndeliverable(created, 'rejected');
    const [delivery] = await dead({ challenge_id: created.challenge_id, event_type: 'slack.card' });
    const { body } = await api('get', `/deliveries/${delivery?.delivery_id}`).expect(200);
    expect((body as { attempts: unknown[] }).attempts.at(-1)).toMatchObject({
      ...{ status_code: null, error_message: expect.stringContaining('not connected') },
    });
    await saveConnection(db, instance, { settings_sealed, team_id, team_name, bot_user_id }, new Date());
  });

  test('but not once the person has begun: the link has reached them another way', async () => {
    world.slack.intervene((method) => (method === POST ? { status: 503 } : undefined));
    const created = await world.create();
    await createPerson(world.server).press(created).expect(303);
    world.slack.intervene((method) => (method === POST ? { body: REFUSED } : undefined));
    const about = { challenge_id: created.challenge_id, event_type: 'slack.card' };
    await until(async () => (await dead(about)).length > 0, 'a dead card');
    // Another one becomes undeliverable meanwhile, so the sweep has passed this one by.
    await world.status(await world.create(), 'failed');
    expect(await world.server.read(created.challenge_id)).toMatchObject({ status: 'in-progress' });
  });
});

describe('a notice that is given up', () => {
  test('ends nothing, and can be sent again once Slack takes it: it shows the challenge as it is by then', async () => {
    world.slack.intervene(refuse('notice', 'missing_scope'));
    const created = await world.create();
    await world.shown(created, 'card');
    const about = { challenge_id: created.challenge_id, event_type: 'slack.notice' };
    const [delivery] = await until(async () => {
      const found = await dead(about);
      return found.length > 0 && found;
    }, 'a dead notice');
    const path = `/deliveries/${delivery?.delivery_id}`;
    await api('get', `${path}/preview`).expect(409);
    expect(await world.server.read(created.challenge_id)).toMatchObject({ status: 'initiated' });

    world.slack.intervene((method) =>
      method === POST ? { body: { ok: false, error: 'missing_scope' } } : undefined,
    );
    await cancel(world.server, created);
    await world.quiet(created, 'notice');
    expect(await world.seen(created, 'notice')).toEqual([]);
    world.slack.intervene(() => undefined);
    await api('post', `${path}/resend`).expect(202);
    await world.shown(created, 'notice');
  });

  test('can be replayed with all that Slack refused', async () => {
    const { apiKey } = await world.server.integration({ rights: { scopes: RIGHTS, own_only: false } });
    const since = new Date().toISOString();
    world.slack.intervene(refuse('notice', 'missing_scope'));
    const created = await world.create();
    await until(async () => (await dead({ challenge_id: created.challenge_id })).length > 0, 'a dead notice');
    world.slack.intervene(() => undefined);
    const filter = { dead_reason: 'rejected', event_type: 'slack.notice', since };
    const { body } = await api('post', '/deliveries/replay', apiKey)
      .send({ filter, dry_run: false })
      .expect(200);
    expect(body).toMatchObject({ replayed: 1 });
    await world.shown(created, 'notice');
  });
});

const RIGHTS = ['challenges:read', 'deliveries:manage'];
