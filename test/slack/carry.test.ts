import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { cancel, makeDue } from '../support/deliveries.ts';
import type { Created } from '../support/server.ts';
import { freePort } from '../support/redis.ts';
import { openWorld } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import type { Intervention } from '../support/slack.ts';
import { until } from '../support/until.ts';

const POST = 'chat.postMessage';
const LIMIT_MS = 40_000;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
afterEach(() => world.heal());

/** The first posting is answered so; all else is let through. */
const firstPost =
  (answer: ReturnType<Intervention>): Intervention =>
  (method, count) =>
    method === POST && count === 1 ? answer : undefined;
/** A challenge without anybody to be told, so that all postings are the card's. */
const createCard = async () => {
  const { apiKey } = world.server;
  return world.server.create({ integration_type: 'slack', target_user_email: 'ada@example.com' }, apiKey);
};
const firstDelivery = async (created: Created) => {
  const [delivery] = await world.deliveries(created, 'card');
  if (!delivery) throw new Error('a card without a delivery');
  return delivery;
};
const attemptsOf = async (created: Created) => {
  const { id } = await firstDelivery(created);
  const attempts = world.db.selectFrom('delivery_attempts').selectAll().where('delivery_id', '=', id);
  return attempts.orderBy('started_at').execute();
};
const firstAttempt = (created: Created, timeoutMs?: number) =>
  until(async () => (await attemptsOf(created))[0], 'an attempt', timeoutMs);
const endpoint = () =>
  world.db
    .selectFrom('endpoints')
    .selectAll()
    .where('integration_id', '=', world.instance)
    .executeTakeFirstOrThrow();

describe('when Slack asks to be left alone', () => {
  test('for 2 seconds, the card is posted after that long, no attempt is spent, and all else waits too', async () => {
    world.slack.intervene(firstPost({ status: 429, headers: { 'retry-after': '2' } }));
    const created = await createCard();
    const limited = await firstAttempt(created);
    expect(limited).toMatchObject({ attempt: 1, status_code: 429, error_class: 'rate_limited' });
    expect(await firstDelivery(created)).toMatchObject({ status: 'pending', attempts: 0 });
    expect((await endpoint()).paused_until?.getTime()).toBeGreaterThan(limited.started_at.getTime() + 1_900);
    await world.shown(created, 'card');
    await world.quiet(created, 'card');
    const [, posted] = await attemptsOf(created);
    expect(posted).toMatchObject({ attempt: 1, status_code: 200 });
    const waited = (posted?.started_at.getTime() ?? 0) - limited.started_at.getTime();
    expect(waited).toBeGreaterThanOrEqual(2_000);
    expect(waited).toBeLessThan(10_000);
    expect(await firstDelivery(created)).toMatchObject({ status: 'delivered', attempts: 1 });
  });

  test('without a word of how long, it waits for half a minute', async () => {
    world.slack.intervene(firstPost({ status: 429 }));
    const created = await createCard();
    await firstAttempt(created);
    const { id, attempts, next_attempt_at } = await firstDelivery(created);
    const waitMs = next_attempt_at.getTime() - Date.now();
    expect(attempts).toBe(0);
    expect(waitMs).toBeGreaterThan(25_000);
    expect(waitMs).toBeLessThan(37_000);
    await makeDue(world.db, id);
    await world.shown(created, 'card');
  });
});

describe('when it is not known what became of a posting', () => {
  test.each<[string, ReturnType<Intervention>]>([
    ['Slack answers 503', { status: 503 }],
    ['Slack says that it has trouble', { body: { ok: false, error: 'internal_error' } }],
    ['something on the way answers', { status: 200, body: ['hello'] }],
    ['something on the way answers 410', { status: 410 }],
  ])(
    '%s: it is tried again within seconds, and stands there once',
    async (_, answer) => {
      world.slack.intervene(firstPost(answer));
      const created = await createCard();
      await world.shown(created, 'card', { timeoutMs: 20_000 });
      await world.quiet(created, 'card');
      expect(await firstDelivery(created)).toMatchObject({ status: 'delivered', attempts: 2 });
      expect(await world.seen(created, 'card')).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test(
    'nobody listens: it is tried again within seconds, and stands there once',
    async () => {
      const address = (api_url: string) =>
        world.db
          .updateTable('slack_workspaces')
          .set({ api_url })
          .where('integration_id', '=', world.instance)
          .execute();
      // The answer that finds out who is meant is the last one.
      world.slack.intervene((method) => (method === POST ? { status: 503 } : undefined));
      const created = await createCard();
      await address(`http://127.0.0.1:${await freePort()}`);
      await until(
        async () => (await attemptsOf(created)).some(({ error_class }) => error_class === 'connect_refused'),
        'an attempt that finds nobody',
      );
      world.slack.intervene(() => undefined);
      await address(world.slack.url);
      await world.shown(created, 'card', { timeoutMs: 20_000 });
      await world.quiet(created, 'card');
      expect(await world.seen(created, 'card')).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test(
    'Slack says nothing for ten seconds: it is tried again soon after, and stands there once',
    async () => {
      world.slack.intervene(firstPost({ hang: true }));
      const created = await createCard();
      expect(await firstAttempt(created, 15_000)).toMatchObject({
        status_code: null,
        error_class: 'timeout',
      });
      await world.shown(created, 'card', { timeoutMs: 10_000 });
      await world.quiet(created, 'card');
      expect(await world.seen(created, 'card')).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test('it was posted, and the answer got lost: it is found and not posted again', async () => {
    world.slack.intervene(firstPost({ cut: true }));
    const created = await createCard();
    await world.quiet(created, 'card');
    await world.shown(created, 'card');
    expect(world.slack.calls.filter((method) => method === POST).length).toBeGreaterThan(0);
    expect(await world.rowOf(created, 'card')).toMatchObject({ posting_at: null, ts: expect.any(String) });
    expect(await trailOf(created)).toContain('slack_card_posted');
  });

  test(
    'it was posted once more than known: also later tries look from the first on',
    async () => {
      world.slack.intervene((method, count) => {
        if (method === POST) return count === 1 ? { cut: true } : { status: 503 };
        // Slack has not written it into the history yet.
        return method === 'conversations.history' && count === 1
          ? { body: { ok: true, messages: [] } }
          : undefined;
      });
      const created = await createCard();
      await world.quiet(created, 'card', 20_000);
      expect(await world.seen(created, 'card')).toHaveLength(1);
    },
    LIMIT_MS,
  );

  test('it was posted, and the app may not look for it: it is posted again rather than never', async () => {
    world.slack.intervene((method, count) => {
      if (method === 'conversations.history') return { body: { ok: false, error: 'missing_scope' } };
      return method === POST && count === 1 ? { cut: true } : undefined;
    });
    const created = await createCard();
    await world.quiet(created, 'card');
    expect(await world.seen(created, 'card')).toHaveLength(2);
    expect(await world.rowOf(created, 'card')).toMatchObject({ ts: expect.any(String) });
  });

  test('the challenge has ended meanwhile: the card is found, and asks nobody any more', async () => {
    world.slack.intervene(firstPost({ cut: true }));
    const created = await createCard();
    await until(async () => (await world.seen(created, 'card')).length === 1, 'the card');
    const [asking] = await world.seen(created, 'card');
    await cancel(world.server, created);
    await world.quiet(created, 'card');
    const after = await world.shown(created, 'card');
    expect(after.ts).toBe(asking?.ts);
    expect(JSON.stringify(asking?.blocks)).toContain('actions');
    expect(JSON.stringify(after.blocks)).not.toContain('"actions"');
  });

  test('the challenge has ended meanwhile and it was not posted: it is not posted any more', async () => {
    world.slack.intervene(firstPost({ status: 503 }));
    const created = await createCard();
    await firstAttempt(created);
    await cancel(world.server, created);
    await world.quiet(created, 'card');
    expect(await world.seen(created, 'card')).toEqual([]);
  });
});

async function trailOf({ challenge_id }: Created): Promise<string[]> {
  const entries = world.db
    .selectFrom('audit_entries')
    .select('action')
    .where('challenge_id', '=', challenge_id);
  return (await entries.execute()).map(({ action }) => action);
}
