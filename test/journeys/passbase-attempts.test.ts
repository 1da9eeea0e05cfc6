import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { linkOf, LOOKS_AGAIN_MS } from '../support/provider-story.ts';
import { until } from '../support/until.ts';

let story: PassbaseStory;
beforeAll(async () => {
  story = await startPassbaseStory();
  const { db } = story.server;
  const { tenant_id } = await db
    .selectFrom('provider_accounts')
    .select('tenant_id')
    .executeTakeFirstOrThrow();
  await db.insertInto('tenant_modes').values({ tenant_id, mode: 'test', provider_attempts: 2 }).execute();
});
afterAll(() => story.close());

/** A challenge whose first attempt was declined, and whose person has opened the link for the second. */
async function tryAgain() {
  const begun = await story.begin();
  const { id, created, person, identity } = begun;
  await story.play(identity, 'declined');
  await until(async () => (await story.sessionsOf(id))[0]?.status === 'ended', 'the first attempt to end');
  expect((await story.server.read(id)).status).toBe('in-progress');
  await person.retry(created).expect(303);
  const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
  return { ...begun, again: await story.openLink(linkOf(onward.text)) };
}

test('a second attempt counts what is handed in then', async () => {
  const { id, again } = await tryAgain();
  await story.play(again, 'declined');
  await story.reaches(id, 'failed');
  expect(await story.announced(id)).toBe(1);
});

test('also when its webhooks are lost: what belongs to the first is not taken for it', async () => {
  const { id, identity, again } = await tryAgain();
  story.passbase.behave({ lose: 1 });
  await story.play(again, 'approved');
  await story.lookAgain();
  await until(
    async () => (await story.server.read(id)).status === 'verified',
    'the second attempt to be found',
    LOOKS_AGAIN_MS,
  );
  const sessions = await story.sessionsOf(id);
  expect(sessions.map((one) => one.provider_session_id)).toEqual([identity.id, again.id]);
  expect(await story.announced(id)).toBe(1);
}, 60_000);

test('what was handed in through the link of the first attempt does not decide the second', async () => {
  story.passbase.behave();
  const { id, link, again } = await tryAgain();
  const late = await story.openLink(link);
  await story.play(late, 'declined');
  await until(async () => (await story.outcomes(late)).length > 0, 'what became of it');
  expect(new Set(await story.outcomes(late))).toEqual(new Set(['other_challenge']));
  expect((await story.server.read(id)).status).toBe('in-progress');
  await story.play(again, 'approved');
  await story.reaches(id, 'verified');
  expect(await story.announced(id)).toBe(1);
});
