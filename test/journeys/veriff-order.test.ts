import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { decisionBody } from '../../src/simulators/veriff-bodies.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS } from '../support/server.ts';
import { until } from '../support/until.ts';
import { startVeriff } from '../support/veriff.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

describe.each(BACKENDS)('Veriff’s webhooks in any order and number, queue on %s', (backend) => {
  let story: VeriffStory;
  beforeAll(async () => {
    story = await startVeriffStory(backend);
  });
  afterEach(() => story.veriff.behave());
  afterAll(() => story.close());

  test('the same decision twenty times at once is one callback', async () => {
    const { id, session } = await story.begin();
    story.veriff.behave({ copies: 20 });
    expect(await story.veriff.decide(session, 'approved')).toEqual(Array.from({ length: 20 }, () => 200));
    await story.reaches(id, 'verified');
    expect(await story.outcomes(session)).toEqual(['applied']);
    await story.sink.waitFor(id);
    expect(await story.announced(id)).toBe(1);
    expect(story.sink.of(id)).toHaveLength(1);
  });

  test('of two contradicting decisions at once one wins, and the other is in the audit trail', async () => {
    const { id, session } = await story.begin();
    const decisions = ['approved', 'declined'] as const;
    await Promise.all(decisions.map((word) => story.veriff.decide(session, word, { decisionTime: null })));
    expect(new Set(await story.outcomes(session))).toEqual(new Set(['applied', 'too_late']));
    expect(await story.announced(id)).toBe(1);
    expect((await story.audit(id)).filter(({ action }) => action === 'report_after_end')).toHaveLength(1);
  });

  test('an approval after a decline changes nothing, and is in the audit trail', async () => {
    const { id, session } = await story.begin();
    await story.veriff.decide(session, 'declined');
    await story.reaches(id, 'failed');
    await story.veriff.decide(session, 'approved', { decisionTime: '2099-01-01T00:00:00.000Z' });
    expect(await story.outcomes(session)).toEqual(['applied', 'too_late']);
    expect(await story.server.read(id)).toMatchObject({ status: 'failed', failure_reason: 'declined' });
    expect(await story.announced(id)).toBe(1);
    expect((await story.audit(id)).at(-1)).toMatchObject({
      actor: 'provider:veriff',
      action: 'report_after_end',
      detail: { report: 'approved', status: 'failed' },
    });
  });

  test('a decision older than the newest one seen is ignored, whatever the number of digits', async () => {
    const { id, session } = await story.begin();
    const { veriff } = story;
    await veriff.decide(session, 'review', { decisionTime: '2026-01-15T10:05:00.123456Z' });
    await story.outcomes(session);
    await veriff.decide(session, 'declined', { decisionTime: '2026-01-15T10:05:00.123Z' });
    await veriff.decide(session, 'declined', { decisionTime: '2026-01-15T12:04:59.999999+02:00' });
    expect(await story.outcomes(session)).toEqual(['recorded', 'stale', 'stale']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    await veriff.decide(session, 'approved', { decisionTime: '2026-01-15T10:05:00.124Z' });
    await story.reaches(id, 'verified');
  });

  test('at the same instant the conclusive decision counts', async () => {
    const { id, session } = await story.begin();
    const decisionTime = '2026-01-15T10:05:00.123Z';
    await story.veriff.decide(session, 'review', { decisionTime });
    await story.outcomes(session);
    await story.veriff.decide(session, 'approved', { decisionTime });
    await story.reaches(id, 'verified');
  });

  test('a decision without a time counts while nothing is concluded', async () => {
    const { id, session } = await story.begin();
    await story.veriff.decide(session, 'review');
    await story.outcomes(session);
    await story.veriff.decide(session, 'approved', { decisionTime: null, attemptId: undefined });
    await story.reaches(id, 'verified');
    await story.veriff.decide(session, 'declined', { decisionTime: null });
    expect((await story.outcomes(session)).at(-1)).toBe('too_late');
    expect((await story.server.read(id)).status).toBe('verified');
  });

  test('a decision that echoes another challenge’s id touches neither', async () => {
    const [one, other] = [await story.begin(), await story.begin()];
    await story.veriff.decide(one.session, 'approved', { vendorData: other.id });
    expect(await story.outcomes(one.session)).toEqual(['other_challenge']);
    for (const { id } of [one, other]) expect((await story.server.read(id)).status).toBe('in-progress');
    const entry = (await story.audit(one.id)).at(-1);
    expect(entry).toMatchObject({ action: 'report_for_other_challenge', detail: { report: 'approved' } });
    expect(await story.audit(other.id)).toHaveLength(2);
    await story.veriff.decide(one.session, 'approved', { vendorData: null });
    await story.reaches(one.id, 'verified');
  });

  test('a decision sent through another tenant’s account does not reach the session', async () => {
    const { server, veriff } = story;
    const { id, session } = await story.begin();
    const { tenant_id } = await server.integration({ newTenant: true });
    const others = await startVeriff();
    const account = await server.provider('veriff', others.settings, { tenant_id });
    others.sendWebhooksTo(`${server.url}/webhooks/veriff/${account}`);
    expect(await others.send(decisionBody(session, 'approved'))).toEqual([200]);
    const kept = server.db.selectFrom('inbox').select('tries').where('provider_account_id', '=', account);
    await until(async () => (await kept.executeTakeFirst())?.tries === 1, 'the webhook to be looked at');
    expect((await server.read(id)).status).toBe('in-progress');
    await veriff.decide(session, 'declined');
    expect(await story.reaches(id, 'failed')).toMatchObject({ failure_reason: 'declined' });
    expect((await story.audit(id)).map(({ action }) => action)).toEqual(['created', 'in-progress', 'failed']);
    await others.close();
  });

  test('a decision that overtakes the answer to our own request still counts', async () => {
    const { server, veriff } = story;
    const answered: number[] = [];
    veriff.behave({
      beforeAnswer: async (session) => {
        answered.push(...(await veriff.decide(session, 'approved')));
      },
    });
    const created = await server.create({ callback_url: story.sink.url });
    const person = createPerson(server);
    await person.start(created).expect(303);
    expect(answered).toEqual([200]);
    await story.reaches(created.challenge_id, 'verified');
    await person.agent
      .get(`/challenge/${created.challenge_id}/continue`)
      .expect(303)
      .expect('Location', 'result');
    await story.sink.waitFor(created.challenge_id);
  });

  test('an approval after our own deadline leaves it expired, and is in the audit trail', async () => {
    const { id, session } = await story.begin();
    const past = new Date(Date.now() - 1_000);
    await story.server.db.updateTable('challenges').set({ expires_at: past }).where('id', '=', id).execute();
    await story.veriff.decide(session, 'approved');
    expect(await story.outcomes(session)).toEqual(['too_late']);
    const callback = await story.sink.waitFor(id);
    expect(callback.json).toMatchObject({ event_type: 'challenge.expired', status: 'expired' });
    expect(await story.server.read(id)).toMatchObject({ status: 'expired', is_expired: true });
    const late = (await story.audit(id)).find(({ action }) => action === 'report_after_end');
    expect(late?.detail).toMatchObject({ report: 'approved' });
    expect(await story.announced(id)).toBe(1);
  });
});
