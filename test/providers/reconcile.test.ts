import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Decision } from '../../src/simulators/veriff-bodies.ts';
import { LOOKS_AGAIN_MS } from '../support/provider-story.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';
import { until } from '../support/until.ts';

let story: VeriffStory;
beforeAll(async () => {
  story = await startVeriffStory();
});
afterAll(() => story.close());

/** A session whose decision, if any, never reaches us, and about which Veriff is to be asked. */
async function lost(word?: Decision) {
  const begun = await story.begin();
  if (word) await story.veriff.decide(begun.session, word);
  return begun;
}

test('what lost webhooks would have said is fetched, and only what is conclusive ends a challenge', async () => {
  const { server, veriff, sink } = story;
  veriff.behave({ lose: true });
  const approved = await lost('approved');
  const declined = await lost('declined');
  const abandoned = await lost('abandoned');
  const reviewed = await lost('review');
  const undecided = await lost();
  const foreign = await lost('approved');
  foreign.session.verification = { ...foreign.session.verification, vendorData: approved.id };
  const swapped = await lost('approved');
  swapped.session.verification = { ...swapped.session.verification, id: approved.session.id };
  expect(veriff.deliveries).toHaveLength(0);
  const open = [reviewed, undecided, foreign, swapped];

  const due = { next_check_at: new Date(Date.now() - 1_000) };
  await server.db.updateTable('verification_sessions').set(due).execute();
  await until(
    () => veriff.requests.filter(({ path }) => path.endsWith('/decision')).length === 7,
    'questions',
    LOOKS_AGAIN_MS,
  );

  expect(await story.reaches(approved.id, 'verified')).toMatchObject({ auth_method: 'veriff' });
  await story.reaches(declined.id, 'failed');
  await story.reaches(abandoned.id, 'expired');
  expect((await sink.waitFor(approved.id)).json).toMatchObject({ status: 'verified' });
  await until(
    async () => (await story.audit(foreign.id)).length === 3,
    'the foreign report in the audit trail',
  );
  for (const { id } of open) expect((await server.read(id)).status).toBe('in-progress');
  for (const { method, status } of veriff.requests) expect(status).toBe(method === 'GET' ? 200 : 201);

  const rows = await server.db.selectFrom('verification_sessions').selectAll().execute();
  for (const { id } of open) {
    const row = rows.find(({ challenge_id }) => challenge_id === id);
    expect(row).toMatchObject({ status: 'open', checks: 1 });
    expect(row?.next_check_at?.getTime()).toBeGreaterThan(Date.now() + 30_000);
  }
  const ended = rows.filter(({ status }) => status === 'ended');
  expect(ended.map(({ next_check_at }) => next_check_at)).toEqual([null, null, null]);

  // The webhook comes after all, and then one that says something else: no second callback.
  veriff.behave();
  await veriff.send({ status: 'success', verification: approved.session.verification });
  expect(await story.outcomes(approved.session)).toEqual(['stale']);
  await veriff.decide(approved.session, 'declined', { decisionTime: '2099-01-01T00:00:00.000000Z' });
  expect(await story.outcomes(approved.session)).toEqual(['stale', 'too_late']);
  expect(await story.announced(approved.id)).toBe(1);
});

test('an answer with a wrong signature is refused and asked for again, and nobody asks about what is over', async () => {
  const { server, veriff } = story;
  veriff.behave({ lose: true });
  const forged = await lost('approved');
  const next = await lost('approved');
  const over = await lost('approved');
  const past = new Date(Date.now() - 1_000);
  await server.db.updateTable('challenges').set({ expires_at: past }).where('id', '=', over.id).execute();
  const due = async (id: string, at: Date) =>
    server.db
      .updateTable('verification_sessions')
      .set({ next_check_at: at })
      .where('challenge_id', '=', id)
      .execute();
  veriff.behave({ answers: 'forged' });
  // Taken in this order, so that a question about the last one means the others are taken too.
  await due(next.id, past);
  await due(over.id, new Date(past.getTime() - 1_000));
  await due(forged.id, new Date(past.getTime() - 2_000));
  const asked = (id: string) => veriff.requests.filter(({ path }) => path.includes(id)).length;
  await until(() => asked(next.session.id) === 1, 'questions', LOOKS_AGAIN_MS);
  await until(() => asked(forged.session.id) === 1, 'the other question');

  const row = server.db.selectFrom('verification_sessions').selectAll().where('challenge_id', '=', forged.id);
  expect(await row.executeTakeFirst()).toMatchObject({ status: 'open', checks: 1, last_decision: null });
  expect((await server.read(forged.id)).status).toBe('in-progress');
  expect(asked(over.session.id)).toBe(0);
  expect((await server.read(over.id)).status).toBe('expired');
});

test('a provider that is slow about one session is asked about the others meanwhile', async () => {
  const { server, veriff } = story;
  veriff.behave({ lose: true });
  const begun: Awaited<ReturnType<typeof lost>>[] = [];
  for (let n = 0; n < 5; n += 1) begun.push(await lost());
  veriff.behave({ answerAfterMs: 3_000 });
  const asked = begun.map(() => 0);
  const note = () =>
    begun.forEach(({ session }, n) => {
      if (!asked[n] && veriff.requests.some(({ path }) => path.includes(session.id))) asked[n] = Date.now();
    });
  await server.db
    .updateTable('verification_sessions')
    .set({ next_check_at: new Date(Date.now() - 1_000) })
    .where('status', '=', 'open')
    .execute();
  const all = () => {
    note();
    return asked.every(Boolean);
  };
  await until(all, 'questions about all of them', 2 * LOOKS_AGAIN_MS);
  expect(Math.max(...asked) - Math.min(...asked)).toBeLessThan(2_000);
  veriff.behave();
});
