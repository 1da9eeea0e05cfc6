import { expect, test } from '@jest/globals';
import { batched } from '../../src/kernel/batch.ts';

const isItemsFault = (error: unknown) => (error as Error).message === 'bad item';
const limits = { atOnce: 1, maxItems: 10, isItemsFault };
const double = async (items: number[]) => items.map((item) => item * 2);

test('what comes at the same time goes together, and everyone gets their own answer', async () => {
  const calls: number[] = [];
  const ask = batched(async (items: number[]) => {
    calls.push(items.length);
    return double(items);
  }, limits);
  expect(await Promise.all([1, 2, 3].map(ask))).toEqual([2, 4, 6]);
  expect(await ask(7)).toBe(14);
  expect(calls).toEqual([3, 1]);
});

test('no more calls than allowed are under way, none larger than allowed, and none is forgotten', async () => {
  let under = 0;
  let most = 0;
  const sizes: number[] = [];
  const ask = batched(
    async (items: number[]) => {
      most = Math.max(most, ++under);
      sizes.push(items.length);
      await new Promise((resolve) => setTimeout(resolve, 5));
      under--;
      return double(items);
    },
    { ...limits, atOnce: 2 },
  );
  const items = Array.from({ length: 95 }, (_, index) => index);
  expect(await Promise.all(items.map(ask))).toEqual(items.map((item) => item * 2));
  expect(most).toBeLessThanOrEqual(2);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
});

test('one bad item fails alone', async () => {
  const ask = batched(async (items: number[]) => {
    if (items.includes(2)) throw new Error('bad item');
    return double(items);
  }, limits);
  const settled = await Promise.allSettled([1, 2, 3].map(ask));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('a store that is away fails all of them at once, in one call', async () => {
  let calls = 0;
  const ask = batched(async (): Promise<number[]> => {
    calls++;
    throw new Error('gone');
  }, limits);
  const settled = await Promise.allSettled([1, 2, 3].map(ask));
  expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
  expect(calls).toBe(1);
});
