import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';
import { readAllRows } from '../support/rows.ts';
import { until } from '../support/until.ts';
import type { VeriffSession } from '../../src/simulators/veriff-bodies.ts';

let story: VeriffStory;
beforeAll(async () => {
  story = await startVeriffStory();
});
afterAll(() => story.close());

/** A name that stands in every screening here, and must not stand anywhere else. */
const NAME = 'Quentina Vexley';

function screening({ id, attemptId, vendorData }: VeriffSession, fields: object = {}) {
  return {
    ...{ checkType: 'initial_result', attemptId, sessionId: id, vendorData, endUserId: null },
    ...{ matchStatus: 'possible_match', searchTerm: { name: NAME, year: '1990' }, totalHits: 1 },
    ...{ createdAt: '2026-01-15T10:06:00.000Z', hits: [{ matchedName: NAME, countries: ['Estonia'] }] },
    ...fields,
  };
}

const signalsOf = async (id: string) => (await story.server.read(id)).provider_signals;
const found = (at: string, check_type: string, match_status: string, total_hits: number) => ({
  ...{ provider: 'veriff', kind: 'watchlist_screening', at },
  facts: { check_type, match_status, total_hits },
});

test('what a provider finds is shown with the challenge, decides nothing, and names nobody', async () => {
  const { id, session } = await story.begin();
  await story.veriff.send(screening(session));
  expect(await story.outcomes(session)).toEqual(['recorded']);
  expect((await story.server.read(id)).status).toBe('in-progress');
  expect(await signalsOf(id)).toEqual([
    found('2026-01-15T10:06:00.000Z', 'initial_result', 'possible_match', 1),
  ]);
  await story.veriff.decide(session, 'approved');
  const { json } = await story.sink.waitFor(id);
  expect(json).not.toHaveProperty('provider_signals');
  expect(JSON.stringify(await readAllRows(story.server.db))).not.toContain(NAME);
});

test('a listing that changes months after the end is recorded too, once', async () => {
  const { id, session } = await story.begin();
  await story.veriff.decide(session, 'approved');
  await story.reaches(id, 'verified');
  const before = await story.server.read(id);
  const changed = screening(session, { checkType: 'updated_result', createdAt: '2026-09-01T08:00:00.000Z' });
  story.veriff.behave({ copies: 3 });
  await story.veriff.send(changed);
  story.veriff.behave();
  await story.outcomes(session);
  const after = await story.server.read(id);
  expect(after.provider_signals).toEqual([
    found('2026-09-01T08:00:00.000Z', 'updated_result', 'possible_match', 1),
  ]);
  expect({ ...after, provider_signals: [] }).toEqual(before);
  expect(await story.announced(id)).toBe(1);
});

test('an older screening that names only the attempt finds its session by it, also when it comes first', async () => {
  const { id, session } = await story.begin();
  const { sessionId: _left, ...old } = screening(session, { vendorData: null });
  await story.veriff.send(old);
  expect(await signalsOf(id)).toEqual([]);
  await story.veriff.tell(session, 'submitted');
  await story.veriff.send({ ...old, checkType: 'updated_result' });
  await story.reaches(id, 'in-progress');
  const both = async () => {
    const signals = (await signalsOf(id)) as { facts: { check_type: string } }[];
    return signals.map(({ facts }) => facts.check_type).sort();
  };
  await until(async () => (await both()).length === 2, 'both findings', 15_000);
  expect(await both()).toEqual(['initial_result', 'updated_result']);
});

test('a screening about another challenge than its session’s is written to the trail and nowhere else', async () => {
  const { id, session } = await story.begin();
  const other = await story.begin();
  await story.veriff.send(screening(session, { vendorData: other.id }));
  expect(await story.outcomes(session)).toEqual(['other_challenge']);
  expect(await signalsOf(id)).toEqual([]);
  expect(await signalsOf(other.id)).toEqual([]);
  expect((await story.audit(id)).at(-1)?.action).toBe('report_for_other_challenge');
});

test('events become progress, and of many findings the newest fifty are kept', async () => {
  const { id, session } = await story.begin();
  await story.veriff.tell(session, 'started');
  await story.veriff.tell(session, 'submitted');
  await story.outcomes(session);
  const { progress } = await story.server.read(id);
  expect(progress).toMatchObject([
    { provider: 'veriff', type: 'event', message: 'started' },
    { provider: 'veriff', type: 'event', message: 'submitted' },
  ]);
  for (let n = 0; n < 60; n += 1)
    await story.veriff.send(
      screening(session, { createdAt: `2026-01-15T10:06:00.${String(n).padStart(3, '0')}Z` }),
    );
  await story.outcomes(session, 30_000);
  const kept = (await signalsOf(id)) as { at: string }[];
  expect(kept).toHaveLength(50);
  expect(kept.some(({ at }) => at === '2026-01-15T10:06:00.000Z')).toBe(false);
});
