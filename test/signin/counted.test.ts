import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createVisitor } from '../support/oidc-visitor.ts';
import { comeBack, sendAgain, sendOff, startOidcStory } from '../support/oidc-story.ts';
import { createPerson } from '../support/person.ts';
import type { TestServer } from '../support/server.ts';

const ADA = 'ada@example.com';
const SERIES = /^countersign_sign_ins_total\{kind="oidc",outcome="(\w+)"\} (\d+)$/gm;

let story: Awaited<ReturnType<typeof startOidcStory>>;
let server: TestServer;
let before: Counts;
beforeAll(async () => {
  story = await startOidcStory();
  server = story.server;
});
beforeEach(async () => {
  before = await counts();
});
afterAll(() => story.close());

type Counts = { [outcome: string]: number };

async function counts(): Promise<Counts> {
  const { text } = await server.request.get('/metrics').expect(200);
  return Object.fromEntries(
    [...text.matchAll(SERIES)].map(([, outcome = '', count]) => [outcome, Number(count)]),
  );
}

/** What has been counted in this test. */
async function counted(): Promise<Counts> {
  const now = Object.entries(await counts()).map(
    ([outcome, count]) => [outcome, count - (before[outcome] ?? 0)] as const,
  );
  return Object.fromEntries(now.filter(([, count]) => count > 0));
}

const atTheIdp = async () => sendOff(server, await story.create());
const signIn = (url: string, login = ADA) => createVisitor().signIn(url, login);
/** The half of coming back that gives the browser its ticket. */
async function ticketed({ person, url }: Awaited<ReturnType<typeof atTheIdp>>): Promise<string> {
  const { pathname, search } = new URL(await signIn(url));
  const { headers } = await person.agent.get(pathname + search).expect(303);
  return headers.location ?? '';
}

describe('sign-ins are counted by what came of them', () => {
  test('what alerts ask about stands at 0 before it happens', async () => {
    expect(before).toEqual({
      ...{ begun: 0, verified: 0, other_browser: 0, subject_mismatch: 0, idp_unavailable: 0, idp_error: 0 },
    });
  });

  test('the right person, and somebody else', async () => {
    const [ada, eve] = [await atTheIdp(), await atTheIdp()];
    await comeBack(ada.person, await signIn(ada.url));
    await comeBack(eve.person, await signIn(eve.url, 'eve@example.com'));
    expect(await counted()).toEqual({ begun: 2, verified: 1, subject_mismatch: 1 });
  });

  test('a browser that did not click', async () => {
    const { url } = await atTheIdp();
    await comeBack(createPerson(server), await signIn(url));
    expect(await counted()).toEqual({ begun: 1, other_browser: 1 });
  });

  test('an answer after another way to the IdP was begun', async () => {
    const sent = await atTheIdp();
    const back = await signIn(sent.url);
    await sendAgain(sent.person, sent.created);
    await comeBack(sent.person, back);
    expect(await counted()).toEqual({ begun: 2, superseded: 1 });
  });

  test('an answer to a challenge that has ended meanwhile', async () => {
    const sent = await atTheIdp();
    const location = await ticketed(sent);
    await sent.person.report(sent.created).expect(303);
    await sent.person.agent.get(location).expect(303);
    expect(await counted()).toEqual({ begun: 1, too_late: 1 });
  });

  test('the same answer twice, while it matters', async () => {
    const { person, url } = await atTheIdp();
    const back = await signIn(url, 'eve@example.com');
    for (const _ of ['first', 'second']) await comeBack(person, back);
    expect(await counted()).toEqual({ begun: 1, subject_mismatch: 1, replayed_response: 1 });
  });

  test('an answer at the path of another IdP', async () => {
    const { person, url } = await atTheIdp();
    const { search } = new URL(await signIn(url));
    await person.agent.get(`/auth/callback/oidc/another${search}`).expect(303);
    expect(await counted()).toEqual({ begun: 1, wrong_callback: 1 });
  });

  test('a click while the IdP is away', async () => {
    await story.set();
    story.idp.goAway(true);
    await createPerson(server)
      .start(await story.create())
      .expect(503);
    expect(await counted()).toEqual({ idp_unavailable: 1 });
    story.idp.goAway(false);
  });

  test('an answer after half an hour', async () => {
    const { created, person, url } = await atTheIdp();
    await server.db
      .updateTable('sign_in_attempts')
      .set({ clicked_at: new Date(Date.now() - 31 * 60_000) })
      .where('challenge_id', '=', created.challenge_id)
      .execute();
    await comeBack(person, await signIn(url));
    expect(await counted()).toEqual({ begun: 1, timed_out: 1 });
  });
});
