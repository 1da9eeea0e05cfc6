import { expect, test } from '@jest/globals';
import { BACKENDS } from '../support/server.ts';
import { openWorld, runOut } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 60_000;
/** Slack still tells who is who, or nothing could be created. */
const away = (method: string) => (/^(chat|conversations)\./.test(method) ? { status: 503 } : undefined);

async function withWorld(play: (world: World) => Promise<void>, options: Parameters<typeof openWorld>[0]) {
  const world = await openWorld(options);
  try {
    await play(world);
  } finally {
    await world.close();
  }
}

test.concurrent.each(BACKENDS)(
  'Slack is away for longer than a challenge lives: nobody is asked too late, and whoever asked hears of the end, queue on %s',
  (backend) =>
    withWorld(
      async (world) => {
        world.slack.intervene(away);
        const created = await world.create();
        await until(async () => (await world.deliveries(created, 'card'))[0]?.attempts === 1, 'an attempt');
        await runOut(world.server, created);
        await world.status(created, 'expired');
        expect(await world.seen(created, 'notice')).toEqual([]);

        await world.finish();
        await world.shown(created, 'notice');
        expect(await world.seen(created, 'card')).toEqual([]);
        expect(await world.server.read(created.challenge_id)).toMatchObject({ failure_reason: null });
        const all = [
          ...(await world.deliveries(created, 'card')),
          ...(await world.deliveries(created, 'notice')),
        ];
        expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['delivered']));
      },
      { backend },
    ),
  LIMIT_MS,
);

test.concurrent(
  'Slack is away while several challenges are created: all of them are put to the person once it is back',
  () =>
    withWorld(async (world) => {
      world.slack.intervene(away);
      const created = [await world.create(), await world.create(), await world.create()];
      await until(async () => (await world.deliveries(created[2]!, 'card'))[0]?.attempts === 1, 'an attempt');
      await world.finish();
      for (const one of created) {
        await world.shown(one, 'card');
        await world.shown(one, 'notice');
      }
    }, {}),
  LIMIT_MS,
);
