import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { judge } from '../../src/deliveries/schedule.ts';
import type { Course, Outcome } from '../../src/deliveries/schedule.ts';

const NOW = new Date('2026-03-01T12:00:00.250Z');
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Nothing added, nothing taken away. */
const MIDDLE = 0.5;
const LEAST = 0;
const MOST = 1 - Number.EPSILON;
/** reference: the wait before attempts 2 to 10 */
const WAITS = [
  [1, 5 * SECOND],
  [2, 5 * MINUTE],
  [3, 30 * MINUTE],
  [4, 2 * HOUR],
  [5, 5 * HOUR],
  [6, 10 * HOUR],
  [7, 14 * HOUR],
  [8, 20 * HOUR],
  [9, 24 * HOUR],
] as const;

const course = (attempt: number, deferredMs = 0, lastErrorClass: string | null = null): Course => ({
  attempt,
  lastErrorClass,
  deferredMs,
  waitsMs: WAITS.map(([, wait]) => wait),
});

function waitAfter(attempt: number, outcome: Outcome, random: number = MIDDLE): number {
  const verdict = judge(course(attempt), outcome, NOW, random);
  if (verdict.next !== 'retry') throw new Error(`attempt ${attempt} ended as ${verdict.next}`);
  return verdict.waitMs;
}

describe('the waits', () => {
  test.each(WAITS)(
    'after failed attempt %i the next one waits %i ms, give or take a fifth',
    (attempt, wait) => {
      const failed = { statusCode: 500, errorClass: 'http_5xx' };
      expect(waitAfter(attempt, failed)).toBe(wait);
      expect(waitAfter(attempt, failed, LEAST)).toBe(wait * 0.8);
      expect(waitAfter(attempt, failed, MOST)).toBe(wait * 1.2);
    },
  );

  test('ten attempts take 75 hours, 35 minutes and 5 seconds; after the tenth it is dead', () => {
    const sum = WAITS.reduce((total, [attempt]) => total + waitAfter(attempt, { statusCode: 500 }), 0);
    expect(sum).toBe(75 * HOUR + 35 * MINUTE + 5 * SECOND);
    expect(judge(course(10), { statusCode: 500 }, NOW, MIDDLE)).toEqual({
      next: 'dead',
      reason: 'exhausted',
    });
    expect(judge(course(11), { errorClass: 'reset' }, NOW, MIDDLE)).toEqual({
      next: 'dead',
      reason: 'exhausted',
    });
  });

  test('no outcome and no chance leads beyond a fifth, unless the receiver asked for more', () => {
    const outcome = fc.constantFrom<Outcome>({ statusCode: 500 }, { statusCode: 404 }, { errorClass: 'dns' });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(...WAITS), outcome, random, ([attempt, wait], ending, chance) => {
        const waited = waitAfter(attempt, ending, chance);
        expect(waited).toBeGreaterThanOrEqual(wait * 0.8);
        expect(waited).toBeLessThanOrEqual(wait * 1.2);
      }),
    );
  });
});

describe('what an answer means', () => {
  test.each([200, 201, 202, 204, 299])('%i is delivered, on whichever attempt', (statusCode) => {
    expect(judge(course(1), { statusCode }, NOW, MIDDLE)).toEqual({ next: 'delivered' });
    expect(judge(course(10), { statusCode }, NOW, MIDDLE)).toEqual({ next: 'delivered' });
  });

  test.each([300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 409, 422, 425, 500, 502, 503, 504])(
    '%i is tried again on the schedule',
    (statusCode) => expect(waitAfter(2, { statusCode })).toBe(5 * MINUTE),
  );

  test.each(['dns', 'connect_refused', 'reset', 'tls', 'too_large'])(
    'the failure %s is tried again on the schedule',
    (errorClass) => expect(waitAfter(1, { errorClass })).toBe(5 * SECOND),
  );

  test('410 ends it at once', () => {
    expect(judge(course(1), { statusCode: 410 }, NOW, MIDDLE)).toEqual({ next: 'dead', reason: 'gone' });
  });

  test.each([
    [{ statusCode: 429 }],
    [{ errorClass: 'timeout' }],
    [{ errorClass: 'connect_timeout' }],
  ] satisfies [Outcome][])('%j waits at least a minute, and longer where the schedule says so', (outcome) => {
    expect(waitAfter(1, outcome, LEAST)).toBe(MINUTE);
    expect(waitAfter(1, outcome, MOST)).toBe(1.2 * MINUTE);
    expect(waitAfter(2, outcome)).toBe(5 * MINUTE);
  });

  test('a refused address is tried twice more at half an hour, then it is dead', () => {
    const outcome = { errorClass: 'ssrf_refused' };
    for (const attempt of [1, 2]) {
      expect(waitAfter(attempt, outcome)).toBe(30 * MINUTE);
      expect(waitAfter(attempt, outcome, LEAST)).toBe(24 * MINUTE);
      expect(waitAfter(attempt, outcome, MOST)).toBe(36 * MINUTE);
    }
    const third = course(3, 0, 'ssrf_refused');
    expect(judge(third, outcome, NOW, MIDDLE)).toEqual({ next: 'dead', reason: 'refused' });
  });

  test('one refusal after other failures is no reason to give up', () => {
    for (const attempt of [3, 9])
      expect(judge(course(attempt, 0, 'http_5xx'), { errorClass: 'ssrf_refused' }, NOW, MIDDLE).next).toBe(
        'retry',
      );
  });

  test.each(['internal', 'proxy'])(
    'the fault %s is ours: the attempt is not spent, on whichever attempt, for as long as the schedule lasts',
    (errorClass) => {
      const whole = 75 * HOUR + 35 * MINUTE + 5 * SECOND;
      for (const attempt of [1, 10]) {
        expect(judge(course(attempt, whole), { errorClass }, NOW, MIDDLE)).toEqual({
          next: 'defer',
          waitMs: MINUTE,
        });
        expect(judge(course(attempt, whole + 1), { errorClass }, NOW, MIDDLE)).toEqual({
          next: 'dead',
          reason: 'not_sent',
        });
      }
    },
  );
});

describe('what Slack says', () => {
  const refused = { statusCode: 200, errorClass: 'slack_refused', permanent: true };
  const busy = { statusCode: 429, errorClass: 'rate_limited', unspent: true };

  test('what it refuses is dead at once, although it answers 200', () => {
    expect(judge(course(1), refused, NOW, MIDDLE)).toEqual({ next: 'dead', reason: 'rejected' });
  });

  test('a 2xx with an error is not delivered', () => {
    expect(waitAfter(1, { statusCode: 200, errorClass: 'internal_error' })).toBe(5 * SECOND);
  });

  test('where nobody had to be asked, it is delivered', () => {
    expect(judge(course(1), {}, NOW, MIDDLE)).toEqual({ next: 'delivered' });
  });

  test.each([
    ['2', 2 * SECOND],
    ['600', 10 * MINUTE],
    [undefined, 30 * SECOND],
  ])(
    'busy with Retry-After %s: the attempt is not spent, and waits that long and at most a fifth more',
    (retryAfter, waitMs) => {
      for (const attempt of [1, 10]) {
        const least = judge(course(attempt), { ...busy, retryAfter }, NOW, LEAST);
        expect(least).toEqual({ next: 'defer', waitMs });
        const most = judge(course(attempt), { ...busy, retryAfter }, NOW, MOST);
        expect(most).toEqual({ next: 'defer', waitMs: 1.2 * waitMs });
      }
    },
  );

  test('busy for longer than the whole schedule is dead', () => {
    const whole = 75 * HOUR + 35 * MINUTE + 5 * SECOND;
    expect(judge(course(1, whole + 1), busy, NOW, MIDDLE)).toEqual({ next: 'dead', reason: 'not_sent' });
  });

  test.each(['timeout', 'connect_timeout'])(
    '%s keeps nobody waiting longer than the schedule says',
    (errorClass) => {
      expect(waitAfter(1, { errorClass, urgent: true })).toBe(5 * SECOND);
    },
  );
});

describe('Retry-After', () => {
  const asked = (retryAfter: string, statusCode = 503) => ({ statusCode, retryAfter });

  test.each([429, 503])('with %i, seconds are a lower bound that chance only raises', (statusCode) => {
    expect(waitAfter(1, asked('120', statusCode), LEAST)).toBe(2 * MINUTE);
    expect(waitAfter(1, asked(' 120 ', statusCode), MOST)).toBe(2.4 * MINUTE);
  });

  test('an HTTP date is one too', () => {
    const at = new Date(NOW.getTime() + 10 * MINUTE).toUTCString();
    expect(waitAfter(1, asked(at), LEAST)).toBe(Date.parse(at) - NOW.getTime());
  });

  test.each([
    ['few seconds', '1'],
    ['zero', '0'],
    ['a date gone by', 'Sun, 01 Mar 2026 11:00:00 GMT'],
    ['words', 'soon'],
    ['nothing', ''],
    ['a negative number', '-30'],
  ])('%s never shorten the schedule', (_, retryAfter) => {
    for (const random of [LEAST, MIDDLE, MOST]) {
      expect(waitAfter(2, asked(retryAfter), random)).toBe(waitAfter(2, { statusCode: 503 }, random));
    }
    expect(waitAfter(1, asked(retryAfter, 429), LEAST)).toBe(MINUTE);
  });

  test.each([String(7 * 24 * 3_600), '9'.repeat(40), 'Fri, 31 Dec 2100 00:00:00 GMT'])(
    '%s counts as six hours',
    (retryAfter) => {
      expect(waitAfter(1, asked(retryAfter), LEAST)).toBe(6 * HOUR);
      expect(waitAfter(1, asked(retryAfter), MOST)).toBe(7.2 * HOUR);
      expect(waitAfter(9, asked(retryAfter))).toBe(24 * HOUR);
    },
  );

  test.each([500, 302, 404])('is not heard with %i', (statusCode) => {
    expect(waitAfter(1, asked('3600', statusCode))).toBe(5 * SECOND);
  });
});
