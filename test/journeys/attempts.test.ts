import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

let story: VeriffStory;
beforeAll(async () => {
  story = await startVeriffStory();
  const tenant = await findFirstTenant(story.server.db);
  await saveTenantMode(story.server.db, tenant?.id ?? '', 'test', { provider_attempts: 2 });
});
afterAll(() => story.close());

const actions = async (id: string) => (await story.audit(id)).map(({ action }) => action);

/** Presses Start again, which begins the next run, and returns its session. */
async function again({ id, created, person }: Awaited<ReturnType<VeriffStory['begin']>>) {
  const before = story.veriff.sessions.length;
  await person.start(created).expect(303);
  expect(story.veriff.sessions).toHaveLength(before + 1);
  return story.veriff.sessionOf(id);
}

test('a run that was declined may be repeated, and the second one decides', async () => {
  const begun = await story.begin();
  await story.veriff.decide(begun.session, 'declined');
  expect(await story.outcomes(begun.session)).toEqual(['applied']);
  expect(await story.server.read(begun.id)).toMatchObject({ status: 'in-progress', failure_reason: null });
  expect(await story.announced(begun.id)).toBe(0);

  const second = await again(begun);
  expect(second.id).not.toBe(begun.session.id);
  await story.veriff.decide(second, 'approved');
  await story.reaches(begun.id, 'verified');
  expect(await actions(begun.id)).toEqual([
    ...['created', 'in-progress', 'attempt_ended', 'in-progress', 'verified'],
  ]);
  expect(await story.announced(begun.id)).toBe(1);
});

test('so may one that was abandoned, or whose link was never opened', async () => {
  for (const word of ['abandoned', 'expired'] as const) {
    const begun = await story.begin();
    await story.veriff.decide(begun.session, word);
    await story.outcomes(begun.session);
    expect((await story.server.read(begun.id)).status).toBe('in-progress');
    await story.veriff.decide(await again(begun), 'approved');
    await story.reaches(begun.id, 'verified');
  }
});

test('the last one that fails ends the challenge', async () => {
  const begun = await story.begin();
  await story.veriff.decide(begun.session, 'declined');
  await story.outcomes(begun.session);
  await story.veriff.decide(await again(begun), 'declined');
  expect(await story.reaches(begun.id, 'failed')).toMatchObject({ failure_reason: 'declined' });
  expect(await story.announced(begun.id)).toBe(1);
  await begun.person.start(begun.created).expect(410);
});

test('an approval of a run that had been declined counts no more, whatever its time says', async () => {
  const begun = await story.begin();
  await story.veriff.decide(begun.session, 'declined');
  await story.outcomes(begun.session);
  const second = await again(begun);
  await story.veriff.decide(begun.session, 'approved', { decisionTime: '2099-01-01T00:00:00.000Z' });
  expect(await story.outcomes(begun.session)).toEqual(['applied', 'too_late']);
  expect((await story.server.read(begun.id)).status).toBe('in-progress');
  expect((await actions(begun.id)).at(-1)).toBe('report_after_end');
  await story.veriff.decide(second, 'declined');
  await story.reaches(begun.id, 'failed');
});

test('the same decline twenty times at once takes one attempt', async () => {
  const begun = await story.begin();
  story.veriff.behave({ copies: 20 });
  await story.veriff.decide(begun.session, 'declined');
  story.veriff.behave();
  expect(await story.outcomes(begun.session)).toEqual(['applied']);
  expect((await actions(begun.id)).filter((action) => action === 'attempt_ended')).toHaveLength(1);
  await story.veriff.decide(await again(begun), 'approved');
  await story.reaches(begun.id, 'verified');
});

test('past the deadline there is nothing to repeat', async () => {
  const begun = await story.begin();
  await story.server.db
    .updateTable('challenges')
    .set({ expires_at: new Date(Date.now() - 1_000) })
    .where('id', '=', begun.id)
    .execute();
  await story.veriff.decide(begun.session, 'declined');
  expect(await story.outcomes(begun.session)).toEqual(['too_late']);
  await story.reaches(begun.id, 'expired');
  await story.sink.waitFor(begun.id);
  expect(await story.announced(begun.id)).toBe(1);
});
