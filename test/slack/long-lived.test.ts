import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { createRetention } from '../../src/deliveries/retention.ts';
import { createLog } from '../../src/kernel/log.ts';
import { cancel } from '../support/deliveries.ts';
import type { Created } from '../support/server.ts';
import { openWorld } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';

const WEEK_MINUTES = 10_080;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** What the hourly sweep of a server with the shortest BODY_RETENTION_DAYS does. */
const tidy = () =>
  createRetention({
    ...{ db: world.db, log: createLog('silent') },
    ...{ bodyRetentionDays: 1, attemptRetentionDays: 1 },
  }).tidy();
/** Moves all that has happened about a challenge two days into the past. */
async function letTwoDaysPass({ challenge_id }: Created): Promise<void> {
  const ago = sql`interval '2 days'`;
  const events = sql`(select id from events where challenge_id = ${challenge_id})`;
  await sql`update deliveries set created_at = created_at - ${ago}, completed_at = completed_at - ${ago}
    where event_id in ${events}`.execute(world.db);
  await sql`update events set occurred_at = occurred_at - ${ago} where id in ${events}`.execute(world.db);
  await sql`update challenges set created_at = created_at - ${ago}, completed_at = completed_at - ${ago}
    where id = ${challenge_id}`.execute(world.db);
}
const bodiesOf = async ({ challenge_id }: Created) => {
  const events = world.db.selectFrom('events').select('body').where('challenge_id', '=', challenge_id);
  return (await events.where('type', 'like', 'slack.%').execute()).map(({ body }) => body);
};

test('messages of a challenge that lives for a week are rewritten at its end, however soon bodies are deleted', async () => {
  const created = await world.create({ expiry_minutes: WEEK_MINUTES });
  await world.shown(created, 'card');
  await world.shown(created, 'notice');
  await letTwoDaysPass(created);
  await tidy();
  expect(await bodiesOf(created)).toEqual(['{}', '{}']);

  await cancel(world.server, created);
  await Promise.all([world.quiet(created, 'card'), world.quiet(created, 'notice')]);
  await world.shown(created, 'card');
  await world.shown(created, 'notice');
  await tidy();
  expect(await bodiesOf(created)).toEqual(['{}', '{}']);
  await letTwoDaysPass(created);
  await tidy();
  expect(await bodiesOf(created)).toEqual([null, null]);
});
