import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import supertest from 'supertest';
import type { Child } from '../support/child.ts';
import { BACKENDS } from '../support/server.ts';
import type { Backend, Created } from '../support/server.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import { createReader, IN_SLACK } from '../support/slack-messages.ts';
import type { Slack } from '../support/slack.ts';
import { withStage } from '../support/stage.ts';
import type { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

const POST = 'chat.postMessage';
/** A lease of 20 s, a sweep of 1 s, and a busy machine. */
const LAPSED_MS = 60_000;
const LIMIT_MS = 120_000;

type Play = Stage & ReturnType<typeof createReader> & { slack: Slack };
/** A stage with a connected workspace. */
const withSlack = (backend: Backend, play: (world: Play) => Promise<void>) =>
  withStage(backend, async (stage) => {
    const slack = await startSlack();
    try {
      await connectSlack(stage, slack);
      await play({ ...stage, ...createReader({ ...stage, slack }), slack });
    } finally {
      await slack.close();
    }
  });
async function create({ apiKey }: Play, { url }: Child): Promise<Created> {
  const asked = supertest(url).post('/api/v1/challenges').set('X-API-Key', apiKey).send(IN_SLACK);
  return (await asked.expect(201)).body as Created;
}
/** Both messages stand there, once each, and nothing is left to be done. */
async function expectBoth(world: Play, created: Created, timeoutMs = LAPSED_MS): Promise<void> {
  for (const role of ['card', 'notice'] as const) {
    await world.shown(created, role, { timeoutMs });
    await world.quiet(created, role, timeoutMs);
    expect(await world.seen(created, role)).toHaveLength(1);
  }
}

test.concurrent.each(BACKENDS)(
  'killed between the commit and the posting: the card appears, once, queue on %s',
  (backend) =>
    withSlack(backend, async (world) => {
      const child = await world.serve();
      const release = await world.holdQueue();
      const created = await create(world, child);
      await sleep(500); // its hand-over hangs
      await child.kill();
      await release();
      expect(world.slack.calls).not.toContain(POST);
      await world.serve();
      await expectBoth(world, created);
      expect(world.slack.calls.filter((method) => method === POST)).toHaveLength(2);
    }),
  LIMIT_MS,
);

test.concurrent.each<[string, Backend, { hang?: true; late?: true }]>([
  ['before Slack has posted it', 'postgres', { hang: true }],
  ['after Slack has posted it', 'postgres', { late: true }],
  ['after Slack has posted it', 'redis', { late: true }],
])(
  'killed in the middle of posting, %s: the card appears, once, queue on %s',
  (_, backend, answer) =>
    withSlack(backend, async (world) => {
      world.slack.intervene((method, count) => (method === POST && count === 1 ? answer : undefined));
      const child = await world.serve();
      const created = await create(world, child);
      await until(() => world.slack.calls.includes(POST), 'a posting under way');
      if (answer.late) await until(async () => (await world.seen(created, 'card')).length === 1, 'the card');
      await child.kill();
      expect(await world.rowOf(created, 'card')).toMatchObject({ ts: null, posting_at: expect.any(Date) });
      await world.serve();
      await expectBoth(world, created);
      const [card] = await world.deliveries(created, 'card');
      // The attempt whose end nobody knows is not spent.
      expect(card).toMatchObject({ status: 'delivered', attempts: 1 });
    }),
  LIMIT_MS,
);

test.concurrent.each(BACKENDS)(
  'the queue on %s is wiped with a card and a retry waiting: both appear, once',
  (backend) =>
    withSlack(backend, async (world) => {
      const wipe = () => world.redis?.wipe() ?? world.query('delete from jobs.job');
      const api = await world.serve('api');
      const created = await create(world, api);
      await until(async () => (await world.queued()) > 0, 'a hand-over');
      await wipe();
      world.slack.intervene((method, count) =>
        method === POST && count === 1 ? { status: 503 } : undefined,
      );
      await world.serve('worker');
      await until(async () => (await world.deliveries(created, 'card'))[0]?.attempts === 1, 'an attempt');
      await wipe();
      await expectBoth(world, created);
    }),
  LIMIT_MS,
);
