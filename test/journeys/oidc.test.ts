import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { createVisitor } from '../support/oidc-visitor.ts';
import { comeBack, refusalsOf, sendAgain, sendOff, sentTo, startOidcStory } from '../support/oidc-story.ts';
import { createPerson } from '../support/person.ts';
import type { TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';

const ADA = 'ada@example.com';
const EVE = 'eve@example.com';

let story: Awaited<ReturnType<typeof startOidcStory>>;
let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
beforeAll(async () => {
  story = await startOidcStory();
  server = story.server;
  sink = await startSink();
});
afterEach(() => {
  story.idp.lie({});
  story.idp.goAway(false);
});
afterAll(async () => {
  await story.close();
  await sink.close();
});

/** Somebody who was asked and is at the IdP now. */
async function atTheIdp(body: object = {}) {
  return sendOff(server, await story.create({ callback_url: sink.url, ...body }));
}
const signIn = (url: string, login = ADA) => createVisitor().signIn(url, login);
const stateOf = async ({ challenge_id }: { challenge_id: string }) => {
  const { status, failure_reason } = await server.read(challenge_id);
  return [status, failure_reason];
};

describe('a person who signs in at the company’s OpenID provider', () => {
  test('is verified, and whoever asked is told once who signed in, when and how', async () => {
    story.idp.lie({ acr: 'mfa', amr: ['pwd', 'hwk'] });
    const { created, person, url } = await atTheIdp();
    const { called, concluded } = await comeBack(person, await signIn(url));
    expect(called.status).toBe(303);
    expect(concluded?.headers.location).toBe('result');
    expect((await person.result(created).expect(200)).text).toContain('Identity verified');
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({
      ...{
        event_type: 'challenge.completed',
        status: 'verified',
        auth_method: 'oidc',
        subject_match: 'email',
      },
      ...{ subject: { id: ADA, email: ADA, issuer: story.idp.issuer }, acr: 'mfa', amr: ['pwd', 'hwk'] },
    });
    expect(Date.parse(String(json.auth_time))).toBeGreaterThan(Date.now() - 60_000);
    expect(await refusalsOf(server, created)).toEqual([]);
  });

  test('finds their name entered there', async () => {
    const { url } = await atTheIdp();
    expect(new URL(url).searchParams.get('login_hint')).toBe(ADA);
    const {
      created,
      person,
      url: other,
    } = await atTheIdp({ target_user_email: undefined, target_user_id: ADA });
    expect(new URL(other).searchParams.has('login_hint')).toBe(false);
    await comeBack(person, await signIn(other));
    expect((await server.read(created.challenge_id)).subject_match).toBe('email');
  });

  test('is told when it was somebody else’s account, and may sign in with their own', async () => {
    const { created, person, url } = await atTheIdp();
    await comeBack(person, await signIn(url, EVE));
    expect((await person.result(created).expect(200)).text).toContain(ADA);
    expect(await stateOf(created)).toEqual(['in-progress', null]);
    await comeBack(person, await signIn(await sendAgain(person, created)));
    expect(await stateOf(created)).toEqual(['verified', null]);
    expect(await refusalsOf(server, created)).toEqual(['subject_mismatch']);
  });

  test('has failed when it was somebody else’s account three times', async () => {
    const { created, person, url } = await atTheIdp();
    await comeBack(person, await signIn(url, EVE));
    for (const _ of ['second', 'third'])
      await comeBack(person, await signIn(await sendAgain(person, created), EVE));
    expect(await stateOf(created)).toEqual(['failed', 'subject_mismatch']);
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({ status: 'failed', failure_reason: 'subject_mismatch', subject: null });
  });

  test('does not get by with a session that was there before', async () => {
    const { created, person, url } = await atTheIdp();
    story.idp.lie({ ts: Math.floor(Date.now() / 1_000) - 3_600 });
    await comeBack(person, await signIn(url));
    expect(await stateOf(created)).toEqual(['in-progress', null]);
    expect(await refusalsOf(server, created)).toEqual(['stale_authentication']);
    story.idp.lie({});
    await comeBack(person, await signIn(await sendAgain(person, created)));
    expect(await stateOf(created)).toEqual(['verified', null]);
  });

  test('has no more tries for opening the link again', async () => {
    const { created, person } = await atTheIdp();
    for (const left of ['in-progress', 'in-progress', 'failed']) {
      const { url } = await sendOff(server, created, person);
      await comeBack(person, await signIn(url, EVE));
      expect((await server.read(created.challenge_id)).status).toBe(left);
    }
  });

  test('does not use up the tries of another browser', async () => {
    const { created, url, person } = await atTheIdp();
    await comeBack(person, await signIn(url, EVE));
    await comeBack(person, await signIn(await sendAgain(person, created), EVE));
    const other = await sendOff(server, created);
    await comeBack(other.person, await signIn(other.url, EVE));
    expect(await stateOf(created)).toEqual(['in-progress', null]);
    await comeBack(other.person, await signIn(await sendAgain(other.person, created)));
    expect(await stateOf(created)).toEqual(['verified', null]);
  });

  test('who says no there has failed', async () => {
    const { created, person, url } = await atTheIdp();
    const { location } = await comeBack(person, await createVisitor().cancel(url));
    expect(location).toBe(`/challenge/${created.challenge_id}/result`);
    expect(await stateOf(created)).toEqual(['failed', 'access_denied']);
  });

  test('may leave the IdP and begin again: only the last way counts', async () => {
    const { created, person, url } = await atTheIdp();
    const second = await sendAgain(person, created);
    expect((await comeBack(person, await signIn(url))).concluded).toBeUndefined();
    expect(await stateOf(created)).toEqual(['in-progress', null]);
    await comeBack(person, await signIn(second));
    expect(await stateOf(created)).toEqual(['verified', null]);
    expect(await refusalsOf(server, created)).toEqual(['superseded']);
  });
});

describe('an IdP that is away', () => {
  test('is told to the person before they go there, and they may try again', async () => {
    await story.set();
    story.idp.goAway(true);
    const created = await story.create();
    const person = createPerson(server);
    await person.start(created).expect(503);
    story.idp.goAway(false);
    await person.retry(created).expect(303);
    await comeBack(person, await signIn(await sentTo(person, created)));
    expect(await stateOf(created)).toEqual(['verified', null]);
  });

  test('costs no try when they come back from there', async () => {
    const { created, person, url } = await atTheIdp();
    let back = await signIn(url);
    for (const _ of ['first', 'second', 'third']) {
      story.idp.goAway(true);
      await comeBack(person, back);
      story.idp.goAway(false);
      back = await signIn(await sendAgain(person, created));
    }
    await comeBack(person, back);
    expect(await stateOf(created)).toEqual(['verified', null]);
    expect(await refusalsOf(server, created)).toEqual(Array.from({ length: 3 }, () => 'idp_unavailable'));
  });
});
