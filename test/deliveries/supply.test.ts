import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createLog } from '../../src/kernel/log.ts';
import { newId } from '../../src/kernel/id.ts';
import type { Ask, Claimed, EndpointRow } from '../../src/deliveries/claim-store.ts';
import { createSupply } from '../../src/deliveries/supply.ts';

/** A delivery's lease, less the ten seconds of a request and a few to write its result. */
const MAX_AGE_MS = 20_000;
const TOKEN = newId();

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A store that always has more, unless `due` says how many; each delivery knows when its lease began. */
function storeWith({ due = Infinity, read = undefined as (() => Promise<EndpointRow>) | undefined } = {}) {
  const leasedAt = new Map<string, number>();
  const asked: number[] = [];
  const given: string[] = [];
  let left = due;
  const row = { lease_token: TOKEN, in_flight_cap: 10 } as EndpointRow;
  const claim = async ({ want }: Ask): Promise<Claimed[]> => {
    asked.push(want);
    const count = Math.min(want, left);
    left -= count;
    const claimed = Array.from({ length: count }, () => ({ id: newId() }) as Claimed);
    for (const { id } of claimed) leasedAt.set(id, performance.now());
    return claimed;
  };
  const deps = {
    claim,
    read: read ?? (async () => row),
    giveBack: async (ids: string[]) => void given.push(...ids),
    inFlightCap: 10,
    log: createLog('silent'),
  };
  return {
    supply: createSupply(deps, newId(), TOKEN),
    asked,
    given,
    row,
    ageOf: ({ id }: Claimed) => performance.now() - (leasedAt.get(id) ?? 0),
  };
}

test('hands out all that is due, and is dry then', async () => {
  const { supply } = storeWith({ due: 25 });
  const taken = new Set<string>();
  for (let one = await supply.next(); one; one = await supply.next()) taken.add(one.id);
  expect(taken.size).toBe(25);
  expect(supply.isDry()).toBe(true);
});

test('claims more at a time while it is used up quickly, up to a hundred, and less when it is not', async () => {
  const { supply, asked } = storeWith();
  for (let n = 0; n < 500; n += 1) await supply.next();
  expect(Math.max(...asked)).toBeGreaterThan(40);
  expect(Math.max(...asked)).toBeLessThanOrEqual(100);
  asked.length = 0;
  for (let n = 0; n < 100; n += 1) {
    jest.advanceTimersByTime(3_000);
    await supply.next();
  }
  expect(asked.at(-1)).toBeLessThanOrEqual(10);
});

test.each([900, 2_500, 7_000, 9_900, 14_900])(
  'a receiver that takes %i ms gets nothing whose lease might end before its answer is written',
  async (tookMs) => {
    const { supply, ageOf } = storeWith();
    for (let n = 0; n < 60; n += 1) {
      const claimed = await supply.next();
      expect(ageOf(claimed!)).toBeLessThanOrEqual(MAX_AGE_MS);
      jest.advanceTimersByTime(tookMs);
    }
  },
);

test('what was claimed long ago is given back, although newer deliveries came behind it', async () => {
  const { supply, given, ageOf } = storeWith();
  for (let n = 0; n < 5; n += 1) await supply.next();
  for (let n = 0; n < 8; n += 1) {
    jest.advanceTimersByTime(n % 2 ? 100 : 14_000);
    for (let k = 0; k < 8; k += 1) expect(ageOf((await supply.next())!)).toBeLessThanOrEqual(MAX_AGE_MS);
  }
  expect(given.length).toBeGreaterThan(0);
});

test('gives back what it has claimed when its endpoint cannot be read', async () => {
  const { supply, given } = storeWith({ read: () => Promise.reject(new Error('away')) });
  expect(await supply.next()).toBeUndefined();
  expect(given).toHaveLength(10);
  expect(supply.isDry()).toBe(true);
});

test('ends once the endpoint is somebody else’s, and drops the rest', async () => {
  const { supply, row, given } = storeWith();
  expect(await supply.next()).toBeDefined();
  row.lease_token = newId();
  expect(await supply.next()).toBeUndefined();
  await supply.drop();
  expect(given.length).toBeGreaterThan(0);
});
