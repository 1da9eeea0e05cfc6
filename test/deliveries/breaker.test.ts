import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { afterAttempt, enabled, stateOf } from '../../src/deliveries/breaker.ts';
import type { Health, Turn } from '../../src/deliveries/breaker.ts';
import type { Outcome } from '../../src/deliveries/schedule.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = new Date('2026-03-01T12:00:00Z').getTime();
const at = (ms: number) => new Date(START + ms);

const HEALTHY: Health = {
  ...{ window_started_at: null, window_attempts: 0, window_failures: 0 },
  ...{ consecutive_failures: 0, consecutive_unreachable: 0, failing_since: null, last_success_at: null },
  ...{ open_until: null, opened_times: 0, probe_successes: 0, paused_until: null, announced_percent: 0 },
  ...{ disabled_at: null, disabled_reason: null },
};
const OK: Outcome = { statusCode: 200 };
const FAILED: Outcome = { statusCode: 500, errorClass: 'http_5xx' };
const UNREACHABLE: Outcome = { errorClass: 'connect_refused' };
const NO_SIGNS: Outcome[] = [
  ...[{ errorClass: 'internal' }, { errorClass: 'proxy' }, { errorClass: 'ssrf_refused' }],
  { statusCode: 410, errorClass: 'http_4xx' },
  { statusCode: 200, errorClass: 'slack_refused', permanent: true },
  // nobody was asked
  {},
];

type Story = { health: Health; turns: Turn[] };
/** One outcome after the other, a second apart; with all that turned. */
function play(outcomes: readonly Outcome[], from: Health = HEALTHY, startMs = 0, everyMs = SECOND): Story {
  const story: Story = { health: from, turns: [] };
  outcomes.forEach((outcome, index) => {
    const { health, turns } = afterAttempt(story.health, outcome, at(startMs + index * everyMs));
    story.health = health;
    story.turns.push(...turns);
  });
  return story;
}
const times = (count: number, outcome: Outcome) => Array.from({ length: count }, () => outcome);
const opened = ({ turns }: Story) => turns.filter(({ turn }) => turn === 'opened').length;
const OPEN = play(times(5, UNREACHABLE)).health;
/** When OPEN, opened at 4 s for 30 s, lets a probe through. */
const PROBE_MS = 34 * SECOND;

const anyOutcome = fc.constantFrom<Outcome>(OK, FAILED, UNREACHABLE, { errorClass: 'timeout' }, ...NO_SIGNS, {
  statusCode: 429,
  retryAfter: '20',
});
const anySteps = fc.array(fc.tuple(anyOutcome, fc.integer({ min: 0, max: 10 * MINUTE })), { maxLength: 80 });

/** Every step of a random story: before, after, what happened and when. */
function* walk(steps: readonly (readonly [Outcome, number])[]) {
  let [health, now] = [HEALTHY, 0];
  for (const [outcome, gap] of steps) {
    now += gap;
    const after = afterAttempt(health, outcome, at(now));
    yield { before: health, after: after.health, turns: after.turns, outcome, now: at(now) };
    health = after.health;
  }
}

describe('an endpoint that answers', () => {
  test('is healthy, whatever it has answered before', () => {
    const { health, turns } = play([FAILED, FAILED, OK]);
    expect(stateOf(health, at(3 * SECOND))).toBe('healthy');
    expect(health).toMatchObject({
      consecutive_failures: 0,
      failing_since: null,
      last_success_at: at(2_000),
    });
    expect(turns).toEqual([]);
  });

  test('is failing from its first failure on, until it answers', () => {
    const { health } = play([OK, FAILED, FAILED]);
    expect(stateOf(health, at(3 * SECOND))).toBe('failing');
    expect(health).toMatchObject({ failing_since: at(1_000), consecutive_failures: 2 });
  });
});

describe('the breaker opens', () => {
  test.each(['dns', 'connect_refused', 'connect_timeout', 'tls', 'timeout'])(
    'at the fifth time in a row that it cannot be reached: %s',
    (errorClass) => {
      expect(opened(play(times(4, { errorClass })))).toBe(0);
      const fifth = play(times(5, { errorClass }));
      expect(opened(fifth)).toBe(1);
      expect(stateOf(fifth.health, at(5 * SECOND))).toBe('open');
      expect(fifth.health.open_until).toEqual(at(34 * SECOND));
    },
  );

  test('not when an answer, even a bad one, came in between', () => {
    expect(opened(play([...times(4, UNREACHABLE), FAILED, ...times(4, UNREACHABLE)]))).toBe(0);
  });

  test('at the tenth attempt in five minutes, if seven have failed', () => {
    const mixed = [...times(3, OK), ...times(6, FAILED)];
    expect(opened(play(mixed))).toBe(0);
    expect(opened(play([...mixed, FAILED]))).toBe(1);
  });

  test('not with six failures of ten, nor with nine attempts that all failed', () => {
    expect(opened(play([...times(4, OK), ...times(6, FAILED)]))).toBe(0);
    expect(opened(play(times(9, FAILED)))).toBe(0);
  });

  test('not by failures of more than five minutes', () => {
    expect(opened(play(times(9, FAILED), HEALTHY, 0, 40 * SECOND))).toBe(0);
    const first = play(times(9, FAILED)).health;
    expect(opened(play([FAILED], first, 6 * MINUTE))).toBe(0);
  });

  test.each(NO_SIGNS)('never by what says nothing about the receiver: %o', (outcome) => {
    expect(play(times(50, outcome))).toEqual({ health: HEALTHY, turns: [] });
    const failing = play(times(4, UNREACHABLE)).health;
    expect(play(times(50, outcome), failing, 5 * SECOND)).toEqual({ health: failing, turns: [] });
  });
});

describe('while it is open', () => {
  test('what ends says nothing: neither closed by a success nor opened for longer by a failure', () => {
    for (const outcome of [OK, FAILED, UNREACHABLE, { errorClass: 'timeout' }]) {
      const { health, turns } = play(times(20, outcome), OPEN, 5 * SECOND);
      expect(turns).toEqual([]);
      expect(health).toMatchObject({ open_until: OPEN.open_until, opened_times: 1, probe_successes: 0 });
    }
  });

  test('it lets a probe through when its time has come, and no sooner', () => {
    expect(stateOf(OPEN, at(PROBE_MS - 1))).toBe('open');
    expect(stateOf(OPEN, at(PROBE_MS))).toBe('half_open');
  });

  test('one success is not enough to close it; two are', () => {
    const one = play([OK], OPEN, PROBE_MS);
    expect(one.turns).toEqual([{ turn: 'half_open' }]);
    expect(stateOf(one.health, at(PROBE_MS + SECOND))).toBe('half_open');
    const two = play([OK], one.health, PROBE_MS + SECOND);
    expect(two.turns).toEqual([{ turn: 'closed' }, { turn: 'recovered' }]);
    expect(two.health).toEqual({ ...HEALTHY, last_success_at: at(PROBE_MS + SECOND) });
  });

  test('a failed probe, the first or the second, opens it again', () => {
    expect(opened(play([FAILED], OPEN, PROBE_MS))).toBe(1);
    const second = play([OK, FAILED], OPEN, PROBE_MS);
    expect(opened(second)).toBe(1);
    expect(second.health).toMatchObject({ opened_times: 2, probe_successes: 0 });
  });

  test('a probe that never reached the receiver is no probe', () => {
    for (const outcome of NO_SIGNS) expect(play([outcome], OPEN, PROBE_MS).health).toEqual(OPEN);
  });

  test('it stays open twice as long every time: 30 s, 1, 2, 4, 8 and then 15 minutes', () => {
    let [health, now] = [OPEN, 4 * SECOND];
    const stays = [health.open_until!.getTime() - at(now).getTime()];
    for (let n = 0; n < 40; n += 1) {
      now = health.open_until!.getTime() - START;
      health = afterAttempt(health, FAILED, at(now)).health;
      stays.push(health.open_until!.getTime() - at(now).getTime());
    }
    expect(stays.slice(0, 6)).toEqual([30, 60, 120, 240, 480, 900].map((seconds) => seconds * SECOND));
    expect(new Set(stays.slice(5))).toEqual(new Set([15 * MINUTE]));
  });

  test('closed and opened anew, it starts again with 30 s', () => {
    const again = play([FAILED], OPEN, PROBE_MS).health;
    const closed = play([OK, OK], again, 10 * MINUTE).health;
    const { health } = play(times(5, UNREACHABLE), closed, 11 * MINUTE);
    expect(health).toMatchObject({ opened_times: 1, open_until: at(11 * MINUTE + PROBE_MS) });
  });
});

describe('a receiver that asks for a pause', () => {
  const asked = (retryAfter: string, statusCode = 503): Outcome => ({ statusCode, retryAfter });

  test.each([429, 503])('gets it after %i, in seconds or until a date', (statusCode) => {
    const { health } = play([asked('120', statusCode)]);
    expect(health.paused_until).toEqual(at(2 * MINUTE));
    expect(stateOf(health, at(2 * MINUTE - 1))).toBe('paused');
    expect(stateOf(health, at(2 * MINUTE))).toBe('failing');
    const date = play([asked(at(5 * MINUTE).toUTCString(), statusCode)]).health;
    expect(date.paused_until).toEqual(at(5 * MINUTE));
  });

  test('gets at most a quarter of an hour, and nothing for other answers', () => {
    expect(play([asked('86400')]).health.paused_until).toEqual(at(15 * MINUTE));
    for (const status of [200, 302, 400, 500])
      expect(play([asked('60', status)]).health.paused_until).toBeNull();
  });

  test('is not asked sooner because another answer names a shorter time', () => {
    expect(play([asked('600'), asked('1')]).health.paused_until).toEqual(at(10 * MINUTE));
  });
});

describe('an endpoint that fails for days', () => {
  /** A failure every six hours. */
  const failFor = (ms: number) => play(times(Math.floor(ms / (6 * HOUR)) + 1, FAILED), HEALTHY, 0, 6 * HOUR);
  const news = ({ turns }: Story) => turns.filter(({ turn }) => turn === 'failing' || turn === 'disabled');

  test('is announced at 50, 70 and 90 percent of five days, once each, and then disabled', () => {
    expect(news(failFor(2.25 * DAY))).toEqual([]);
    expect(news(failFor(3 * DAY))).toEqual([{ turn: 'failing', percent: 50 }]);
    expect(news(failFor(4.75 * DAY)).map((turn) => 'percent' in turn && turn.percent)).toEqual([50, 70, 90]);
    const { health, turns } = failFor(5 * DAY);
    expect(turns.at(-1)).toEqual({ turn: 'disabled' });
    expect(health).toMatchObject({
      disabled_at: at(5 * DAY),
      disabled_reason: 'failing',
      announced_percent: 100,
    });
    expect(stateOf(health, at(6 * DAY))).toBe('disabled');
  });

  test('is announced at the highest step alone when it skipped the others', () => {
    const { turns } = play([FAILED, FAILED], HEALTHY, 0, 4.6 * DAY);
    expect(turns).toEqual([{ turn: 'failing', percent: 90 }]);
  });

  test('is not disabled with fewer than ten failures, however long ago the first was', () => {
    const nine = play(times(9, FAILED), HEALTHY, 0, 2 * DAY);
    expect(nine.health.disabled_at).toBeNull();
    expect(play([FAILED], nine.health, 20 * DAY).health.disabled_reason).toBe('failing');
  });

  test('starts from the beginning after a success, which is news when the failing was', () => {
    const { health, turns } = play([OK], failFor(3 * DAY).health, 3 * DAY + HOUR);
    expect(turns.at(-1)).toEqual({ turn: 'recovered' });
    expect(health).toMatchObject({ failing_since: null, announced_percent: 0, disabled_at: null });
  });

  test('is as new when somebody has enabled it', () => {
    const { health } = failFor(5 * DAY);
    expect(enabled(health)).toEqual({ ...HEALTHY, last_success_at: health.last_success_at });
    expect(stateOf(enabled(health), at(5 * DAY))).toBe('healthy');
    expect(opened(play([FAILED], enabled(health), 5 * DAY + HOUR))).toBe(0);
  });
});

describe('in whatever order things happen', () => {
  test('it opens only for a reason, for 30 s to 15 minutes, and never while it is open', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        for (const { before, after, turns, now } of walk(steps)) {
          if (!turns.some(({ turn }) => turn === 'opened')) continue;
          expect(stateOf(before, now)).not.toBe('open');
          const probing = before.open_until !== null;
          const unreachable = after.consecutive_unreachable >= 5;
          const bad = after.window_attempts >= 10 && after.window_failures / after.window_attempts >= 0.7;
          expect(probing || unreachable || bad).toBe(true);
          const stay = after.open_until!.getTime() - now.getTime();
          expect(stay).toBeGreaterThanOrEqual(30 * SECOND);
          expect(stay).toBeLessThanOrEqual(15 * MINUTE);
        }
      }),
    );
  });

  test('what says nothing changes nothing, and an open breaker stays as it is', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        for (const { before, after, turns, outcome, now } of walk(steps)) {
          const isOpen = before.open_until !== null && before.open_until > now;
          if (NO_SIGNS.includes(outcome)) expect(after).toBe(before);
          if (!isOpen) continue;
          expect(after.open_until).toEqual(before.open_until);
          expect(turns.filter(({ turn }) => turn !== 'failing' && turn !== 'disabled')).toEqual([]);
        }
      }),
    );
  });

  test('after two successes in a row while it may be asked, it is closed and nothing is held against it', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const last = [...walk(steps)].at(-1);
        if (!last || last.after.disabled_at) return;
        const later = new Date(last.now.getTime() + 16 * MINUTE);
        const one = afterAttempt(last.after, OK, later).health;
        const two = afterAttempt(one, OK, later).health;
        expect(two).toMatchObject({ open_until: null, consecutive_failures: 0, failing_since: null });
        expect(['healthy', 'paused']).toContain(stateOf(two, later));
      }),
    );
  });

  test('it is disabled only after five days and ten failures without a success', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyOutcome, fc.integer({ min: 0, max: DAY }))), (steps) => {
        for (const { after, turns, now } of walk(steps)) {
          if (!turns.some(({ turn }) => turn === 'disabled')) continue;
          expect(after.consecutive_failures).toBeGreaterThanOrEqual(10);
          expect(now.getTime() - after.failing_since!.getTime()).toBeGreaterThanOrEqual(5 * DAY);
          break;
        }
      }),
    );
  });
});

test('who only asks to be left alone for a moment is well, however often', () => {
  const limited: Outcome = { statusCode: 429, errorClass: 'rate_limited', retryAfter: '1', unspent: true };
  const { health, turns } = play(times(50, limited));
  expect(turns).toEqual([]);
  expect(health).toEqual({ ...HEALTHY, paused_until: at(50 * SECOND) });
});
