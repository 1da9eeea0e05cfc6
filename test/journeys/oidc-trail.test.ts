import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newKeys, tokenAnswer } from '../support/oidc-hostile.ts';
import type { Claims, Said, Sayings } from '../support/oidc-hostile.ts';
import { CLIENT } from '../support/oidc-idp.ts';
import { asked, startLyingStory } from '../support/oidc-lies.ts';
import type { Signing, Visit } from '../support/oidc-lies.ts';

const STRANGER = newKeys('one');
const AWAY: Said = { status: 503, body: {} };

let story: Awaited<ReturnType<typeof startLyingStory>>;
beforeAll(async () => {
  story = await startLyingStory();
});
beforeEach(() => story.idp.say({}));
afterAll(() => story.close());

const secondsAgo = (seconds: number) => Math.floor(Date.now() / 1_000) - seconds;

test('the stand-in for an IdP is believed as long as it does not lie', async () => {
  const visit = await story.atTheIdp();
  story.idp.say(story.tokenFor(visit));
  await story.bring(visit);
  await story.expectVerified(visit.created);
  expect(await story.refusalsOf(visit.created)).toEqual([]);
});

describe('an answer that is not right verifies nobody and leaves its reason in the trail:', () => {
  const claiming = (change: () => Claims) => (visit: Visit) => story.tokenFor(visit, change());
  const signed = (signing: () => Signing) => (visit: Visit) => story.tokenFor(visit, {}, signing());
  const cases: [string, string, (visit: Visit) => Sayings][] = [
    ['a sign-in an hour ago', 'stale_authentication', claiming(() => ({ auth_time: secondsAgo(3_600) }))],
    ['a sign-in at no time', 'stale_authentication', claiming(() => ({ auth_time: undefined }))],
    ['a weaker sign-in', 'insufficient_acr', claiming(() => ({ acr: 'password' }))],
    ['a sign-in in no known way', 'insufficient_acr', claiming(() => ({ acr: undefined }))],
    ['an address that is not verified', 'email_not_verified', claiming(() => ({ email_verified: false }))],
    ['a token about nobody', 'no_subject', claiming(() => ({ sub: undefined }))],
    ['another nonce', 'wrong_nonce', claiming(() => ({ nonce: 'another' }))],
    ['no nonce', 'wrong_nonce', claiming(() => ({ nonce: undefined }))],
    ['another audience', 'wrong_audience', claiming(() => ({ aud: 'another' }))],
    ['another issuer', 'wrong_issuer', claiming(() => ({ iss: 'https://evil.example' }))],
    ['a token that is over', 'response_expired', claiming(() => ({ exp: secondsAgo(90) }))],
    ['another key', 'bad_signature', signed(() => ({ key: STRANGER.private }))],
    ['no signature', 'bad_signature', signed(() => ({ header: { alg: 'none' } }))],
    [
      'the client secret as the key',
      'bad_signature',
      signed(() => ({ header: { alg: 'HS256' }, key: CLIENT.client_secret })),
    ],
    ['no token', 'malformed_response', () => ({ '/token': tokenAnswer(undefined) })],
    [
      'a code that the IdP does not know',
      'wrong_request',
      () => ({ '/token': { status: 400, body: { error: 'invalid_grant' } } }),
    ],
    [
      'a fault of the IdP',
      'idp_error',
      () => ({ '/token': { status: 400, body: { error: 'server_error' } } }),
    ],
    ['an IdP that is away', 'idp_unavailable', () => ({ '/token': AWAY })],
  ];
  test.each(cases)('%s: %s', async (_, reason, say) => {
    const visit = await story.atTheIdp();
    story.idp.say(say(visit));
    const { location } = await story.bring(visit);
    expect(location).toBe(`/challenge/${visit.created.challenge_id}/result`);
    await visit.person.result(visit.created).expect(200);
    await story.expectOpen(visit.created);
    expect(await story.refusalsOf(visit.created)).toEqual([
      { reason, attempt: expect.any(String), ip: expect.stringContaining('127.0.0.1') },
    ]);
  });

  test('somebody else: subject_mismatch, and who it was', async () => {
    const visit = await story.atTheIdp();
    story.idp.say(story.tokenFor(visit, { sub: '666', email: 'eve@example.com' }));
    await story.bring(visit);
    await story.expectOpen(visit.created);
    expect(await story.refusalsOf(visit.created)).toMatchObject([
      { reason: 'subject_mismatch', signed_in_as: 'eve@example.com' },
    ]);
  });

  test('somebody else without an address: subject_mismatch, and who it was by number', async () => {
    const visit = await story.atTheIdp();
    story.idp.say({
      ...story.tokenFor(visit, { sub: '666', email: undefined }),
      '/userinfo': { body: { sub: '666' } },
    });
    await story.bring(visit);
    await story.expectOpen(visit.created);
    expect(await story.refusalsOf(visit.created)).toMatchObject([
      { reason: 'subject_mismatch', signed_in_as: '666' },
    ]);
  });

  test('a no: access_denied, and the end', async () => {
    const visit = await story.atTheIdp();
    await story.bring(visit, { error: 'access_denied' });
    expect(await story.server.read(visit.created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'access_denied', auth_method: 'oidc', subject: null },
    });
    expect(await story.reasonsOf(visit.created)).toEqual(['access_denied']);
  });

  test('what is wrong three times is the end, and the last of it is the reason', async () => {
    let visit = await story.atTheIdp();
    for (const [left, change] of [{ nonce: 'x' }, { acr: 'password' }, { aud: 'x' }].entries()) {
      story.idp.say(story.tokenFor(visit, change));
      await story.bring(visit);
      if (left < 2) visit = await story.again(visit);
    }
    expect(await story.reasonsOf(visit.created)).toEqual([
      'wrong_nonce',
      'insufficient_acr',
      'wrong_audience',
    ]);
    expect(await story.server.read(visit.created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'wrong_audience', subject: null },
    });
  });

  test('an IdP that is away is never the end: whoever comes back when it answers is verified', async () => {
    let visit = await story.atTheIdp();
    for (const path of ['/token', '/keys', '/token']) {
      story.idp.say({ ...story.tokenFor(visit), [path]: AWAY });
      await story.bring(visit);
      story.idp.say({});
      visit = await story.again(visit);
    }
    story.idp.say(story.tokenFor(visit));
    await story.bring(visit);
    await story.expectVerified(visit.created);
    expect(await story.reasonsOf(visit.created)).toEqual(Array.from({ length: 3 }, () => 'idp_unavailable'));
  });
});

describe('a state is good for one answer:', () => {
  test('the same answer again is a replay, and is not redeemed again', async () => {
    const visit = await story.atTheIdp();
    story.idp.say(story.tokenFor(visit, { email: 'eve@example.com' }));
    await story.bring(visit);
    const redeemed = story.idp.asked.length;
    story.idp.say(story.tokenFor(visit));
    const { location } = await story.bring(visit);
    expect(location).toBe(`/challenge/${visit.created.challenge_id}/result`);
    expect(story.idp.asked).toHaveLength(redeemed);
    await story.expectOpen(visit.created);
    expect(await story.reasonsOf(visit.created)).toEqual(['subject_mismatch', 'replayed_response']);
  });

  test('a state that nobody was sent off with is nobody’s, and costs nothing', async () => {
    const visit = await story.atTheIdp();
    story.idp.say(story.tokenFor(visit));
    const { called } = await story.bring(visit, { code: 'a-code', state: 'made-up' });
    expect(called.status).toBe(404);
    await story.expectOpen(visit.created);
    expect(await story.refusalsOf(visit.created)).toEqual([]);
    await story.bring(visit);
    await story.expectVerified(visit.created);
  });

  test('the state of another person’s challenge verifies neither', async () => {
    const [mine, theirs] = [await story.atTheIdp(), await story.atTheIdp()];
    story.idp.say(story.tokenFor(theirs));
    const { concluded } = await story.bring(mine, { code: 'a-code', state: asked(theirs.url, 'state') });
    expect(concluded?.status).toBe(403);
    await story.expectOpen(mine.created);
    await story.expectOpen(theirs.created);
    expect(await story.reasonsOf(theirs.created)).toEqual(['other_browser']);
    expect(await story.reasonsOf(mine.created)).toEqual([]);
  });

  test('the state of an earlier way there is superseded', async () => {
    const first = await story.atTheIdp();
    const second = await story.again(first);
    story.idp.say(story.tokenFor(first));
    await story.bring(first);
    await story.expectOpen(first.created);
    expect(await story.reasonsOf(first.created)).toEqual(['superseded']);
    story.idp.say(story.tokenFor(second));
    await story.bring(second);
    await story.expectVerified(first.created);
  });
});
