import { describe, expect, test } from '@jest/globals';
import type { Health } from '../../src/deliveries/breaker.ts';
import type { Claimed } from '../../src/deliveries/claim-store.ts';
import { conclude, concludeUnsent } from '../../src/deliveries/conclude.ts';
import type { Attempt } from '../../src/deliveries/send.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const TOKEN = 'ours';
const HEALTHY: Health = {
  ...{ window_started_at: null, window_attempts: 0, window_failures: 0 },
  ...{ consecutive_failures: 0, consecutive_unreachable: 0, failing_since: null, last_success_at: null },
  ...{ open_until: null, opened_times: 0, probe_successes: 0, paused_until: null, announced_percent: 0 },
  ...{ disabled_at: null, disabled_reason: null },
};
const ANSWER: Attempt = {
  ...{ duration_ms: 12, dns_ms: null, connect_ms: null, first_byte_ms: null, status_code: 200 },
  ...{ error_class: null, error_message: null, response_excerpt: 'ok', remote_address: '192.0.2.1' },
};
const answer = (status_code: number, more: Partial<Attempt> = {}): Attempt => ({
  ...ANSWER,
  ...{ status_code, error_class: `http_${Math.floor(status_code / 100)}xx`, ...more },
});
const fault = (error_class: string): Attempt => ({ ...ANSWER, status_code: null, error_class });

function end(attempt: Attempt, n = 1, lane = 0) {
  const claimed = { id: 'd', endpoint_id: 'e', url: 'https://example.com/a', attempt: n, lane, age_ms: 0 };
  const by = {
    token: TOKEN,
    health: HEALTHY,
    waitsMs: [1_000, 2_000, 3_000, 4_000],
    startedAt: NOW,
    now: NOW,
  };
  return conclude(claimed as Claimed, attempt, { ...by, random: 0.5 });
}

describe('what is written of an attempt', () => {
  test('a 2xx ends the delivery, and all that is known of it is kept', () => {
    const { result, gone, failing } = end(ANSWER);
    expect(result).toMatchObject({ delivery_id: 'd', token: TOKEN, status: 'delivered', wait_ms: null });
    expect(result.attempt).toMatchObject({ attempt: 1, started_at: NOW, response_excerpt: 'ok' });
    expect([gone, failing]).toEqual([undefined, false]);
  });

  test('what the schedule needs and the table does not have is left out', () => {
    const { result } = end(answer(503, { retryAfter: '60', rule: 'loopback' }));
    expect(Object.keys(result.attempt ?? {})).not.toEqual(expect.arrayContaining(['retryAfter']));
    expect(Object.keys(result.attempt ?? {})).not.toEqual(expect.arrayContaining(['rule']));
    expect(result.wait_ms).toBe(66_000);
  });

  test('after the third failed attempt it waits among the late ones, from whichever lane it came', () => {
    const lanes = [1, 2, 3, 4].map((n) => end(answer(500), n).result.lane);
    expect(lanes).toEqual([0, 0, 2, 2]);
    expect([1, 2, 3].map((n) => end(answer(500), n, 1).result.lane)).toEqual([1, 1, 2]);
  });

  test('the fourth failure is said, if there is a fifth attempt', () => {
    expect([3, 4, 5].map((n) => end(answer(500), n).failing)).toEqual([false, true, false]);
    expect(end(ANSWER, 4).failing).toBe(false);
  });

  test.each(['internal', 'proxy'])('%s spends no attempt and no lane', (error_class) => {
    const { result, health, turns } = end(fault(error_class), 3);
    expect(result).toMatchObject({ status: 'pending', attempts: 2, lane: 0 });
    expect(result.attempt).toMatchObject({ attempt: 3, error_class });
    expect([health, turns]).toEqual([HEALTHY, []]);
  });

  test('a refusal that came with a 200 ends it, and says nothing of the endpoint', () => {
    const { result, health, failing } = end({ ...ANSWER, error_class: 'slack_refused', permanent: true }, 4);
    expect(result).toMatchObject({ status: 'dead', dead_reason: 'rejected', attempts: 4, wait_ms: null });
    expect(result.attempt).toMatchObject({ status_code: 200, error_class: 'slack_refused' });
    expect(Object.keys(result.attempt ?? {})).not.toContain('permanent');
    expect([health, failing]).toEqual([HEALTHY, false]);
  });

  test('one that was too busy to look spends no attempt and no lane, and is left alone', () => {
    const busy = answer(429, { error_class: 'rate_limited', retryAfter: '7', unspent: true });
    const { result, health } = end(busy, 3);
    expect(result).toMatchObject({ status: 'pending', attempts: 2, lane: 0, deferred: true, wait_ms: 7_700 });
    expect(Object.keys(result.attempt ?? {})).not.toContain('unspent');
    expect(health.paused_until).toEqual(new Date(NOW.getTime() + 7_000));
  });

  test('where there was nothing to be done, it is delivered, and says nothing of the endpoint', () => {
    const { result, health } = end({
      ...ANSWER,
      status_code: null,
      response_excerpt: 'it shows this already',
    });
    expect(result).toMatchObject({ status: 'delivered', attempts: 1 });
    expect(result.attempt).toMatchObject({ status_code: null, response_excerpt: 'it shows this already' });
    expect(health).toEqual(HEALTHY);
  });

  test('410 ends it and names the URL', () => {
    const { result, gone } = end(answer(410));
    expect(result).toMatchObject({ status: 'dead', dead_reason: 'gone', attempts: 1 });
    expect(gone).toEqual({ endpoint_id: 'e', url: 'https://example.com/a' });
  });

  test('one that needs no request is dead with the attempts it had', () => {
    const result = concludeUnsent({ id: 'd', attempt: 2, lane: 0 } as Claimed, 'body_deleted', TOKEN);
    expect(result).toMatchObject({
      status: 'dead',
      dead_reason: 'body_deleted',
      attempts: 1,
      attempt: undefined,
    });
  });
});
