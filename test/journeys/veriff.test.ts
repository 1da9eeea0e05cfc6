import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import supertest from 'supertest';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS } from '../support/server.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

describe.each(BACKENDS)('a challenge that Veriff decides, queue on %s', (backend) => {
  let story: VeriffStory;
  beforeAll(async () => {
    story = await startVeriffStory(backend);
  });
  afterEach(() => story.veriff.behave());
  afterAll(() => story.close());

  test('a person whom Veriff approves makes it verified, and the callback arrives signed', async () => {
    const { server, sink, veriff } = story;
    const created = await server.create({ callback_url: sink.url, context: 'Reset' });
    const id = created.challenge_id;
    const person = createPerson(server);
    const start = await person.open(created).expect(200);
    expect(start.text).toMatch(/prove who you are with .?Veriff/);
    expect(veriff.sessions).toHaveLength(0);

    await person.start(created).expect(303).expect('Location', `/challenge/${id}/continue`);
    const session = await veriff.sessionOf(id);
    expect(session.callback).toBe(`${server.url}/challenge/${id}/result`);
    const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    expect(onward.text).toContain(`<a href="${session.url}"`);
    expect(onward.headers.refresh).toBe(`0; url=${session.url}`);
    expect(onward.headers['referrer-policy']).toBe('no-referrer');

    const hosted = supertest(veriff.url);
    await hosted.get(new URL(session.url).pathname).expect(200);
    const back = await hosted.post(new URL(session.url).pathname).type('form').send({ decision: 'approved' });
    expect(back.headers.location).toBe(session.callback);
    const read = await story.reaches(id, 'verified');
    expect(read).toMatchObject({ auth_method: 'veriff', failure_reason: null });
    expect((await person.result(created)).text).toContain('Identity verified');

    const callback = await sink.waitFor(id);
    expect(callback.headers['x-webhook-signature']).toBe(`sha256=${hmacHex(server.secret, callback.body)}`);
    const told = {
      event_type: 'challenge.completed',
      status: 'verified',
      auth_method: 'veriff',
      context: 'Reset',
    };
    expect(callback.json).toMatchObject(told);
  });

  test.each([
    ['declined', 'failed', 'declined', 'challenge.completed', 'Identity not verified'],
    ['expired', 'expired', 'provider_expired', 'challenge.expired', 'This request has expired'],
    ['abandoned', 'expired', 'provider_abandoned', 'challenge.expired', 'This request has expired'],
  ] as const)('%s makes it %s as %s', async (word, status, failure_reason, event_type, page) => {
    const { id, created, person, session } = await story.begin();
    expect(await story.veriff.decide(session, word)).toEqual([200]);
    expect(await story.reaches(id, status)).toMatchObject({ failure_reason, auth_method: 'veriff' });
    const callback = await story.sink.waitFor(id);
    expect(callback.json).toMatchObject({ event_type, status, failure_reason });
    expect((await person.result(created)).text).toContain(page);
  });

  test('a resubmission keeps it in progress at the same address, and a later approval verifies', async () => {
    const { id, person, session } = await story.begin();
    await story.veriff.tell(session, 'submitted');
    await story.veriff.decide(session, 'resubmission_requested');
    expect(await story.outcomes(session)).toEqual(['recorded', 'recorded']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    const again = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    expect(again.text).toContain(session.url);

    await story.veriff.tell(session, 'submitted');
    await story.veriff.decide(session, 'approved');
    await story.reaches(id, 'verified');
    expect(story.veriff.sessions.filter((one) => one.vendorData === id)).toHaveLength(1);
    expect(await story.announced(id)).toBe(1);
  });

  test('a review keeps it in progress until the conclusion', async () => {
    const { id, session } = await story.begin();
    await story.veriff.decide(session, 'review');
    expect(await story.outcomes(session)).toEqual(['recorded']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    await story.veriff.decide(session, 'declined');
    await story.reaches(id, 'failed');
    expect(await story.announced(id)).toBe(1);
  });

  test('events alone decide nothing', async () => {
    const { id, session } = await story.begin();
    await story.veriff.tell(session, 'submitted');
    await story.veriff.tell(session, 'started');
    await story.veriff.tell(session, 'submitted', { code: 7007, action: 'approved', feature: 'flow' });
    expect(await story.outcomes(session)).toEqual(['recorded', 'recorded', 'recorded']);
    expect((await story.server.read(id)).status).toBe('in-progress');
    expect(await story.announced(id)).toBe(0);
  });

  test('a person who returns before the webhook waits, and then sees the result', async () => {
    story.veriff.behave({ delayMs: 400, names: 'vrf' });
    const { created, person, session } = await story.begin();
    const hosted = new URL(session.url).pathname;
    const back = await supertest(story.veriff.url).post(hosted).type('form').send({ decision: 'declined' });
    const returned = new URL(back.headers.location ?? '').pathname;
    const waiting = await person.agent.get(returned).expect(200);
    expect(waiting.text).toContain('Waiting for the result');
    expect(waiting.headers.refresh).toBeUndefined();

    await story.reaches(created.challenge_id, 'failed');
    const result = await person.agent.get(returned).expect(200);
    expect(result.text).toContain('Identity not verified');
    expect(result.headers.refresh).toBeUndefined();
  });
});
