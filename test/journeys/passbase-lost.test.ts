import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { json } from '../../src/simulators/server.ts';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { LOOKS_AGAIN_MS } from '../support/provider-story.ts';
import { until } from '../support/until.ts';

let story: PassbaseStory;
beforeAll(async () => {
  story = await startPassbaseStory();
});
afterEach(() => {
  story.passbase.behave();
  story.answerWith('as ever');
});
afterAll(() => story.close());

test('what lost webhooks would have told is found among all identities, by the challenge each names', async () => {
  story.passbase.behave({ lose: 1 });
  const approved = await story.begin();
  const declined = await story.begin();
  const pending = await story.begin();
  const unopened = await story.begin();
  // The link was opened before, and left at that: only what was handed in counts.
  const reopened = await story.openLink(approved.link);
  await story.play(reopened, 'approved');
  await story.play(declined.identity, 'declined');
  await story.play(pending.identity, 'pending');
  expect(story.passbase.deliveries).toHaveLength(0);
  await story.lookAgain();

  const found = await until(
    async () => (await story.server.read(approved.id)).status === 'verified',
    'the approval to be found',
    LOOKS_AGAIN_MS,
  );
  expect(found).toBe(true);
  expect(await story.reaches(declined.id, 'failed')).toMatchObject({ failure_reason: 'declined' });
  expect((await story.sink.waitFor(approved.id)).json).toMatchObject({ status: 'verified' });
  expect(await story.sessionsOf(approved.id)).toMatchObject([{ provider_session_id: reopened.id }]);
  const bound = await until(async () => {
    const [session] = await story.sessionsOf(pending.id);
    return session?.provider_session_id ?? undefined;
  }, 'the undecided session to get its name');
  expect(bound).toBe(pending.identity.id);
  expect(await story.sessionsOf(unopened.id)).toMatchObject([{ provider_session_id: null, status: 'open' }]);
  for (const { id } of [pending, unopened]) {
    expect((await story.server.read(id)).status).toBe('in-progress');
  }

  // Now that it has a name it is asked for by that, and what is decided later is found too.
  await story.play(pending.identity, 'approved');
  await story.lookAgain();
  await until(
    async () => (await story.server.read(pending.id)).status === 'verified',
    'the later approval to be found',
    LOOKS_AGAIN_MS,
  );
  expect(story.requests).toContain(`/verification/v2/identities/${pending.identity.id}`);
  expect(await story.announced(pending.id)).toBe(1);
}, 60_000);

test.each<[string, Parameters<PassbaseStory['answerWith']>[0]]>([
  ['hangs up', 'hang up'],
  ['knows no such key', json(401, { message: 'no' })],
  ['answers 500', json(500, {})],
  ['says something else', json(200, { status: 'approved' })],
])(
  'a webhook that comes while Passbase’s API %s waits to be confirmed',
  async (_, answer) => {
    story.answerWith(answer);
    const { id, identity } = await story.begin();
    expect(await story.play(identity, 'approved_at_once')).toEqual([200]);
    const row = story.server.db
      .selectFrom('inbox')
      .selectAll()
      .where('provider_session_id', '=', identity.id);
    await until(async () => ((await row.executeTakeFirst())?.tries ?? 0) > 0, 'the webhook to be set aside');
    expect((await story.server.read(id)).status).toBe('in-progress');
    story.answerWith('as ever');
    await until(
      async () => (await story.server.read(id)).status === 'verified',
      'the webhook to be confirmed',
      LOOKS_AGAIN_MS,
    );
    expect(await story.announced(id)).toBe(1);
  },
  60_000,
);
