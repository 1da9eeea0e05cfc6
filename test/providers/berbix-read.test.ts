import { describe, expect, test } from '@jest/globals';
import { sortableTime } from '../../src/providers/json.ts';
import {
  CHALLENGE_ID,
  finished,
  progress,
  statusChanged,
  TRANSACTION_ID,
} from '../fixtures/berbix/vectors.ts';
import { change, finish, legacy, readText, step } from '../support/berbix-bodies.ts';

const UNKNOWN = {
  kind: 'unknown',
  eventKey: expect.stringMatching(/^body:[0-9a-f]{64}$/),
  sessionId: undefined,
  report: undefined,
};

describe('the three kinds are told apart by their fields', () => {
  test('finished: an action without an id', () => {
    expect(readText(finished.body.toString())).toEqual({
      kind: 'finished',
      eventKey: expect.stringMatching(/^finished:[0-9a-f]{64}$/),
      sessionId: TRANSACTION_ID,
      report: {
        decision: { to: 'verified' },
        word: 'accept',
        reasonCode: null,
        decidedAt: '1',
        challengeId: CHALLENGE_ID,
      },
    });
  });

  test('status changed: an action with an id', () => {
    expect(readText(statusChanged.body.toString())).toEqual({
      kind: 'status_changed',
      eventKey: expect.stringMatching(/^status_changed:[0-9a-f]{64}$/),
      sessionId: TRANSACTION_ID,
      report: {
        decision: { to: 'failed', reason: 'declined' },
        word: 'reject',
        reasonCode: null,
        decidedAt: '2',
        challengeId: CHALLENGE_ID,
      },
    });
  });

  test('progress: type, message and time', () => {
    expect(readText(progress.body.toString())).toEqual({
      kind: 'progress',
      eventKey: expect.stringMatching(/^progress:[0-9a-f]{64}$/),
      sessionId: TRANSACTION_ID,
      report: {
        decision: undefined,
        word: 'SESSION_STARTED',
        reasonCode: null,
        decidedAt: undefined,
        challengeId: CHALLENGE_ID,
        progress: { type: 'event', message: 'SESSION_STARTED', at: '2026-01-01T10:00:00.123456789Z' },
      },
    });
  });

  test('finished without its deprecated fields is finished all the same', () => {
    expect(finish({ user_id: undefined, code: undefined }).kind).toBe('finished');
    expect(finish({ id: null }).kind).toBe('finished');
  });

  test('status changed with the deprecated fields is status changed all the same', () => {
    expect(change(legacy).kind).toBe('status_changed');
  });

  test('fields that nobody knows yet change nothing', () => {
    const more = { new_field: { deep: [1] }, version: 2 };
    expect(finish(more)).toEqual(finish());
    expect(change(more)).toEqual(change());
    expect(step(more)).toEqual(step());
  });

  test.each<[string, string]>([
    [
      'the sample that is printed in the documentation: a leading zero is no JSON',
      '{"id": 012346547912823, "transaction_id": 123456789012, "action": "reject"}',
    ],
    ['a comment', '{"transaction_id":1,"action":"accept" // accepted\n}'],
    ['a key twice, with different values', '{"transaction_id":1,"action":"reject","action":"accept"}'],
    ['an id twice, with different values', '{"id":1,"id":2,"transaction_id":1,"action":"accept"}'],
    ['an action that is no text', '{"transaction_id":1,"action":{"to":"accept"}}'],
    ['an id that is no id', '{"id":{"$gt":0},"transaction_id":1,"action":"accept"}'],
    ['an id in words', '{"id":"one","transaction_id":1,"action":"accept"}'],
    ['a fraction for an id', '{"id":1.5,"transaction_id":1,"action":"accept"}'],
    [
      'progress and decision at once',
      '{"transaction_id":1,"type":"event","message":"X","created_at":"2026-01-01T10:00:00Z","action":"accept"}',
    ],
    [
      'progress of no known type',
      '{"transaction_id":1,"type":"warning","message":"X","created_at":"2026-01-01T10:00:00Z"}',
    ],
    ['progress without a time', '{"transaction_id":1,"type":"event","message":"SESSION_STARTED"}'],
    ['progress without a message', '{"transaction_id":1,"type":"event","created_at":"2026-01-01T10:00:00Z"}'],
    ['no action', '{"transaction_id":1,"customer_uid":"x"}'],
    ['a list', '[{"transaction_id":1,"action":"accept"}]'],
    ['null', 'null'],
    ['half of it', '{"transaction_id":1,"action":"accept"'],
    ['two of them', '{"transaction_id":1,"action":"accept"}\n{"transaction_id":2,"action":"accept"}'],
    ['nothing', ''],
    ['any text', '\0\ufffd\u2028'],
  ])('not known: %s', (_, text) => {
    expect(readText(text)).toEqual(UNKNOWN);
  });

  test('a key twice with the same value is the same as once', () => {
    const text = finished.body.toString().replace('{', '{"action":"accept",');
    expect(readText(text)).toMatchObject({ kind: 'finished', report: { word: 'accept' } });
  });
});

describe('an action', () => {
  test.each([
    ['accept', { to: 'verified' }],
    ['reject', { to: 'failed', reason: 'declined' }],
    ['review', undefined],
    ['escalate-to-fraud-team', undefined],
    ['test-action', undefined],
    ['Accept', undefined],
    ['accept ', undefined],
    ['toString', undefined],
    ['__proto__', undefined],
  ])('%s concludes %p', (action, concluded) => {
    for (const webhook of [finish({ action }), change({ action })]) {
      expect(webhook.report).toMatchObject({ word: action, decision: concluded });
    }
  });

  test('of a changed status comes after that of the finish', () => {
    const first = finish().report?.decidedAt ?? '';
    const then = change().report?.decidedAt ?? '';
    expect([then, first].sort()).toEqual([first, then]);
  });

  test.each(['', 'accept\0', '\ud800', 'é', 'x'.repeat(5_000)])(
    'that the database would not take, or nobody could read, concludes nothing: %j',
    (action) => {
      expect(finish({ action })).toMatchObject({
        kind: 'finished',
        report: { word: 'unreadable', decision: undefined },
      });
    },
  );
});

describe('ids', () => {
  test.each(['9007199254740993', '9223372036854775807', '1152921504606846976', '18446744073709551615'])(
    'of 64 bits keep all their digits: %s',
    (id) => {
      const body = `{"id":${id},"transaction_id":${id},"action":"accept"}`;
      expect(readText(body)).toMatchObject({ kind: 'status_changed', sessionId: id });
      const neighbour = body.replace(`"id":${id}`, `"id":${BigInt(id) - 1n}`);
      expect(readText(neighbour).eventKey).not.toBe(readText(body).eventKey);
    },
  );

  test('may be written as text', () => {
    expect(finish({ transaction_id: TRANSACTION_ID })).toEqual(finish());
    expect(change({ id: '98765' })).toEqual(change());
  });

  test.each([null, undefined, '', 'x', '12\0', '-5', -5, 1.5, 1e30, true, [1], { id: 1 }, '1'.repeat(21)])(
    'of a transaction that are none name no session: %p',
    (transaction_id) => {
      for (const webhook of [
        finish({ transaction_id }),
        change({ transaction_id }),
        step({ transaction_id }),
      ]) {
        expect(webhook.sessionId).toBeUndefined();
        expect(webhook.kind).not.toBe('unknown');
      }
    },
  );
});

describe('our challenge id', () => {
  test.each([
    [undefined, null],
    [null, null],
    ['', null],
    [CHALLENGE_ID, CHALLENGE_ID],
    ['somebody-else', 'somebody-else'],
    ['ü\0', 'ü\0'],
    [7, 'unreadable'],
    [{ uid: CHALLENGE_ID }, 'unreadable'],
  ])('%j is read as %j: what is not ours never reads as none', (customer_uid, expected) => {
    for (const webhook of [finish({ customer_uid }), change({ customer_uid }), step({ customer_uid })]) {
      expect(webhook.report?.challengeId).toBe(expected);
    }
  });
});

describe('progress', () => {
  test('has its words as Berbix wrote them, errors too', () => {
    expect(step({ type: 'error', message: 'text_unreadable' }).report?.progress).toEqual({
      type: 'error',
      message: 'text_unreadable',
      at: '2026-01-01T10:00:00.123456789Z',
    });
  });

  test('never decides, whatever it says', () => {
    expect(step({ message: 'accept' }).report).toMatchObject({ decision: undefined, decidedAt: undefined });
  });

  test.each(['yesterday', '', '2026-13-45T10:00:00Z', 1767261600, {}])(
    'at no time, %j, has none',
    (created_at) => {
      expect(step({ created_at }).report?.progress?.at).toBeNull();
    },
  );

  test('has a time that sorts to the nanosecond', () => {
    const at = (digits: string) =>
      sortableTime(step({ created_at: `2026-01-01T10:00:00.${digits}Z` }).report?.progress?.at) ?? '';
    expect(at('123456788') < at('123456789')).toBe(true);
    expect(at('9') > at('123456789')).toBe(true);
  });

  test.each(['\0', 'é', 'x'.repeat(201), ''])('with a message nobody could read is kept: %j', (message) => {
    expect(step({ message }).report).toMatchObject({
      word: 'unreadable',
      progress: { message: 'unreadable' },
    });
  });
});
