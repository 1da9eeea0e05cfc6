import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cancel } from '../support/deliveries.ts';
import { createPerson, DEVICE } from '../support/person.ts';
import type { Created } from '../support/server.ts';
import type { Intervention } from '../support/slack.ts';
import { openWorld, runOut } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import { until } from '../support/until.ts';

const RUNS = 15;
const LIMIT_MS = 120_000;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

/** What may happen to a challenge; what does not fit where it stands is refused, and that is all right. */
const STEPS: Record<
  string,
  (created: Created, person: ReturnType<typeof createPerson>) => PromiseLike<unknown>
> = {
  press: (created, person) => person.press(created),
  tell: (created, person) => person.tell(created, DEVICE),
  answer: (created, person) => person.answer(created, 'It is me'),
  approve: (created, person) => person.decide(created, 'approve'),
  decline: (created, person) => person.decide(created, 'decline'),
  report: (created, person) => person.report(created, 'not me'),
  cancel: (created) => cancel(world.server, created).catch(() => undefined),
  runOut: (created) => runOut(world.server, created),
  // Slack comes before what follows.
  wait: (created) =>
    until(async () => {
      const [first] = await world.deliveries(created, 'card');
      return first?.status !== 'pending' || first.last_error_class !== null;
    }, 'a first attempt'),
};
/** What Slack, or the way to it, does to one call. */
const FAULTS = [
  undefined,
  { status: 503 },
  { status: 429, headers: { 'retry-after': '1' } },
  { cut: true },
  { body: { ok: false, error: 'internal_error' } },
] as const;

const anySteps = fc.array(fc.constantFrom(...Object.keys(STEPS)), { minLength: 1, maxLength: 6 });
const anyFaults = fc.array(fc.constantFrom(...FAULTS), { maxLength: 5 });

/** Calls are answered so, one after the other; who is who is always told. */
function playing(faults: readonly (typeof FAULTS)[number][]): Intervention {
  const left = [...faults];
  return (method) => (method.startsWith('users.') || method.startsWith('auth.') ? undefined : left.shift());
}

test(
  'whatever happens to a challenge, and to the calls to Slack: both messages stand there at most once, and show how it stands',
  () =>
    fc.assert(
      fc.asyncProperty(anySteps, anyFaults, async (steps, faults) => {
        world.slack.intervene(playing(faults));
        const created = await world.create();
        const person = createPerson(world.server);
        for (const step of steps) await STEPS[step]?.(created, person);
        await world.drain(30_000);
        await world.shown(created, 'notice');
        const cards = await world.seen(created, 'card');
        const { ts } = (await world.rowOf(created, 'card')) ?? {};
        // One that was never posted before the end is not posted any more.
        expect(cards.map((card) => card.ts)).toEqual(ts ? [ts] : []);
        if (ts) await world.shown(created, 'card');
      }),
      { numRuns: RUNS },
    ),
  LIMIT_MS,
);
