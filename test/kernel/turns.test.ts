import { expect, test } from '@jest/globals';
import { createTurns } from '../../src/kernel/turns.ts';

const LONG_MS = 60_000;

/** Asks for turns and notes who got one. */
function asking(turn: () => Promise<() => void>) {
  const got: number[] = [];
  return {
    got,
    ask: async (who: number) => {
      const end = await turn();
      got.push(who);
      return end;
    },
  };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('no more than allowed go on at the same time, and the others come in their order', async () => {
  const { got, ask } = asking(createTurns(2, LONG_MS));
  const [first, second] = [await ask(1), await ask(2)];
  const later = [ask(3), ask(4), ask(5)];
  await settle();
  expect(got).toEqual([1, 2]);
  first();
  await settle();
  expect(got).toEqual([1, 2, 3]);
  second();
  (await later[0])?.();
  await settle();
  expect(got).toEqual([1, 2, 3, 4, 5]);
  for (const end of await Promise.all(later)) end();
});

test('a turn that ends twice frees one place only', async () => {
  const { got, ask } = asking(createTurns(1, LONG_MS));
  const end = await ask(1);
  const later = [ask(2), ask(3)];
  end();
  end();
  await settle();
  expect(got).toEqual([1, 2]);
  (await later[0])?.();
  (await later[1])?.();
});

test('who takes too long keeps nobody waiting', async () => {
  const { got, ask } = asking(createTurns(1, 20));
  const slow = await ask(1);
  const end = await ask(2);
  expect(got).toEqual([1, 2]);
  slow(); // its turn was over long ago: this frees nothing
  const third = ask(3);
  await settle();
  expect(got).toEqual([1, 2]);
  end();
  (await third)();
});
