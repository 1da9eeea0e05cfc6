import { describe, expect, test } from '@jest/globals';
import { passbase } from '../../src/providers/passbase.ts';
import { CHALLENGE_ID, KEY } from '../fixtures/passbase/vectors.ts';
import { API_KEY, identity, withPassbaseAnswers } from '../support/passbase-answers.ts';

const api = withPassbaseAnswers();
const fetchReport = (sessionId = KEY, how: Record<string, string> = api.settings) =>
  passbase.fetchReport({ sessionId, token: undefined }, how, api.http);
const reported = async (fields: object) => {
  api.answer(identity(fields));
  return fetchReport();
};

describe('asking for an identity', () => {
  test('tells status, time, challenge and whether the watchlist is clean, and nothing personal', async () => {
    api.answer(identity());
    expect(await fetchReport()).toEqual({
      decision: { to: 'verified' },
      word: 'approved',
      reasonCode: null,
      decidedAt: '001767265200.000000000',
      challengeId: CHALLENGE_ID,
      runId: null,
      signals: [{ kind: 'watchlist', at: '2026-01-01T11:00:00.000Z', facts: { clean: true } }],
    });
    expect(api.sink.received).toHaveLength(1);
    expect(api.sink.received[0]).toMatchObject({
      method: 'GET',
      path: `/verification/v2/identities/${KEY}`,
      headers: { 'x-api-key': API_KEY },
    });
  });

  test.each([
    ['approved', { to: 'verified' }],
    ['declined', { to: 'failed', reason: 'declined' }],
    ['processing', undefined],
    ['pending', undefined],
    ['processed', undefined],
    ['verified', undefined],
    ['unverified', undefined],
    ['something_new', undefined],
    ['Approved', undefined],
    ['toString', undefined],
    ['__proto__', undefined],
  ])('the status %s means %p', async (status, decision) => {
    expect(await reported({ status })).toMatchObject({ word: status, decision });
  });

  test('what is approved is approved, though the watchlist is not clean', async () => {
    const watchlist = { clean: false, listings: { sanctions: [{ name: 'ADA' }] } };
    expect(await reported({ watchlist })).toMatchObject({
      decision: { to: 'verified' },
      signals: [{ kind: 'watchlist', facts: { clean: false } }],
    });
  });

  test.each([undefined, null, {}, [], { clean: 'yes' }, 'clean'])(
    'a watchlist that is %p says nothing',
    async (watchlist) => {
      expect(await reported({ watchlist })).not.toHaveProperty('signals');
    },
  );

  test.each([
    [{ challenge_id: CHALLENGE_ID }, CHALLENGE_ID],
    [JSON.stringify({ challenge_id: CHALLENGE_ID }), CHALLENGE_ID],
    [{ challenge_id: CHALLENGE_ID.toUpperCase() }, CHALLENGE_ID],
    [{ challenge_id: 'mine' }, null],
    [{ challenge_id: 7 }, null],
    [{ user: CHALLENGE_ID }, null],
    [CHALLENGE_ID, null],
    ['{"challenge_id":', null],
    [[{ challenge_id: CHALLENGE_ID }], null],
    [null, null],
    [undefined, null],
  ])('metadata %j names the challenge %p', async (metadata, challengeId) => {
    expect(await reported({ metadata })).toMatchObject({ challengeId });
  });

  test.each([
    [{ challenge_id: CHALLENGE_ID, run_id: KEY }, KEY],
    [JSON.stringify({ challenge_id: CHALLENGE_ID, run_id: KEY.toUpperCase() }), KEY],
    [{ challenge_id: CHALLENGE_ID, run_id: 'mine' }, null],
    [{ challenge_id: CHALLENGE_ID, run_id: [KEY] }, null],
    [{ challenge_id: CHALLENGE_ID }, null],
  ])('metadata %j names the run %p', async (metadata, runId) => {
    expect(await reported({ metadata })).toMatchObject({ challengeId: CHALLENGE_ID, runId });
  });

  test.each([
    [1767265200, '001767265200.000000000'],
    [1, '000000000001.000000000'],
    [0, undefined],
    [-1, undefined],
    [1767265200.5, undefined],
    [1767265200000, undefined],
    ['1767265200', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('the time %p sorts as %p', async (updated, decidedAt) => {
    expect(await reported({ updated })).toMatchObject({ decidedAt });
  });

  test('a word that the database would not take is not taken over', async () => {
    const report = await reported({
      status: 'approved\0',
      updated: {},
      metadata: { challenge_id: '\ud800' },
    });
    expect(report).toMatchObject({ word: 'unreadable', decision: undefined, challengeId: null });
  });

  test('a key that is none is not asked for', async () => {
    api.answer(identity());
    for (const key of ['', '../settings', `${KEY}/resources`, `${KEY}?x`, '..']) {
      expect(await fetchReport(key)).toBeUndefined();
    }
    expect(api.sink.received).toHaveLength(0);
  });

  test('an address that ends in a slash is the same', async () => {
    api.answer(identity());
    await fetchReport(KEY, { ...api.settings, base_url: `${api.settings.base_url}//` });
    expect(api.sink.received[0]?.path).toBe(`/verification/v2/identities/${KEY}`);
  });

  test('what was not handed in has no report: the person may have opened the link once more', async () => {
    expect(await reported({ status: 'created' })).toBeUndefined();
  });

  test('an unknown key has no report', async () => {
    api.answer({ message: 'not found' }, 404);
    expect(await fetchReport()).toBeUndefined();
  });

  test.each<[string, unknown, number?]>([
    ['is about another identity', identity({ id: CHALLENGE_ID })],
    ['is about no identity', identity({ id: undefined })],
    ['is a list', [identity()]],
    ['says everything twice', '{"id":"1","id":"2"}'],
    ['is no JSON', '<html>'],
    ['is empty', ''],
    ['is half', JSON.stringify(identity()).slice(0, -1)],
    ['is too long', identity({ resources: ['x'.repeat(1_100_000)] })],
    ['redirects', identity(), 302],
    ['knows no such key', { message: `${API_KEY} is unknown` }, 401],
    ['forbids it', 'no', 403],
    ['is too many requests', {}, 429],
    ['is an error', identity(), 500],
  ])('fails when the answer %s, so that it is asked again', async (_, json, status = 200) => {
    api.answer(json, status, { location: api.settings.base_url });
    const failure: unknown = await fetchReport().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^Passbase answered/),
    });
    expect(String(failure)).not.toContain(API_KEY);
    expect(api.sink.received).toHaveLength(1);
  });

  test('fails when Passbase hangs up', async () => {
    api.sink.answerWith((response) => response.destroy());
    const failure: unknown = await fetchReport().catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'OutboundError' });
    expect(JSON.stringify(failure) + String(failure)).not.toContain(API_KEY);
  });

  test('stays within what the mode may reach', async () => {
    const live = { outbound: api.http.outbound, reach: { http: false, loopback: false } };
    await expect(
      passbase.fetchReport({ sessionId: KEY, token: undefined }, api.settings, live),
    ).rejects.toThrow('Use https://');
    expect(api.sink.received).toHaveLength(0);
  });
});
