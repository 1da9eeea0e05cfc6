import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { BerbixTransaction } from '../../src/simulators/berbix-transactions.ts';
import {
  finishedBody,
  progressBody,
  signatureHeader,
  statusChangedBody,
} from '../../src/simulators/berbix-webhooks.ts';
import { startBerbixStory } from '../support/berbix-story.ts';
import type { BerbixStory } from '../support/berbix-story.ts';
import { LOOKS_AGAIN_MS } from '../support/provider-story.ts';
import { until } from '../support/until.ts';

let story: BerbixStory;
beforeAll(async () => {
  story = await startBerbixStory();
});
afterEach(() => {
  story.berbix.behave();
  story.berbix.answerWith();
});
afterAll(() => story.close());

const known = ({ id }: { id: string }) => story.berbix.sessions.find((one) => one.id === id)!;
const finish = (session: BerbixTransaction, action: string) =>
  story.berbix.signed('finished', finishedBody(session, action));
const change = (session: BerbixTransaction, action: string) =>
  story.berbix.signed('status_changed', statusChangedBody(session, action));
const send = (...messages: Parameters<BerbixStory['berbix']['send']>[0]) => story.berbix.send(messages);
const statusOf = async (id: string) => (await story.server.read(id)).status;

describe('order', () => {
  test.each([
    ['review_then_accept', 'verified'],
    ['review_then_reject', 'failed'],
    ['custom_then_accept', 'verified'],
  ])('%s in reverse makes it %s all the same', async (outcome, status) => {
    story.berbix.behave({ reversed: true });
    const { id, session } = await story.begin();
    await story.play(session, outcome);
    await story.reaches(id, status);
    await story.outcomes(session);
    expect(await story.announced(id)).toBe(1);
  });

  test('what a person changed is not undone by a finish that comes late', async () => {
    const { id, session } = await story.begin();
    await send(change(session, 'needs-a-call'));
    await story.outcomes(session);
    await send(finish(session, 'accept'));
    expect(await story.outcomes(session)).toEqual(['recorded', 'stale']);
    expect(await statusOf(id)).toBe('in-progress');
    await send(change(session, 'reject'));
    await story.reaches(id, 'failed');
  });

  test('a change after the end changes nothing, and is written down', async () => {
    const { id, session } = await story.begin();
    await send(finish(session, 'accept'));
    await story.reaches(id, 'verified');
    await send(change(session, 'reject'));
    expect(await story.outcomes(session)).toEqual(['applied', 'too_late']);
    expect(await statusOf(id)).toBe('verified');
    expect(await story.announced(id)).toBe(1);
    expect((await story.audit(id)).map(({ action }) => action)).toContain('report_after_end');
  });

  test('a webhook that is faster than the answer to the create finds its challenge', async () => {
    const { berbix } = story;
    let sent: Promise<number[]> | undefined;
    berbix.answerWith(async (route) => {
      if (route !== 'POST /v0/transactions') return undefined;
      sent = berbix.send(berbix.play(berbix.sessions.at(-1)!, 'accept'));
      await sent;
      return undefined;
    });
    const { id } = await story.begin();
    expect(new Set(await sent)).toEqual(new Set([200]));
    await story.reaches(id, 'verified');
  });
});

describe('once', () => {
  test('copies at the same time and tries after it count once', async () => {
    story.berbix.behave({ copies: 3 });
    const { id, session } = await story.begin();
    const messages = story.berbix.play(session, 'review_then_accept');
    const answers = await story.berbix.send(messages);
    expect(answers).toEqual(Array.from({ length: messages.length * 3 }, () => 200));
    await story.reaches(id, 'verified');
    // Signed anew: the same webhook all the same.
    story.berbix.putForward(30_000);
    expect(new Set(await story.berbix.send(messages))).toEqual(new Set([200]));
    story.berbix.putForward(-30_000);
    expect(await story.outcomes(session)).toHaveLength(messages.length);
    expect(await story.announced(id)).toBe(1);
    expect(await story.progressOf(id)).toHaveLength(11);
  });
});

describe('a webhook is refused, and changes nothing', () => {
  test('when it is sent again after five minutes', async () => {
    const { id, session } = await story.begin();
    const message = finish(session, 'accept');
    story.berbix.putForward(-301_000);
    const headers = message.headers();
    story.berbix.putForward(301_000);
    expect(await story.post(message.body, headers)).toBe(401);
    expect(await story.post(message.body, message.headers())).toBe(200);
    await story.reaches(id, 'verified');
  });

  test('when its line feed was lost on the way', async () => {
    const { id, session } = await story.begin();
    const { body, headers } = finish(session, 'accept');
    expect(await story.post(body.trimEnd(), headers())).toBe(401);
    expect(await statusOf(id)).toBe('in-progress');
  });

  test.each(['progress_secret', 'status_secret', 'api_secret'] as const)(
    'when a finish is signed with the %s',
    async (field) => {
      const { id, session } = await story.begin();
      const { body, headers } = finish(session, 'accept');
      const signature = signatureHeader(story.berbix.settings[field], body, new Date());
      expect(await story.post(body, { ...headers(), 'x-berbix-signature': signature })).toBe(401);
      expect(await statusOf(id)).toBe('in-progress');
      expect(await story.refusals()).toEqual(
        expect.arrayContaining([expect.objectContaining({ reason: 'not_authentic' })]),
      );
    },
  );
});

describe('a webhook is taken, and changes nothing', () => {
  test('when it names another challenge than its transaction belongs to', async () => {
    const { id, session } = await story.begin();
    const other = await story.begin();
    const forged = { ...known(session), challengeId: other.id };
    await send(finish(forged, 'accept'));
    expect(await story.outcomes(session)).toEqual(['other_challenge']);
    expect(await statusOf(id)).toBe('in-progress');
    expect(await statusOf(other.id)).toBe('in-progress');
  });

  test('when its shape is not known', async () => {
    const { headers } = story.berbix.signed('finished', { hello: 'Berbix' });
    expect(await story.post('{"hello":"Berbix"}\n', headers())).toBe(200);
    await until(async () => {
      const rows = await story.server.db
        .selectFrom('inbox')
        .select('outcome')
        .where('kind', '=', 'unknown')
        .execute();
      return rows.length === 1 && rows[0]?.outcome === 'no_effect';
    }, 'the strange webhook to be handled');
  });

  test.each(['finished', 'status_changed', 'progress'] as const)(
    'when it is the sample of the hook %s',
    async (kind) => {
      expect(await send(story.berbix.sample(kind))).toEqual([200]);
      expect(await send(story.berbix.sample(kind))).toEqual([200]);
    },
  );

  test('when progress is all there is, whatever it says', async () => {
    const { id, session } = await story.begin();
    const body = progressBody(known(session), 'event', 'accept', '2026-01-01T10:00:00.123456789Z');
    await send(story.berbix.signed('progress', body));
    expect(await story.outcomes(session)).toEqual(['recorded']);
    expect(await statusOf(id)).toBe('in-progress');
    expect(await story.progressOf(id)).toEqual([
      { provider: 'berbix', type: 'event', message: 'accept', at: '2026-01-01T10:00:00.123456789Z' },
    ]);
  });
});

describe('what was lost is asked for', () => {
  test('though each access token was over long ago; a review stays open', async () => {
    const { berbix, sink } = story;
    berbix.behave({ lose: 1 });
    const accepted = await story.begin();
    const reviewed = await story.begin();
    const unfinished = await story.begin();
    await story.play(accepted.session, 'review_then_accept');
    await story.play(reviewed.session, 'review');
    await story.play(unfinished.session, 'given_up');
    berbix.putForward(24 * 3_600_000);
    await story.lookAgain();
    await story.reaches(accepted.id, 'verified', LOOKS_AGAIN_MS);
    expect((await sink.waitFor(accepted.id)).json).toMatchObject({
      status: 'verified',
      auth_method: 'berbix',
    });
    await until(
      async () =>
        ((await story.server.read(reviewed.id)) as { provider_signals: unknown[] }).provider_signals
          .length === 1,
      'the flags of the review',
    );
    berbix.putForward(-24 * 3_600_000);
    for (const { id } of [reviewed, unfinished]) expect(await statusOf(id)).toBe('in-progress');

    // The webhooks come after all.
    berbix.behave();
    await send(finish(accepted.session, 'review'), change(accepted.session, 'accept'));
    await story.outcomes(accepted.session);
    expect(await story.announced(accepted.id)).toBe(1);
    await send(change(reviewed.session, 'reject'));
    await story.reaches(reviewed.id, 'failed');
  }, 60_000);
});
