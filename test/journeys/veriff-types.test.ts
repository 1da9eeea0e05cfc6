import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { PERSONAL } from '../../src/simulators/veriff-bodies.ts';
import { OUTCOMES } from '../../src/simulators/veriff-runs.ts';
import { LOOKS_AGAIN_MS } from '../support/provider-story.ts';
import { BACKENDS } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

type Signal = { provider: string; kind: string; at: string; facts: object };
type Progress = { provider: string; type: string; message: string };

describe.each(BACKENDS)('every type of webhook that Veriff sends, queue on %s', (backend) => {
  let story: VeriffStory;
  beforeAll(async () => {
    story = await startVeriffStory(backend);
  });
  afterEach(() => story.veriff.behave());
  afterAll(() => story.close());

  const signalsOf = async (id: string) => (await story.server.read(id)).provider_signals as Signal[];
  const progressOf = async (id: string) => (await story.server.read(id)).progress as Progress[];

  test.each([
    ['watchlist_hit', ['watchlist_screening']],
    ['watchlist_hit_later', ['watchlist_screening']],
    ['watchlist_hit_in_older_form', ['watchlist_screening']],
    ['declined_with_risk_labels', ['risk_labels']],
    ['registries', ['ine_registry', 'curp_registry', 'ine_curp_registry']],
    ['labelled_by_hand', ['user_status']],
    ['full_auto_approved', ['full_auto']],
    ['approved', []],
  ])('%s is seen on the challenge as %j, without personal data', async (outcome, kinds) => {
    const { id, session } = await story.begin();
    await story.play(session, outcome);
    const all = async () => (await signalsOf(id)).length === kinds.length;
    await until(all, `${kinds.length} signals`);
    await story.reaches(id, OUTCOMES[outcome as keyof typeof OUTCOMES]);
    const signals = await signalsOf(id);
    expect(new Set(signals.map(({ kind }) => kind))).toEqual(new Set(kinds));
    for (const { provider, at } of signals) {
      expect(provider).toBe('veriff');
      expect(at).toMatch(/^\d{4}-\d\d-\d\dT/);
    }
    const written = JSON.stringify(await story.server.read(id));
    for (const value of [...PERSONAL, 'XEXA900203HDFRRR01']) expect(written).not.toContain(value);
  });

  test('a watchlist hit after the end is added, and nobody is told again', async () => {
    const { id, session } = await story.begin();
    await story.veriff.decide(session, 'approved');
    await story.reaches(id, 'verified');
    await story.sink.waitFor(id);
    await story.play(session, 'watchlist_hit');
    await until(async () => (await signalsOf(id)).length === 1, 'the signal');
    expect(await story.server.read(id)).toMatchObject({ status: 'verified' });
    expect(await story.announced(id)).toBe(1);
  });

  test('a watchlist hit sent twenty times is one signal', async () => {
    const { id, session } = await story.begin();
    story.veriff.behave({ copies: 20 });
    await story.play(session, 'watchlist_hit');
    await story.outcomes(session);
    expect(await signalsOf(id)).toHaveLength(1);
  });

  test('a watchlist hit that names its attempt only waits for a webhook that names both', async () => {
    const { id, session } = await story.begin();
    story.veriff.behave({ reversed: true });
    await story.play(session, 'watchlist_hit_in_older_form');
    await until(async () => (await signalsOf(id)).length === 1, 'the signal');
    await story.reaches(id, 'verified');
  });

  test('events are progress in the order they came', async () => {
    const { id, session } = await story.begin();
    for (const event of ['started', 'waiting_complete', 'submitted'] as const) {
      await story.veriff.tell(session, event);
      await story.outcomes(session);
    }
    const told = (await progressOf(id)).map(({ message }) => message);
    expect(told).toEqual(['started', 'waiting_complete', 'submitted']);
    expect(await story.announced(id)).toBe(0);
  });
});

describe('when all webhooks are lost', () => {
  let story: VeriffStory;
  beforeAll(async () => {
    story = await startVeriffStory();
  });
  afterAll(() => story.close());

  test('a full auto result is found by asking about the attempt', async () => {
    story.veriff.behave({ lose: 1 });
    const approved = await story.begin();
    const declined = await story.begin();
    const waiting = await story.begin();
    await story.play(approved.session, 'full_auto_approved');
    await story.play(declined.session, 'full_auto_declined');
    await story.play(waiting.session, 'submitted');
    await story.lookAgain();
    await story.reaches(approved.id, 'verified', LOOKS_AGAIN_MS);
    expect(await story.reaches(declined.id, 'failed')).toMatchObject({ failure_reason: 'declined' });
    const asked = () =>
      story.veriff.requests.some(({ path }) => path.includes(`${waiting.session.id}/attempts`));
    await until(asked, 'the question about the third');
    expect((await story.server.read(waiting.id)).status).toBe('in-progress');
    expect(story.veriff.deliveries).toHaveLength(0);
  });
});
