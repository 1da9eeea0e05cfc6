import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { OUTCOMES } from '../../src/simulators/berbix-outcomes.ts';
import { PERSONAL } from '../../src/simulators/berbix-transactions.ts';
import { startBerbixStory } from '../support/berbix-story.ts';
import type { BerbixStory } from '../support/berbix-story.ts';
import { createPerson } from '../support/person.ts';
import { readAllRows } from '../support/rows.ts';
import { BACKENDS } from '../support/server.ts';

const ENDED = Object.entries(OUTCOMES).filter(([, status]) => status !== 'in-progress');
const OPEN = Object.keys(OUTCOMES).filter(
  (outcome) => OUTCOMES[outcome as keyof typeof OUTCOMES] === 'in-progress',
);
/** What a person leaves behind who needs no second photo. */
const STEPS = [
  'SESSION_STARTED',
  'PHOTO_ID_TYPE_PICK_STARTED',
  'PHOTO_ID_TYPE_PICK_COUNTRY_PICKED',
  'PHOTO_ID_TYPE_PICK_FINISH',
  'PHOTO_ID_FRONT_STARTED',
  'UPLOAD_PHOTO_ID_FRONT_SUCCESS',
  'PHOTO_ID_BACK_STARTED',
  'UPLOAD_PHOTO_ID_BACK_SUCCESS',
  'SELFIE_VERIFICATION_STARTED',
  // Stamped before the last step, and therefore told before it.
  'SESSION_FINISHED',
  'UPLOAD_SELFIE_FINISH',
];

describe.each(BACKENDS)('a challenge that Berbix decides, queue on %s', (backend) => {
  let story: BerbixStory;
  beforeAll(async () => {
    story = await startBerbixStory(backend);
  });
  afterEach(() => story.berbix.behave());
  afterAll(() => story.close());

  test('a person whom Berbix accepts makes it verified, and the callback arrives signed', async () => {
    const { server, sink, berbix } = story;
    const created = await server.create({ callback_url: sink.url, provider: 'berbix', context: 'Reset' });
    const id = created.challenge_id;
    const person = createPerson(server);
    expect((await person.open(created).expect(200)).text).toMatch(/prove who you are with .?Berbix/);
    expect(berbix.sessions).toHaveLength(0);

    await person.start(created).expect(303).expect('Location', `/challenge/${id}/continue`);
    const session = await berbix.sessionOf(id);
    const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    expect(onward.text).toContain(`<a href="${session.url}"`);

    const body = new URLSearchParams({ decision: 'accept' });
    const back = await fetch(session.url, { method: 'POST', body, redirect: 'manual' });
    expect(back.headers.get('location')).toBe(`${server.url}/challenge/${id}/result`);
    const read = await story.reaches(id, 'verified');
    expect(read).toMatchObject({ auth_method: 'berbix', provider: 'berbix', failure_reason: null });
    expect((await person.result(created)).text).toContain('Identity verified');

    const callback = await sink.waitFor(id);
    expect(callback.headers['x-webhook-signature']).toBe(`sha256=${hmacHex(server.secret, callback.body)}`);
    expect(callback.json).toMatchObject({
      event_type: 'challenge.completed',
      status: 'verified',
      auth_method: 'berbix',
      context: 'Reset',
    });
  });

  test.each(ENDED)('%s makes it %s, and tells so once', async (outcome, status) => {
    const { id, session } = await story.begin();
    const answers = await story.play(session, outcome);
    expect(new Set(answers)).toEqual(new Set([200]));
    const reason = status === 'failed' ? 'declined' : null;
    expect(await story.reaches(id, status)).toMatchObject({ failure_reason: reason, auth_method: 'berbix' });
    expect((await story.sink.waitFor(id)).json).toMatchObject({ status, failure_reason: reason });
    await story.outcomes(session);
    expect(await story.announced(id)).toBe(1);
  });

  test.each(OPEN)('%s leaves it in progress', async (outcome) => {
    const { id, person, created, session } = await story.begin();
    await story.play(session, outcome);
    expect(new Set(await story.outcomes(session))).toEqual(new Set(['recorded']));
    expect((await story.server.read(id)).status).toBe('in-progress');
    expect(await story.announced(id)).toBe(0);
    expect((await person.result(created)).text).toContain('Waiting for the result');
  });

  test('how far the person came is told in the order it happened, not in that of arrival', async () => {
    story.berbix.behave({ reversed: true });
    const { id, session } = await story.begin();
    await story.play(session, 'review');
    await story.outcomes(session);
    const progress = await story.progressOf(id);
    expect(progress.map(({ message }) => message)).toEqual(STEPS);
    const times = progress.map(({ at }) => at);
    expect(times).toEqual([...times].sort());
    for (const { at, provider, type } of progress) {
      expect({ provider, type }).toEqual({ provider: 'berbix', type: 'event' });
      expect(at).toMatch(/\.\d{9}Z$/);
    }
  });

  test('photos that had to be repeated are told as errors and hinder nothing', async () => {
    const { id, session } = await story.begin();
    await story.play(session, 'retried_photos');
    await story.reaches(id, 'verified');
    await story.outcomes(session);
    const errors = (await story.progressOf(id)).filter(({ type }) => type === 'error');
    expect(errors.map(({ message }) => message)).toEqual(['text_unreadable', 'no_face_on_id_detected']);
  });
});

describe('what Berbix entrusts to us', () => {
  let story: BerbixStory;
  beforeAll(async () => {
    story = await startBerbixStory();
  });
  afterAll(() => story.close());

  test('stands in no table in the clear: tokens, secrets, links and what is known of the person', async () => {
    const { server, berbix } = story;
    const { id, session } = await story.begin();
    berbix.behave({ lose: 1 });
    await story.play(session, 'reject');
    await story.lookAgain();
    await story.reaches(id, 'failed', 20_000);
    berbix.behave();
    await story.play(session, 'reject');
    await story.outcomes(session);

    const { refreshToken, hostedToken } = berbix.sessions.find((one) => one.id === session.id)!;
    const { api_secret, finished_secret, status_secret, progress_secret } = berbix.settings;
    const secrets = [refreshToken, hostedToken, api_secret, finished_secret, status_secret, progress_secret];
    const tables = Object.entries(await readAllRows(server.db));
    expect(tables.length).toBeGreaterThan(5);
    for (const [table, rows] of tables) {
      for (const secret of [...secrets, ...PERSONAL]) {
        expect({ table, secret, found: rows.some((row) => row.includes(secret)) }).toMatchObject({
          found: false,
        });
      }
    }
    const row = await server.db
      .selectFrom('verification_sessions')
      .select(['provider_session_id', 'token_sealed'])
      .where('challenge_id', '=', id)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ provider_session_id: session.id, token_sealed: expect.stringMatching(/\S/) });
    // What it was rejected for is known all the same.
    expect((await server.read(id)).provider_signals).toEqual([
      expect.objectContaining({ provider: 'berbix', kind: 'flags', facts: { flags: ['id_expired'] } }),
    ]);
  }, 60_000);
});
