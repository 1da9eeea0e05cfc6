import { describe, expect, test } from '@jest/globals';
import { passbase } from '../../src/providers/passbase.ts';
import { CHALLENGE_ID, KEY } from '../fixtures/passbase/vectors.ts';
import { API_KEY, identity, withPassbaseAnswers } from '../support/passbase-answers.ts';

const api = withPassbaseAnswers();

describe('looking for the identity of a challenge', () => {
  const since = new Date('2026-01-01T10:00:00Z');
  const find = (challengeIds: string[] = [CHALLENGE_ID]) =>
    passbase.findSessions?.(new Set(challengeIds), since, api.settings, api.http);
  const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  /** Answers with these pages, and then with the last of them for ever. */
  const answerPages = (pages: { data: unknown; next?: unknown }[]) =>
    api.sink.answerWith((response, _, count) => {
      const { data, next } = pages[count - 1] ?? pages.at(-1) ?? { data: [] };
      response.end(JSON.stringify({ cursor: next === undefined ? {} : { next }, data }));
    });
  const queries = () => api.sink.received.map(({ path }) => path.slice('/verification/v2/identities'.length));

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
    expect(api.sink.received.every(({ headers }) => headers['x-api-key'] === API_KEY)).toBe(true);
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
    expect(api.sink.received).toHaveLength(2);
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
    api.sink.answerWith((response, _, count) =>
      response.end(JSON.stringify({ cursor: { next: `page${count}` }, data: [] })),
    );
    expect(await find()).toEqual([]);
    expect(api.sink.received).toHaveLength(50);
    api.sink.received.length = 0;
    answerPages([{ data: [], next: 'same' }]);
    expect(await find()).toEqual([]);
    expect(api.sink.received).toHaveLength(2);
  });

  test.each<[string, unknown, number?]>([
    ['has no identities', { cursor: {} }],
    ['is a list', []],
    ['is no JSON', 'no'],
    ['is not found', {}, 404],
    ['knows no such key', {}, 401],
    ['is an error', { data: [] }, 503],
  ])('fails when the answer %s', async (_, json, status = 200) => {
    api.answer(json, status);
    await expect(find()).rejects.toMatchObject({ code: 'unavailable' });
    expect(api.sink.received).toHaveLength(1);
  });
});
