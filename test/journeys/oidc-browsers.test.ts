import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createVisitor } from '../support/oidc-visitor.ts';
import { comeBack, refusalsOf, sendOff, startOidcStory } from '../support/oidc-story.ts';
import { createPerson } from '../support/person.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

const ADA = 'ada@example.com';

let story: Awaited<ReturnType<typeof startOidcStory>>;
let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  story = await startOidcStory();
  server = story.server;
  sink = await startSink();
});
afterAll(async () => {
  await story.close();
  await sink.close();
});

async function atTheIdp() {
  return sendOff(server, await story.create({ callback_url: sink.url }));
}
const signIn = (url: string, login = ADA) => createVisitor().signIn(url, login);
const statusOf = async ({ challenge_id }: Created) => (await server.read(challenge_id)).status;
const completions = ({ challenge_id }: Created) =>
  server.db
    .selectFrom('events')
    .select('type')
    .where('challenge_id', '=', challenge_id)
    .where('type', '=', 'challenge.completed')
    .execute();

describe('somebody who signs in on a link that another has started', () => {
  test('does not verify the other’s challenge, whatever that one does afterwards', async () => {
    const { created, person: attacker, url } = await atTheIdp();
    const victim = createPerson(server);
    const { called, location, concluded } = await comeBack(victim, await signIn(url));
    expect(called.status).toBe(303);
    expect(concluded?.status).toBe(403);
    expect(await statusOf(created)).toBe('in-progress');
    expect(await refusalsOf(server, created)).toEqual(['other_browser']);

    await attacker.result(created).expect(200);
    // Not even with the victim's ticket.
    await attacker.agent.get(location).expect(303);
    expect(await statusOf(created)).toBe('in-progress');
  });

  test('does not verify it either when they have begun a challenge of their own', async () => {
    const { created, url } = await atTheIdp();
    const victim = await atTheIdp();
    expect((await comeBack(victim.person, await signIn(url))).concluded?.status).toBe(403);
    expect(await statusOf(created)).toBe('in-progress');
    expect(await statusOf(victim.created)).toBe('in-progress');
    await comeBack(victim.person, await signIn(victim.url));
    expect(await statusOf(victim.created)).toBe('verified');
  });
});

describe('an answer for one challenge', () => {
  test('does not verify another: code and state belong together', async () => {
    const [mine, other] = [await atTheIdp(), await atTheIdp()];
    const back = new URL(await signIn(mine.url));
    back.searchParams.set('state', new URL(other.url).searchParams.get('state') ?? '');
    await comeBack(other.person, back.href);
    expect(await statusOf(other.created)).toBe('in-progress');
    expect(await refusalsOf(server, other.created)).toEqual(['wrong_request']);
  });

  test('counts once: the same callback again changes nothing', async () => {
    const { created, person, url } = await atTheIdp();
    const back = await signIn(url);
    await comeBack(person, back);
    expect(await statusOf(created)).toBe('verified');
    const result = `/challenge/${created.challenge_id}/result`;
    expect((await comeBack(person, back)).location).toBe(result);
    expect((await comeBack(createPerson(server), back)).location).toBe(result);
    expect(await statusOf(created)).toBe('verified');
    expect(await completions(created)).toHaveLength(1);
  });

  test('is not used up by whoever only looks', async () => {
    const { created, person, url } = await atTheIdp();
    const { pathname, search } = new URL(await signIn(url));
    await createPerson(server)
      .agent.head(pathname + search)
      .expect(200);
    const { headers } = await person.agent.get(pathname + search).expect(303);
    await person.agent.head(headers.location ?? '').expect(200);
    await person.agent.get(headers.location ?? '').expect(303);
    expect(await statusOf(created)).toBe('verified');
  });

  test('counts in one tab, though Continue was pressed again in another', async () => {
    const { created, person, url } = await atTheIdp();
    const { pathname, search } = new URL(await signIn(url));
    const { headers } = await person.agent.get(pathname + search).expect(303);
    await person.press(created).expect(303);
    await person.agent.get(headers.location ?? '').expect(303);
    expect(await statusOf(created)).toBe('verified');
  });

  test('that comes again before it has counted is written down', async () => {
    const { created, person, url } = await atTheIdp();
    const back = await signIn(url, 'eve@example.com');
    await comeBack(person, back);
    await comeBack(person, back);
    expect(await refusalsOf(server, created)).toEqual(['subject_mismatch', 'replayed_response']);
  });

  test('with a state that nobody knows is nobody’s', async () => {
    const { called } = await comeBack(
      createPerson(server),
      `${server.url}/auth/callback/oidc?state=x&code=y`,
    );
    expect(called.status).toBe(404);
    const bare = await comeBack(createPerson(server), `${server.url}/auth/callback/oidc`);
    expect(bare.called.status).toBe(404);
    const twice = await atTheIdp();
    const state = new URL(twice.url).searchParams.get('state') ?? '';
    const doubled = `${await signIn(twice.url)}&state=${state}`;
    expect((await comeBack(twice.person, doubled)).called.status).toBe(404);
    expect(await statusOf(twice.created)).toBe('in-progress');
  });
});

describe('two browsers', () => {
  test('cannot both go on: the second takes over, and what the first brings no longer counts', async () => {
    const first = await atTheIdp();
    const second = await sendOff(server, first.created);
    expect((await comeBack(first.person, await signIn(first.url))).concluded).toBeUndefined();
    await first.person.result(first.created).expect(403);
    await comeBack(second.person, await signIn(second.url));
    expect(await statusOf(first.created)).toBe('verified');
    expect(await refusalsOf(server, first.created)).toEqual(['superseded']);
  });

  test('cannot both go on from where both were let in either', async () => {
    const first = await atTheIdp();
    const back = new URL(await signIn(first.url));
    const { headers } = await first.person.agent.get(back.pathname + back.search).expect(303);
    const second = await sendOff(server, first.created);
    await first.person.agent.get(headers.location ?? '').expect(403);
    expect(await statusOf(first.created)).toBe('in-progress');
    await comeBack(second.person, await signIn(second.url));
    expect(await statusOf(first.created)).toBe('verified');
  });

  test('that race to the end make one completion', async () => {
    const first = await atTheIdp();
    const ticketed = async ({ person, url }: typeof first) => {
      const { pathname, search } = new URL(await signIn(url));
      return { person, callback: pathname + search };
    };
    const one = await ticketed(first);
    // The same browser in two tabs: one callback, and its ticket shown many times at once.
    const called = await Promise.all([1, 2, 3].map(() => one.person.agent.get(one.callback)));
    const ahead = called.filter(({ headers }) => headers.location?.includes('/signed-in'));
    expect(ahead).toHaveLength(1);
    const location = ahead[0]?.headers.location ?? '';
    await Promise.all([1, 2, 3].map(() => one.person.agent.get(location)));
    expect(await statusOf(first.created)).toBe('verified');
    expect(await completions(first.created)).toHaveLength(1);
    await sink.waitFor(first.created.challenge_id);
  });

  test('that race to the end, the second while the first comes back, make one completion', async () => {
    const first = await atTheIdp();
    const firstBack = await signIn(first.url);
    const [, second] = await Promise.all([
      comeBack(first.person, firstBack),
      sendOff(server, first.created).catch(() => undefined),
    ]);
    if (second) await comeBack(second.person, await signIn(second.url));
    expect(await statusOf(first.created)).toBe('verified');
    expect(await completions(first.created)).toHaveLength(1);
  });
});
