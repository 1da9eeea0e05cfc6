import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Ask, Claimed, EndpointRow } from '../../src/deliveries/claim-store.ts';
import { startRun } from '../../src/deliveries/run.ts';
import type { Finish, RunDeps, Written } from '../../src/deliveries/run-deps.ts';
import { newId } from '../../src/kernel/id.ts';
import { createLog } from '../../src/kernel/log.ts';
import { createMetrics } from '../../src/kernel/metrics.ts';

/** A lease of twenty seconds, less ten for the request itself. */
const LAST_BEGIN_MS = 10_000;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const NO_HEALTH = {
  ...{ window_started_at: null, window_attempts: 0, window_failures: 0, consecutive_failures: 0 },
  ...{ consecutive_unreachable: 0, failing_since: null, last_success_at: null, open_until: null },
  ...{ opened_times: 0, probe_successes: 0, paused_until: null, announced_percent: 0 },
  ...{ disabled_at: null, disabled_reason: null },
};

/** A run whose store is slow in the ways that a test asks for; deliveries are numbered from 0 to `due`. */
function runWith({
  due = Infinity,
  sendMs = 1_000,
  turnMs = 0,
  finish,
}: {
  due?: number;
  sendMs?: number;
  turnMs?: number;
  finish: RunDeps['finish'];
}) {
  const sent: { id: string; atMs: number }[] = [];
  const done = new Set<string>();
  let leasedAtMs = 0;
  const deps = {
    acquire: async ({ token }: { token: string }) => {
      leasedAtMs = performance.now();
      return { ...NO_HEALTH, id: 'e', lease_token: token, in_flight_cap: 10 } as EndpointRow;
    },
    claim: async ({ want, after }: Ask) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      const from = after[0].due_at === '-infinity' ? 0 : Number(after[0].id) + 1;
      const claimed = { lane: 0, due_at: 'x', attempt: 1, age_ms: 0, body: '{}', gone: false };
      const found: Claimed[] = [];
      for (let n = from; n < due && found.length < want; n += 1)
        if (!done.has(String(n))) found.push({ ...claimed, id: String(n) } as Claimed);
      return found;
    },
    read: async () => undefined,
    send: async (_: unknown, { id }: Claimed) => {
      sent.push({ id, atMs: performance.now() - leasedAtMs });
      await new Promise((resolve) => setTimeout(resolve, sendMs));
      return { status_code: 200, error_class: null };
    },
    finish: (item: Finish) => {
      const begunAtMs = performance.now();
      return finish(item).then((written) => {
        leasedAtMs = Math.max(leasedAtMs, begunAtMs);
        if (item.result) done.add(item.result.delivery_id);
        return written;
      });
    },
    ...{ routeOf: () => ({}), report: () => undefined, maySend: () => true, retryWaitsMs: [1_000] },
    turn: async () => {
      if (turnMs > 0) await new Promise((resolve) => setTimeout(resolve, turnMs));
      return () => undefined;
    },
    claimLimit: () => 100,
    widthLimit: () => 100,
    ...{ now: () => new Date(), inFlightCap: 10, metrics: createMetrics(), log: createLog('silent') },
  } as unknown as RunDeps;
  deps.read = async () => ({ ...NO_HEALTH, id: 'e', lease_token: token, in_flight_cap: 10 }) as EndpointRow;
  let token = newId();
  const acquire = deps.acquire;
  deps.acquire = (wish) => {
    token = wish.token;
    return acquire(wish);
  };
  return { run: startRun(deps, 'e'), sent };
}
const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);

test('no request begins under a lease that may end before it, when results cannot be written', async () => {
  const { sent } = runWith({ finish: () => new Promise<Written>(() => undefined) });
  await wait(60_000);
  expect(sent.length).toBeGreaterThan(10);
  expect(Math.max(...sent.map(({ atMs }) => atMs))).toBeLessThanOrEqual(LAST_BEGIN_MS);
});

test.each([900, 4_000, 9_900])(
  'a receiver that takes %i ms is sent to under a fresh lease',
  async (sendMs) => {
    const finish = async ({ state }: Finish) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { kept: true, held: state.release === 'no' };
    };
    const { run, sent } = runWith({ sendMs, finish });
    await wait(60_000);
    await run.done;
    expect(sent.length).toBeGreaterThan(20);
    expect(Math.max(...sent.map(({ atMs }) => atMs))).toBeLessThanOrEqual(LAST_BEGIN_MS);
  },
);

test('a request that had to wait long for its turn begins under a fresh lease, and once', async () => {
  for (const due of [1, 10, 20]) {
    const finish = async ({ state }: Finish) => ({ kept: true, held: state.release === 'no' });
    const { run, sent } = runWith({ due, turnMs: 14_000, finish });
    await wait(120_000);
    await run.done;
    expect(sent.map(({ id }) => id).sort()).toEqual(Array.from({ length: due }, (_, n) => `${n}`).sort());
    expect(Math.max(...sent.map(({ atMs }) => atMs))).toBeLessThanOrEqual(LAST_BEGIN_MS);
  }
});

test('what takes longer than a lease keeps it, and is done once', async () => {
  const writtenMs: number[] = [];
  const beganMs = performance.now();
  const finish = async ({ state }: Finish) => {
    writtenMs.push(performance.now() - beganMs);
    return { kept: true, held: state.release === 'no' };
  };
  const { run, sent } = runWith({ due: 1, sendMs: 45_000, finish });
  await wait(60_000);
  await run.done;
  const gaps = writtenMs.map((ms, index) => ms - (writtenMs[index - 1] ?? 0));
  expect(Math.max(...gaps)).toBeLessThanOrEqual(15_000);
  expect(Math.max(...writtenMs)).toBeGreaterThanOrEqual(45_000);
  expect(sent).toHaveLength(1);
});

test('a callback that takes as long as it may is no reason to renew the lease meanwhile', async () => {
  const writtenMs: number[] = [];
  const beganMs = performance.now();
  const finish = async ({ state }: Finish) => {
    writtenMs.push(performance.now() - beganMs);
    return { kept: true, held: state.release === 'no' };
  };
  const { run } = runWith({ due: 1, sendMs: 9_999, finish });
  await wait(30_000);
  await run.done;
  expect(Math.min(...writtenMs)).toBeGreaterThanOrEqual(9_999);
});

test('whenever it is poked, also while it begins anew or lets go, it gives nothing out twice', async () => {
  for (let pokeMs = 1; pokeMs < 120; pokeMs += 1) {
    // Answers as if more had come due, a few times.
    let rounds = 3;
    const finish = async ({ state }: Finish) => {
      await new Promise((resolve) => setTimeout(resolve, 7));
      if (state.release !== 'if_done') return { kept: true, held: state.release === 'no' };
      rounds -= 1;
      return { kept: true, held: rounds > 0 };
    };
    const { run, sent } = runWith({ due: 13, sendMs: 5, finish });
    const poker = setInterval(() => run.poke(), pokeMs);
    await wait(500);
    clearInterval(poker);
    await wait(2_000);
    await run.done;
    expect(sent.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 13 }, (_, n) => n),
    );
  }
});
