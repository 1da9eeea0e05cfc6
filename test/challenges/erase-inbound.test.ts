import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { until } from '../support/until.ts';

/** Webhooks that name a challenge whose session they could not find, or that came when it was erased already. */
let story: PassbaseStory;
let key: string;
beforeAll(async () => {
  story = await startPassbaseStory();
  const rights = { scopes: ['challenges:create', 'challenges:erase'], own_only: false };
  key = (await story.server.integration({ rights })).apiKey;
});
afterAll(() => story.close());

const post = (id: string, what: string) =>
  story.server.request.post(`/api/v1/challenges/${id}/${what}`).set('X-API-Key', key).expect(200);
const bodiesOf = async ({ id }: { id: string }) => {
  const rows = await story.server.db
    .selectFrom('inbox')
    .select(['body_sealed', 'handled_at'])
    .where('provider_session_id', '=', id)
    .execute();
  return { rows: rows.length, bodies: rows.filter(({ body_sealed }) => body_sealed !== null).length };
};

test('a second identity’s webhooks go with the challenge, those before and those after', async () => {
  const { id, identity, link } = await story.begin();
  await story.play(identity, 'approved_at_once');
  await story.reaches(id, 'verified');
  const second = await story.openLink(link);
  await story.play(second, 'approved_at_once');
  expect(await story.outcomes(second)).toEqual(['other_challenge']);
  expect(await bodiesOf(second)).toEqual({ rows: 1, bodies: 1 });

  await post(id, 'erase');
  expect(await bodiesOf(second)).toEqual({ rows: 1, bodies: 0 });
  expect(await bodiesOf(identity)).toEqual({ rows: 1, bodies: 0 });
  const third = await story.openLink(link);
  await story.play(third, 'declined_at_once');
  await story.outcomes(third);
  expect(await bodiesOf(third)).toEqual({ rows: 1, bodies: 0 });
});

test('what comes when a challenge was erased before anybody was bound to it leaves nothing, and is not asked about again', async () => {
  const { id, identity } = await story.begin();
  await post(id, 'cancel');
  await post(id, 'erase');
  await story.play(identity, 'approved_at_once');
  await until(async () => (await bodiesOf(identity)).rows === 1, 'the webhook to be kept');
  await story.outcomes(identity);
  expect(await bodiesOf(identity)).toEqual({ rows: 1, bodies: 0 });
});
