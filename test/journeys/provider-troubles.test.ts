import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import { eventBody } from '../../src/simulators/veriff-bodies.ts';
import { createPerson } from '../support/person.ts';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { until } from '../support/until.ts';
import { startVeriff } from '../support/veriff.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

/** What is answered in the end; it came too late for those who asked. */
const TOO_LATE = { status: 503, headers: {}, body: '' };

describe('a provider that hangs when it is asked', () => {
  let story: PassbaseStory;
  beforeAll(async () => {
    story = await startPassbaseStory();
  });
  afterAll(() => story.close());

  test('does not keep what others send waiting', async () => {
    const { server, passbase } = story;
    const veriff = await startVeriff();
    const account = await server.provider('veriff', veriff.settings);
    veriff.sendWebhooksTo(`${server.url}/webhooks/veriff/${account}`);
    const hinted = await Promise.all(Array.from({ length: 12 }, () => story.begin()));
    let release = () => {};
    const released = new Promise<void>((go) => (release = go));
    story.answerWith(() => released.then(() => TOO_LATE));
    await Promise.all(hinted.map(({ identity }) => story.play(identity, 'approved')));
    await until(() => story.requests.length >= 2, 'questions that hang');

    const created = await server.create({ provider: 'veriff' });
    await createPerson(server).start(created).expect(303);
    await veriff.decide(await veriff.sessionOf(created.challenge_id), 'approved');
    await story.reaches(created.challenge_id, 'verified');

    story.answerWith('as ever');
    release();
    await Promise.all(hinted.map(({ id }) => story.reaches(id, 'verified', 45_000)));
    expect(passbase.sessions.length).toBeGreaterThanOrEqual(12);
    await veriff.close();
  }, 90_000);
});

describe('the handling of what Veriff sends', () => {
  let story: VeriffStory;
  beforeAll(async () => {
    story = await startVeriffStory();
  });
  afterAll(() => story.close());

  const fullAuto = (session: { id: string; attemptId: string; vendorData: string | null }, data: object) => ({
    ...{ status: 'success', eventType: 'fullauto', sessionId: session.id, attemptId: session.attemptId },
    ...{ vendorData: session.vendorData, version: '1.0.0', time: '2099-01-15T10:05:03.000Z', data },
  });

  test('a full-auto result without a word does not outrank the decision', async () => {
    const { id, session } = await story.begin();
    await story.veriff.send(fullAuto(session, { verification: { decisionScore: 0.9 } }));
    expect(await story.outcomes(session)).toEqual(['recorded']);
    expect((await story.server.read(id)).provider_status).toBeNull();
    await story.veriff.decide(session, 'approved', { decisionTime: '2026-01-15T10:05:00.000Z' });
    await story.reaches(id, 'verified');
  });

  test('a finding without a time is kept once, however often it is told', async () => {
    const { id, session } = await story.begin();
    const riskLabels = [{ label: 'example', category: 'document', sessionIds: [] }];
    for (const reason of ['first', 'second', 'third'])
      await story.veriff.decide(session, 'review', { decisionTime: null, riskLabels, attemptId: reason });
    await story.outcomes(session);
    expect((await story.server.read(id)).provider_signals).toHaveLength(1);
  });

  test('a row that somebody holds keeps neither its duplicates nor others from being acknowledged', async () => {
    const { session } = await story.begin();
    const { db } = story.server;
    const body = JSON.stringify(eventBody(session, 'started'));
    const post = async (text: string) => {
      const headers = authHeaders(story.veriff.credentials, text);
      const answer = await fetch(story.webhookUrl, { method: 'POST', headers, body: text });
      return answer.status;
    };
    expect(await post(body)).toBe(200);
    await story.outcomes(session);
    await db.transaction().execute(async (tx) => {
      await tx
        .selectFrom('inbox')
        .select('id')
        .where('provider_session_id', '=', session.id)
        .forUpdate()
        .execute();
      const fresh = JSON.stringify(eventBody(session, 'submitted'));
      expect(await Promise.all([post(body), post(fresh), post(body)])).toEqual([200, 200, 200]);
    });
    const copies = async () => {
      const rows = await db
        .selectFrom('inbox')
        .select('copies')
        .where('provider_session_id', '=', session.id)
        .orderBy('received_at')
        .execute();
      return rows.map((row) => row.copies);
    };
    await until(async () => (await copies()).join() === '3,1', 'the duplicates to be counted');
  });

  test('one that cannot be handled is tried again later each time, and the others go on', async () => {
    const { id, session } = await story.begin();
    const { db } = story.server;
    await story.veriff.tell(session, 'started');
    await story.outcomes(session);
    await db
      .updateTable('inbox')
      .set({ handled_at: null, outcome: null, body_sealed: 'v1.none.none.none', next_try_at: new Date() })
      .where('provider_session_id', '=', session.id)
      .execute();
    const tries = async () => {
      const row = await db
        .selectFrom('inbox')
        .select(['tries', 'next_try_at'])
        .where('provider_session_id', '=', session.id)
        .orderBy('received_at')
        .executeTakeFirstOrThrow();
      return row.tries;
    };
    await until(async () => (await tries()) >= 2, 'two tries', 30_000);
    await story.veriff.decide(session, 'approved');
    await story.reaches(id, 'verified');
    await db.deleteFrom('inbox').where('body_sealed', '=', 'v1.none.none.none').execute();
  }, 60_000);
});

test('a server whose provider hangs stops all the same', async () => {
  const story = await startVeriffStory();
  for (let n = 0; n < 5; n += 1) await story.begin();
  story.veriff.behave({ answerAfterMs: 60_000 });
  const asked = story.veriff.requests.length;
  await story.lookAgain();
  await until(() => story.veriff.requests.length > asked, 'a question', 20_000);
  // The provider goes on hanging meanwhile.
  const closed = story.server.close().then(() => 'closed');
  expect(await Promise.race([closed, sleep(20_000, 'not closed', { ref: false })])).toBe('closed');
  await story.veriff.close();
  await story.sink.close();
}, 60_000);
