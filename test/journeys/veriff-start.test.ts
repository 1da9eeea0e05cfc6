import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson } from '../support/person.ts';
import { BACKENDS, HTTPS, startServer } from '../support/server.ts';
import { startVeriff } from '../support/veriff.ts';
import type { Behaviour } from '../support/veriff.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import type { VeriffStory } from '../support/veriff-story.ts';

describe.each(BACKENDS)('pressing Start opens a session at Veriff, queue on %s', (backend) => {
  let story: VeriffStory;
  const sessionsOf = (id: string) => story.veriff.sessions.filter((one) => one.vendorData === id);
  const rowsOf = (id: string) =>
    story.server.db.selectFrom('verification_sessions').selectAll().where('challenge_id', '=', id).execute();
  beforeAll(async () => {
    story = await startVeriffStory(backend);
  });
  afterEach(() => story.veriff.behave());
  afterAll(() => story.close());

  test('once, though two browsers press at the same time; the later one goes on', async () => {
    const { server, veriff } = story;
    veriff.behave({ answerAfterMs: 300 });
    const created = await server.create();
    const id = created.challenge_id;
    const people = [createPerson(server), createPerson(server)];
    const answers = await Promise.all(people.map((person) => person.start(created)));
    // Whoever pressed first may find at the next page that the other one took over.
    expect(answers.map(({ status }) => status)).toContain(303);
    expect(sessionsOf(id)).toHaveLength(1);
    const onward = await Promise.all(people.map(({ agent }) => agent.get(`/challenge/${id}/continue`)));
    expect(onward.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 403]);
    expect(onward.find(({ status }) => status === 200)?.text).toContain(sessionsOf(id)[0]?.url);
  });

  test('once, though the person presses again and again', async () => {
    const { id, created, person } = await story.begin();
    await Promise.all([1, 2, 3].map(() => person.start(created).expect(303)));
    expect(sessionsOf(id)).toHaveLength(1);
  });

  test.each<[string, Partial<Behaviour>]>([
    ['hangs up', { answers: 'hang up' }],
    ['answers 500', { answers: 500 }],
    ['knows no such key', { answers: 401 }],
    ['signs its answer with another secret', { answers: 'forged' }],
    ['signs its answer with another secret under the newer names', { answers: 'forged', names: 'vrf' }],
  ])('not while Veriff %s: a friendly page, and another press works', async (_, behaviour) => {
    const { server, veriff } = story;
    const created = await server.create();
    const id = created.challenge_id;
    const person = createPerson(server);
    veriff.behave(behaviour);
    const refused = await person.start(created).expect(503).expect('Content-Type', /html/);
    expect(refused.text).toContain('The service that checks who you are does not answer');
    expect(refused.text).toContain('Try again with Veriff');
    expect(await rowsOf(id)).toHaveLength(0);
    expect(await server.read(id)).toMatchObject({ status: 'in-progress', is_expired: false });

    veriff.behave();
    await person.start(created).expect(303);
    const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    expect(onward.text).toContain((await veriff.sessionOf(id)).url);
    expect(await rowsOf(id)).toHaveLength(1);
  });

  test('by a press alone: a look at the page before Veriff, when the first press failed, opens none', async () => {
    const { server, veriff } = story;
    const created = await server.create();
    const person = createPerson(server);
    const page = `/challenge/${created.challenge_id}/continue`;
    veriff.behave({ answers: 'hang up' });
    await person.start(created).expect(503);
    veriff.behave({ answers: 'unsigned' });
    await person.agent.get(page).expect(303).expect('Location', 'result');
    expect(await rowsOf(created.challenge_id)).toHaveLength(0);
    await person.start(created).expect(303);
    await person.agent.get(page).expect(200);
  });

  test('never in the clear in live mode', async () => {
    const server = await startServer({ backend, env: HTTPS });
    const live = await startVeriff();
    await server.provider('veriff', live.settings, { mode: 'live' });
    const { apiKey } = await server.integration({ mode: 'live' });
    const created = await server.create({}, apiKey);
    const answer = await createPerson(server).start(created).expect(503);
    expect(answer.text).toContain('Try again with Veriff');
    expect(live.requests).toHaveLength(0);
    await live.close();
    await server.close();
  });

  test('nowhere once nobody listens there', async () => {
    const { server } = story;
    const gone = await startVeriff();
    const { tenant_id, apiKey } = await server.integration({ newTenant: true });
    await server.provider('veriff', gone.settings, { tenant_id });
    const created = await server.create({}, apiKey);
    await gone.close();
    await createPerson(server).start(created).expect(503);
    expect(await rowsOf(created.challenge_id)).toHaveLength(0);
  });
});
