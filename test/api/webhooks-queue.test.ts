import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

/** Veriff counts a webhook as failed that is not answered within five seconds; there should be time to spare. */
const IN_TIME_MS = 2_500;

let story: VeriffStory;
beforeAll(async () => {
  story = await startVeriffStory('redis');
});
afterAll(() => story.close());

test('a webhook is acknowledged in time though Redis hangs, and handled', async () => {
  const { id, session } = await story.begin();
  const redis = new Redis(story.server.redis?.url ?? '');
  await redis.call('CLIENT', 'PAUSE', '6000', 'ALL');
  redis.disconnect();
  expect(await story.veriff.decide(session, 'approved')).toEqual([200]);
  expect(story.veriff.deliveries.at(-1)?.ms).toBeLessThan(IN_TIME_MS);
  const [kept] = await story.server.db.selectFrom('inbox').selectAll().execute();
  expect(kept).toMatchObject({ kind: 'decision', provider_session_id: session.id });
  await story.outcomes(session, 30_000);
  await story.reaches(id, 'verified');
});
