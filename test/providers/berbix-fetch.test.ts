import { describe, expect, test } from '@jest/globals';
import { berbix } from '../../src/providers/berbix.ts';
import { PERSONAL } from '../../src/simulators/berbix-transactions.ts';
import { json } from '../../src/simulators/server.ts';
import { CHALLENGE_ID } from '../fixtures/berbix/vectors.ts';
import { toldBy, withBerbix } from '../support/berbix.ts';
import type { Berbix } from '../support/berbix.ts';

const run = { challengeId: CHALLENGE_ID, returnUrl: 'https://id.example/challenge/x/result' };
const HOUR_MS = 3_600_000;
let vendor: Berbix;
const { http } = withBerbix((started) => {
  vendor = started;
});

async function begin() {
  const { sessionId = '', token } = await berbix.startSession(run, vendor.settings, http);
  return { sessionId, token };
}

describe('reading a transaction back', () => {
  const read = (session: { sessionId: string; token?: string | undefined }, settings = vendor.settings) =>
    berbix.fetchReport({ sessionId: session.sessionId, token: session.token }, settings, http);

  test('tells nothing until the person has finished', async () => {
    const session = await begin();
    expect(await read(session)).toBeUndefined();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), 'given_up');
    expect(await read(session)).toBeUndefined();
  });

  test.each([
    ['accept', 'accept', { to: 'verified' }],
    ['reject', 'reject', { to: 'failed', reason: 'declined' }],
    ['review', 'review', undefined],
    ['review_then_accept', 'accept', { to: 'verified' }],
    ['review_then_reject', 'reject', { to: 'failed', reason: 'declined' }],
    ['custom_action', 'escalate-to-fraud-team', undefined],
    ['custom_then_accept', 'accept', { to: 'verified' }],
  ])('after %s tells the action %s, as the latest there is', async (outcome, word, decision) => {
    const session = await begin();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), outcome);
    vendor.requests.length = 0;
    expect(await read(session)).toMatchObject({
      decision,
      word,
      decidedAt: '2',
      challengeId: CHALLENGE_ID,
      reasonCode: null,
    });
    expect(vendor.requests).toEqual([
      { method: 'POST', path: '/v0/tokens', status: 200 },
      { method: 'GET', path: '/v0/transactions', status: 200 },
    ]);
  });

  test('tells flags as a finding, and nothing about the person', async () => {
    const session = await begin();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), 'reject');
    const report = await read(session);
    const known = vendor.sessions.at(-1);
    expect(report?.signals).toEqual([
      { kind: 'flags', at: known?.completedAt, facts: { flags: ['id_expired'] } },
    ]);
    for (const secret of [...PERSONAL, known?.refreshToken ?? '']) {
      expect(JSON.stringify(report)).not.toContain(secret);
    }
  });

  test('has no finding where there are no flags', async () => {
    const session = await begin();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), 'accept');
    expect(await read(session)).not.toHaveProperty('signals');
  });

  test('takes only words for flags, and not endlessly many', async () => {
    const session = await begin();
    const flags = [
      'id_expired',
      'WILHELMINA OXTOBY',
      7,
      null,
      { flag: 'x' },
      '',
      '\ud800',
      'é',
      'x'.repeat(101),
    ];
    const many = Array.from({ length: 80 }, (_, number) => `flag_${number}`);
    vendor.answerWith((route, reply) => {
      if (!route.startsWith('GET')) return undefined;
      const body = { action: 'review', flags: [...flags, ...many], completed_at: 'yesterday' };
      return { ...reply, body: JSON.stringify(body) };
    });
    const [signal] = (await read(session))?.signals ?? [];
    const told = signal?.facts.flags;
    expect(told).toEqual(['id_expired', ...many.slice(0, 49)]);
    expect(signal?.at).toBeNull();
  });

  test('begins with a new access token, for the one before may be over', async () => {
    const session = await begin();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), 'accept');
    for (const _ of [1, 2, 3]) {
      vendor.putForward(2 * HOUR_MS);
      expect(await read(session)).toMatchObject({ word: 'accept' });
    }
  });

  test('fails when the access token is over at once, and asks anew the next time', async () => {
    const session = await begin();
    vendor.play(await vendor.sessionOf(CHALLENGE_ID), 'accept');
    vendor.answerWith((route) => {
      if (route === 'POST /v0/tokens') vendor.putForward(HOUR_MS);
      return undefined;
    });
    expect(await toldBy(read(session))).toContain('Berbix answered 401');
    vendor.answerWith();
    expect(await read(session)).toMatchObject({ word: 'accept' });
  });

  test.each([404, 409, 410])(
    'tells nothing when Berbix answers %d to the question itself',
    async (status) => {
      const session = await begin();
      vendor.answerWith((route) => (route.startsWith('GET') ? json(status, { message: 'no' }) : undefined));
      expect(await read(session)).toBeUndefined();
    },
  );

  test.each<[string, string, number]>([
    ['POST /v0/tokens', 'for a token', 404],
    ['POST /v0/tokens', 'for a token', 401],
    ['POST /v0/tokens', 'for a token', 500],
    ['GET /v0/transactions', 'for the transaction', 400],
    ['GET /v0/transactions', 'for the transaction', 401],
    ['GET /v0/transactions', 'for the transaction', 302],
    ['GET /v0/transactions', 'for the transaction', 429],
    ['GET /v0/transactions', 'for the transaction', 503],
  ])('fails when %s (%s) is answered %d', async (asked, _, status) => {
    const session = await begin();
    vendor.answerWith((route, reply) => (route === asked ? { ...reply, status } : undefined));
    const failure = await toldBy(read(session));
    expect(failure).toContain(`Berbix answered ${status}`);
    expect(failure).toContain('unavailable');
  });

  test.each<[string, string, string]>([
    ['no token', 'POST /v0/tokens', '{"refresh_token":"rt"}'],
    ['a token that fits no header', 'POST /v0/tokens', '{"access_token":"at\\r\\nx-evil: 1"}'],
    ['a number for a token', 'POST /v0/tokens', '{"access_token":1}'],
    ['a page for a token', 'POST /v0/tokens', '<html>'],
    ['a page', 'GET /v0/transactions', '<html>accept</html>'],
    ['nothing', 'GET /v0/transactions', ''],
    ['a list', 'GET /v0/transactions', '[{"action":"accept"}]'],
    ['another transaction', 'GET /v0/transactions', '{"id":123456789012,"action":"accept"}'],
    ['an id that is none', 'GET /v0/transactions', '{"id":"x","action":"accept"}'],
  ])('fails when Berbix answers with %s', async (_, asked, body) => {
    const session = await begin();
    vendor.answerWith((route, reply) => (route === asked ? { ...reply, body } : undefined));
    const failure = await toldBy(read(session));
    expect(failure).toContain('Berbix answered');
    expect(failure).not.toContain('evil');
    expect(vendor.requests.at(-1)?.path).toBe(asked.split(' ')[1]);
  });

  test.each<[string, string, object | undefined]>([
    ['without an id', '{"action":"accept"}', { word: 'accept', challengeId: null }],
    [
      'about another customer',
      '{"action":"accept","customer_uid":"x"}',
      { word: 'accept', challengeId: 'x' },
    ],
    ['with no action', '{"flags":["id_expired"]}', undefined],
    ['with an empty action', '{"action":""}', undefined],
    ['with null for an action', '{"action":null}', undefined],
    ['with an action that is no text', '{"action":["accept"]}', undefined],
  ])('reads an answer %s', async (_, body, expected) => {
    const session = await begin();
    vendor.answerWith((route, reply) => (route.startsWith('GET') ? { ...reply, body } : undefined));
    const report = await read(session);
    if (expected) expect(report).toMatchObject(expected);
    else expect(report).toBeUndefined();
  });

  test('fails without a refresh token, with a wrong one and with a wrong secret, and tells none of them', async () => {
    const { sessionId, token } = await begin();
    expect(await toldBy(read({ sessionId }))).toContain('no refresh token');
    const wrongToken = await toldBy(read({ sessionId, token: 'not-the-token' }));
    expect(wrongToken).toContain('Berbix answered 401');
    expect(wrongToken).not.toContain('not-the-token');
    const wrongSecret = await toldBy(
      read({ sessionId, token }, { ...vendor.settings, api_secret: 'secret_test_x' }),
    );
    expect(wrongSecret).toContain('Berbix answered 401');
    expect(wrongSecret).not.toContain(String(token));
  });

  test.each(['POST /v0/tokens', 'GET /v0/transactions'])(
    'fails when Berbix hangs up on %s',
    async (asked) => {
      const session = await begin();
      vendor.answerWith((route) => (route === asked ? 'hang up' : undefined));
      expect(await toldBy(read(session))).not.toContain(String(session.token));
    },
  );
});
