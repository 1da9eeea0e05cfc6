import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { passbase } from '../../src/providers/passbase.ts';
import { CHALLENGE_ID, KEY } from '../fixtures/passbase/vectors.ts';
import { startSink } from '../support/sink.ts';

const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
const http = { outbound, reach: { http: true, loopback: true } };
const API_KEY = 'sk_of_the_project';

let sink: Awaited<ReturnType<typeof startSink>>;
let settings: Record<string, string>;
beforeAll(async () => {
  sink = await startSink();
  settings = { api_key: API_KEY, base_url: `${new URL(sink.url).origin}/verification/v2` };
});
beforeEach(() => {
  sink.received.length = 0;
});
afterAll(async () => {
  await outbound.close();
  await sink.close();
});

const identity = (fields: object = {}) => ({
  ...{ id: KEY, status: 'approved', score: 0.97, created: 1767261600, updated: 1767265200 },
  owner: { first_name: 'ADA', last_name: 'EXAMPLE', email: 'ada@example.com' },
  resources: [{ type: 'PASSPORT', datapoints: { document_number: 'X1' } }],
  metadata: { challenge_id: CHALLENGE_ID },
  watchlist: { clean: true, listings: {}, media: [], sources: [], types: [] },
  ...fields,
});

/** Lets Passbase answer this to everything. */
function answer(json: unknown, status = 200, headers: object = {}): void {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  sink.answerWith((response) => response.writeHead(status, { ...headers }).end(text));
}

const fetchReport = (sessionId = KEY, how: Record<string, string> = settings) =>
  passbase.fetchReport({ sessionId, token: undefined }, how, http);
const reported = async (fields: object) => {
  answer(identity(fields));
  return fetchReport();
};

describe('asking for an identity', () => {
  test('tells status, time, challenge and whether the watchlist is clean, and nothing personal', async () => {
    answer(identity());
    expect(await fetchReport()).toEqual({
      decision: { to: 'verified' },
      word: 'approved',
      reasonCode: null,
      decidedAt: '001767265200.000000000',
      challengeId: CHALLENGE_ID,
      signals: [{ kind: 'watchlist', at: '2026-01-01T11:00:00.000Z', facts: { clean: true } }],
    });
    expect(sink.received).toHaveLength(1);
    expect(sink.received[0]).toMatchObject({
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
    answer(identity());
    for (const key of ['', '../settings', `${KEY}/resources`, `${KEY}?x`, '..']) {
      expect(await fetchReport(key)).toBeUndefined();
    }
    expect(sink.received).toHaveLength(0);
  });

  test('an address that ends in a slash is the same', async () => {
    answer(identity());
    await fetchReport(KEY, { ...settings, base_url: `${settings.base_url}//` });
    expect(sink.received[0]?.path).toBe(`/verification/v2/identities/${KEY}`);
  });

  test('what was not handed in has no report: the person may have opened the link once more', async () => {
    expect(await reported({ status: 'created' })).toBeUndefined();
  });

  test('an unknown key has no report', async () => {
    answer({ message: 'not found' }, 404);
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
    answer(json, status, { location: settings.base_url });
    const failure: unknown = await fetchReport().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^Passbase answered/),
    });
    expect(String(failure)).not.toContain(API_KEY);
    expect(sink.received).toHaveLength(1);
  });

  test('fails when Passbase hangs up', async () => {
    sink.answerWith((response) => response.destroy());
    const failure: unknown = await fetchReport().catch((error: unknown) => error);
    expect(failure).toMatchObject({ name: 'OutboundError' });
    expect(JSON.stringify(failure) + String(failure)).not.toContain(API_KEY);
  });

  test('stays within what the mode may reach', async () => {
    const live = { outbound, reach: { http: false, loopback: false } };
    await expect(passbase.fetchReport({ sessionId: KEY, token: undefined }, settings, live)).rejects.toThrow(
      'Use https://',
    );
    expect(sink.received).toHaveLength(0);
  });
});

describe('looking for the identity of a challenge', () => {
  const since = new Date('2026-01-01T10:00:00Z');
  const find = (challengeIds: string[] = [CHALLENGE_ID]) =>
    passbase.findSessions?.(new Set(challengeIds), since, settings, http);
  const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  /** Answers with these pages, and then with the last of them for ever. */
  const answerPages = (pages: { data: unknown; next?: unknown }[]) =>
    sink.answerWith((response, _, count) => {
      const { data, next } = pages[count - 1] ?? pages.at(-1) ?? { data: [] };
      response.end(JSON.stringify({ cursor: next === undefined ? {} : { next }, data }));
    });
  const queries = () => sink.received.map(({ path }) => path.slice('/verification/v2/identities'.length));

  test('goes from page to page, with each cursor as an address takes it', async () => {
    answerPages([
      { data: [identity({ id: idOf(1), metadata: null })], next: 'aWQ6NDA3MQ==' },
      { data: [identity({ id: idOf(2), metadata: { challenge_id: KEY } })], next: 'aWQ6MzA%3D' },
      { data: [], next: 'a+b/c&d' },
      { data: [identity({ id: idOf(3) })] },
    ]);
    expect(await find()).toEqual([
      {
        sessionId: idOf(3),
        report: expect.objectContaining({ challengeId: CHALLENGE_ID, word: 'approved' }),
      },
    ]);
    expect(queries()).toEqual([
      '?limit=100',
      '?limit=100&cursor=aWQ6NDA3MQ%3D%3D',
      '?limit=100&cursor=aWQ6MzA%3D',
      '?limit=100&cursor=a%2Bb%2Fc%26d',
    ]);
    expect(sink.received.every(({ headers }) => headers['x-api-key'] === API_KEY)).toBe(true);
  });

  test('finds several challenges, and of one challenge first what was created first', async () => {
    const other = KEY.replace('5', '6');
    answerPages([
      {
        data: [
          identity({ id: idOf(1), created: 1767261600 }),
          identity({ id: idOf(2), created: 1767261500, metadata: { challenge_id: other } }),
        ],
        next: 'x',
      },
      {
        data: [
          identity({ id: idOf(3), created: 1767261400, status: 'declined' }),
          identity({ id: idOf(4), created: null }),
        ],
      },
    ]);
    const found = await find([CHALLENGE_ID, other]);
    expect(found?.map(({ sessionId }) => sessionId)).toEqual([idOf(3), idOf(2), idOf(1), idOf(4)]);
  });

  test('passes over what was not handed in', async () => {
    answerPages([
      {
        data: [
          identity({ id: idOf(1), created: 200 }),
          identity({ id: idOf(2), created: 100, status: 'created' }),
        ],
      },
    ]);
    expect((await find())?.map(({ sessionId }) => sessionId)).toEqual([idOf(1)]);
  });

  test('passes over what has no id', async () => {
    answerPages([{ data: [identity({ id: '../x' }), identity({ id: undefined }), null, 'x', []] }]);
    expect(await find()).toEqual([]);
  });

  test('ends when pages come newest first and the challenge is younger', async () => {
    const at = (time: string) => Date.parse(time) / 1_000;
    const page = (...times: string[]) => times.map((time) => identity({ created: at(time), metadata: null }));
    answerPages([
      { data: page('2026-01-01T10:30:00Z', '2026-01-01T09:30:00Z'), next: '1' },
      { data: page('2026-01-01T09:29:00Z', '2026-01-01T08:59:59Z'), next: '2' },
      { data: page('2026-01-01T08:00:00Z', '2026-01-01T07:00:00Z'), next: '3' },
    ]);
    expect(await find()).toEqual([]);
    expect(sink.received).toHaveLength(2);
  });

  test('goes on when pages come oldest first, or in no order', async () => {
    const page = (...times: (number | null)[]) =>
      times.map((created) => identity({ created, metadata: null }));
    answerPages([
      { data: page(1, 2), next: '1' },
      { data: page(5, 5), next: '2' },
      { data: page(5, 9, 4), next: '3' },
      { data: page(4), next: '4' },
      { data: page(4, null), next: '5' },
      { data: [identity({ id: idOf(9) })] },
    ]);
    expect((await find())?.map(({ sessionId }) => sessionId)).toEqual([idOf(9)]);
  });

  test('ends after fifty pages, and when a page names itself as the next', async () => {
    sink.answerWith((response, _, count) =>
      response.end(JSON.stringify({ cursor: { next: `page${count}` }, data: [] })),
    );
    expect(await find()).toEqual([]);
    expect(sink.received).toHaveLength(50);
    sink.received.length = 0;
    answerPages([{ data: [], next: 'same' }]);
    expect(await find()).toEqual([]);
    expect(sink.received).toHaveLength(2);
  });

  test.each<[string, unknown, number?]>([
    ['has no identities', { cursor: {} }],
    ['is a list', []],
    ['is no JSON', 'no'],
    ['is not found', {}, 404],
    ['knows no such key', {}, 401],
    ['is an error', { data: [] }, 503],
  ])('fails when the answer %s', async (_, json, status = 200) => {
    answer(json, status);
    await expect(find()).rejects.toMatchObject({ code: 'unavailable' });
    expect(sink.received).toHaveLength(1);
  });
});
