import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createLog } from '../../src/kernel/log.ts';
import { newId } from '../../src/kernel/id.ts';
import { lateShare } from '../../src/deliveries/claim-store.ts';
import type { Ask, Claimed, EndpointRow } from '../../src/deliveries/claim-store.ts';
import { createSupply } from '../../src/deliveries/supply.ts';

const TOKEN = newId();

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** A store whose deliveries are numbered, and that has more for ever unless `due` says how many. */
function storeWith({ due = Infinity, isAway = false } = {}) {
  const asked: number[] = [];
  const done = new Set<string>();
  const state = {
    row: { id: newId(), lease_token: TOKEN, in_flight_cap: 10 } as EndpointRow,
    due,
    /** called when a claim has looked, before it answers */
    during: () => {},
  };
  const claim = async ({ want, after }: Ask): Promise<Claimed[]> => {
    if (isAway) throw new Error('away');
    asked.push(want);
    const from = after[0].due_at === '-infinity' ? 0 : Number(after[0].id) + 1;
    const claimed: Claimed[] = [];
    for (let n = from; n < state.due && claimed.length < want; n += 1)
      if (!done.has(String(n))) claimed.push({ id: String(n), lane: 0, due_at: 'x' } as Claimed);
    state.during();
    return claimed;
  };
  const deps = {
    claim,
    read: async () => state.row,
    inFlightCap: 10,
    claimLimit: () => 100,
    log: createLog('silent'),
  };
  const supply = createSupply(deps, state.row, TOKEN);
  /** The delivery's end is in the store. */
  const write = (id = '') => {
    done.add(id);
    supply.written(id);
  };
  return { supply, asked, state, write };
}
const take = async (supply: ReturnType<typeof createSupply>, count: number) => {
  const ids: (string | undefined)[] = [];
  for (let n = 0; n < count; n += 1) ids.push((await supply.next())?.id);
  return ids;
};

test('hands out all that is due, each once and in order, and is dry then', async () => {
  const { supply } = storeWith({ due: 25 });
  expect(await take(supply, 26)).toEqual([...Array.from({ length: 25 }, (_, n) => String(n)), undefined]);
  expect(supply.isDry()).toBe(true);
  supply.refresh();
  expect(supply.isDry()).toBe(false);
});

test('many workers at the same time get no delivery twice', async () => {
  const { supply } = storeWith({ due: 500 });
  const shares = await Promise.all(Array.from({ length: 10 }, () => take(supply, 60)));
  const ids = shares.flat().filter((id) => id !== undefined);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(500);
});

test('what is committed while a claim is under way is claimed as well', async () => {
  const { supply, state } = storeWith({ due: 1 });
  state.during = () => {
    state.during = () => {};
    state.due = 2;
    supply.refresh();
  };
  expect(await take(supply, 3)).toEqual(['0', '1', undefined]);
});

test('later retries alone do not make it dry, although a claim has a share of them only', async () => {
  const asked: number[] = [];
  const deps = {
    claim: async ({ want, after }: Ask): Promise<Claimed[]> => {
      asked.push(want);
      const from = after[2].due_at === '-infinity' ? 0 : Number(after[2].id) + 1;
      return Array.from(
        { length: lateShare(want) },
        (_, n) => ({ id: String(from + n), lane: 2, due_at: 'x' }) as Claimed,
      );
    },
    read: async () => undefined,
    ...{ inFlightCap: 10, claimLimit: () => 100, log: createLog('silent') },
  };
  const row = { id: newId(), lease_token: TOKEN, in_flight_cap: 10 } as EndpointRow;
  const supply = createSupply(deps, row, TOKEN);
  expect(await take(supply, 100)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)));
  expect(supply.isDry()).toBe(false);
  expect(Math.max(...asked)).toBeGreaterThan(40);
});

test('claims more at a time while it is used up quickly, up to a hundred, and less when it is not', async () => {
  const { supply, asked, write } = storeWith();
  for (const id of await take(supply, 500)) write(id);
  expect(Math.max(...asked)).toBeGreaterThan(40);
  expect(Math.max(...asked)).toBeLessThanOrEqual(100);
  for (let n = 0; n < 150; n += 1) {
    jest.advanceTimersByTime(3_000);
    write((await supply.next())?.id);
  }
  expect(asked.at(-1)).toBeLessThanOrEqual(20); // ten, and what it has in hand once more
});

test('what was not begun comes next, and makes it no longer dry', async () => {
  const { supply } = storeWith({ due: 2 });
  const one = await supply.next();
  await take(supply, 2);
  expect(supply.isDry()).toBe(true);
  supply.putBack(one!);
  expect(supply.isDry()).toBe(false);
  expect(await supply.next()).toBe(one);
});

test('looks back every second for what was committed late, and gives nothing out twice for that', async () => {
  const { supply, asked } = storeWith({ due: 90 });
  const ids = await take(supply, 40);
  jest.advanceTimersByTime(1_500);
  supply.refresh();
  ids.push(...(await take(supply, 60))); // asked for from the beginning, with all that is under way
  expect(asked.at(-1)).toBeGreaterThan(0);
  const given = ids.filter((id) => id !== undefined);
  expect(new Set(given).size).toBe(given.length);
  expect(given).toHaveLength(90);
});

test('begins anew on demand: what was not given out is as due as before', async () => {
  const { supply } = storeWith();
  await take(supply, 15);
  await supply.restart();
  expect(await take(supply, 3)).toEqual(['0', '1', '2']);
});

test('gives out nothing more once the endpoint is somebody else’s', async () => {
  const { supply, state } = storeWith();
  await take(supply, 3);
  jest.advanceTimersByTime(1_500);
  state.row = { ...state.row, lease_token: newId() };
  const ids = await take(supply, 300); // at the latest when the next batch comes
  expect(ids.at(-1)).toBeUndefined();
});

test('is dry, and no more, when the store does not answer', async () => {
  const { supply } = storeWith({ isAway: true });
  expect(await supply.next()).toBeUndefined();
  expect(supply.isDry()).toBe(true);
});
