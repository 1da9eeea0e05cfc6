import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { PERSONAL } from '../../src/simulators/passbase-identities.ts';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS } from '../support/server.ts';
import { until } from '../support/until.ts';

describe.each(BACKENDS)('a challenge that Passbase decides, queue on %s', (backend) => {
  let story: PassbaseStory;
  beforeAll(async () => {
    story = await startPassbaseStory(backend);
  });
  afterEach(() => {
    story.passbase.behave();
    story.answerWith('as ever');
  });
  afterAll(() => story.close());

  test('a person whom Passbase approves makes it verified once Passbase has confirmed it', async () => {
    const { server, sink, passbase } = story;
    const created = await server.create({ callback_url: sink.url, provider: 'passbase', context: 'Reset' });
    const id = created.challenge_id;
    const person = createPerson(server);
    expect((await person.open(created).expect(200)).text).toMatch(/prove who you are with .?Passbase/);
    await person.start(created).expect(303);
    const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    const [, link = ''] = /<a href="([^"]+)"/.exec(onward.text) ?? [];
    expect(link).toMatch(new RegExp(`^${passbase.url}/countersign\\?p=`));
    // Nothing happens at Passbase before the person is there.
    expect(passbase.sessions).toHaveLength(0);
    expect(story.requests).toHaveLength(0);

    const identity = await story.openLink(link);
    expect(identity.challengeId).toBe(id);
    const page = supertest(passbase.url).post(new URL(identity.url).pathname).type('form');
    await page.send({ decision: 'approved' }).expect(200);
    const read = await story.reaches(id, 'verified');
    expect(read).toMatchObject({ provider: 'passbase', auth_method: 'passbase', failure_reason: null });
    expect(read.provider_signals).toMatchObject([
      { provider: 'passbase', kind: 'watchlist', facts: { clean: true } },
    ]);
    expect((await person.result(created)).text).toContain('Identity verified');
    expect(story.requests).toContain(`/verification/v2/identities/${identity.id}`);

    const callback = await sink.waitFor(id);
    expect(callback.headers['x-webhook-signature']).toBe(`sha256=${hmacHex(server.secret, callback.body)}`);
    expect(callback.json).toMatchObject({ status: 'verified', auth_method: 'passbase', context: 'Reset' });
    await story.outcomes(identity);
    expect(await story.announced(id)).toBe(1);
  });

  test.each([
    'approved',
    'declined',
    'approved_at_once',
    'declined_at_once',
    'approved_despite_watchlist',
  ] as const)(
    'one told as %s ends as it should, in whatever order and however often it is told',
    async (outcome) => {
      story.passbase.behave({ reversed: true, copies: 2 });
      const { id, identity } = await story.begin();
      const answers = await story.play(identity, outcome);
      expect(new Set(answers)).toEqual(new Set([200]));
      const status = story.passbase.outcomes[outcome];
      const failure_reason = status === 'failed' ? 'declined' : null;
      expect(await story.reaches(id, status)).toMatchObject({ failure_reason, auth_method: 'passbase' });
      expect((await story.sink.waitFor(id)).json).toMatchObject({
        event_type: 'challenge.completed',
        status,
      });
      const outcomes = await story.outcomes(identity);
      expect(outcomes.filter((one) => one === 'applied')).toHaveLength(1);
      expect(await story.announced(id)).toBe(1);
    },
  );

  test('both webhooks of one identity at the same moment are both of its session', async () => {
    for (let n = 0; n < 8; n += 1) {
      const { id, identity } = await story.begin();
      const messages = story.passbase.play(identity, 'approved');
      await Promise.all(messages.map((message) => story.passbase.send([message])));
      await story.reaches(id, 'verified');
      const outcomes = await story.outcomes(identity);
      expect(outcomes).toContain('applied');
      expect(outcomes).not.toContain('other_challenge');
    }
  });

  test('a run that somebody has to look at stays in progress until they have', async () => {
    const { id, identity } = await story.begin();
    await story.play(identity, 'pending');
    expect(await story.outcomes(identity)).toEqual(['recorded']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    await story.play(identity, 'declined');
    await story.reaches(id, 'failed');
    expect(await story.announced(id)).toBe(1);
  });

  test('an approval that the watchlist holds back is none, whatever the webhook says', async () => {
    const { id, identity } = await story.begin();
    await story.play(identity, 'watchlist_hit');
    await story.outcomes(identity);
    const read = await story.server.read(id);
    expect(read.status).toBe('in-progress');
    expect(read.provider_signals).toMatchObject([{ kind: 'watchlist', facts: { clean: false } }]);
    await story.play(identity, 'approved');
    await story.reaches(id, 'verified');
    expect(await story.announced(id)).toBe(1);
  });

  /** It was asked about in vain, and will be again. */
  const waits = ({ id }: { id: string }) =>
    until(async () => {
      const rows = await story.server.db
        .selectFrom('inbox')
        .select(['tries', 'handled_at'])
        .where('provider_session_id', '=', id)
        .execute();
      return rows.length > 0 && rows.every(({ tries, handled_at }) => tries > 0 && handled_at === null);
    }, `the webhook of ${id} to wait`);

  test('a forged approval by somebody who knows the webhook secret changes nothing', async () => {
    const { id, identity } = await story.begin();
    const forged = { event: 'VERIFICATION_REVIEWED', key: identity.id, status: 'approved' };
    // Before the person has handed anything in, and while somebody looks at it.
    expect(await story.tell({ ...forged, updated: 1 })).toEqual([200]);
    await waits(identity);
    await story.play(identity, 'pending');
    await story.tell({ ...forged, updated: 4_000_000_000 });
    // The forged ones were asked about too, and found what is true.
    expect(new Set(await story.outcomes(identity, 20_000))).toEqual(new Set(['recorded', 'stale']));
    expect((await story.server.read(id)).status).toBe('in-progress');
    expect(await story.announced(id)).toBe(0);

    await story.play(identity, 'declined');
    await story.reaches(id, 'failed');
  });

  test('a webhook about an identity that Passbase does not know is taken and changes nothing', async () => {
    const { id, identity } = await story.begin();
    const unknown = { ...identity, id: id };
    expect(await story.tell({ event: 'VERIFICATION_REVIEWED', key: unknown.id })).toEqual([200]);
    await waits(unknown);
    expect((await story.server.read(id)).status).toBe('in-progress');
  });

  test('webhooks that are not encrypted, or with another secret, are refused alike and change nothing', async () => {
    const { id, identity } = await story.begin();
    story.passbase.behave({ tries: 1 });
    story.passbase.play(identity, 'approved');
    const hint = { event: 'VERIFICATION_REVIEWED', key: identity.id, status: 'approved', updated: 1 };
    const post = (type: string, body: string) => {
      const { origin, pathname } = new URL(story.webhookUrl);
      return supertest(origin).post(pathname).set('content-type', type).send(body);
    };
    const texts: string[] = [];
    for (const type of ['application/json', 'text/plain', 'text/plain; charset=utf-8']) {
      for (const body of [JSON.stringify(hint), 'AAAA', 'A'.repeat(64)]) {
        const { request_id: _, ...told } = (await post(type, body).expect(401)).body as Record<
          string,
          unknown
        >;
        texts.push(JSON.stringify(told));
      }
    }
    expect(new Set(texts).size).toBe(1);
    expect(await story.tell(hint, 'another secret with 32 letters..')).toEqual([401]);
    expect(await story.outcomes(identity)).toEqual([]);
    expect((await story.server.read(id)).status).toBe('in-progress');
  });

  test('two people with one link: the first to hand in counts, the other is written down', async () => {
    const { id, link, identity } = await story.begin();
    const other = await story.openLink(link);
    expect(other.challengeId).toBe(id);
    await story.play(other, 'pending');
    expect(await story.outcomes(other)).toEqual(['recorded']);
    await story.play(identity, 'declined_at_once');
    expect(await story.outcomes(identity)).toEqual(['other_challenge']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    expect(await story.audit(id)).toContain('report_of_other_session');

    await story.play(other, 'approved');
    await story.reaches(id, 'verified');
    expect(await story.sessionsOf(id)).toMatchObject([{ provider_session_id: other.id, status: 'ended' }]);
    expect(await story.announced(id)).toBe(1);
  });

  test('an identity that names no challenge decides nothing', async () => {
    const { id } = await story.begin();
    const nobody = await story.openLink(`${story.passbase.url}/countersign`);
    await story.play(nobody, 'approved_at_once');
    // It waits for a session that may be written down yet, as any unknown one does.
    const row = story.server.db.selectFrom('inbox').selectAll().where('provider_session_id', '=', nobody.id);
    const waiting = await until(async () => {
      const { tries = 0, outcome } = (await row.executeTakeFirst()) ?? {};
      return tries > 0 && { outcome };
    }, 'the webhook to be set aside');
    expect(waiting).toEqual({ outcome: null });
    expect((await story.server.read(id)).status).toBe('in-progress');
  });

  test('a decision after the end is written down and changes nothing', async () => {
    const { id, identity } = await story.begin();
    await story.play(identity, 'approved_at_once');
    await story.reaches(id, 'verified');
    // Passbase writes whole seconds, and a later word at the same second is none.
    identity.updated += 1;
    await story.play(identity, 'declined');
    expect(await story.outcomes(identity)).toEqual(['applied', 'too_late']);
    expect((await story.server.read(id)).status).toBe('verified');
    expect(await story.audit(id)).toContain('report_after_end');
    expect(await story.announced(id)).toBe(1);
  });

  test('nothing that Passbase knows of the person is kept', async () => {
    const { id, identity } = await story.begin();
    await story.play(identity, 'approved');
    await story.reaches(id, 'verified');
    const { db } = story.server;
    const kept = JSON.stringify([
      await db.selectFrom('challenges').selectAll().execute(),
      await db.selectFrom('verification_sessions').selectAll().execute(),
      await db.selectFrom('inbox').selectAll().execute(),
      await db.selectFrom('audit_entries').selectAll().execute(),
      await db.selectFrom('events').selectAll().execute(),
    ]);
    expect(kept).toContain(identity.id);
    for (const word of PERSONAL) expect(kept).not.toContain(word);
  });
});
