import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { casesOf } from '../../bench/inbound/fuzz/cases.ts';
import { createGun } from '../../bench/inbound/fuzz/fire.ts';
import type { Gun } from '../../bench/inbound/fuzz/fire.ts';
import { countKept, findEnded, pictureOf, stillDecides } from '../../bench/inbound/fuzz/harm.ts';
import { openTargets } from '../../bench/inbound/fuzz/targets.ts';
import type { Target } from '../../bench/inbound/fuzz/targets.ts';
import { untilHandled } from '../../bench/inbound/verdict.ts';
import { providers } from '../../src/providers/index.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

/** `npm run bench:inbound` sends many more, to a server of its own. */
const CASES = 300;
const CHALLENGES = 20;
const NAMES = Object.keys(providers);
const TIMEOUT_MS = 180_000;

let server: TestServer;
let targets: Target[];
let gun: Gun;
let before: string;
let closeTargets: () => Promise<void> = () => Promise.resolve();

beforeAll(async () => {
  server = await startServer();
  const { tenant_id: tenantId, integrationId } = await server.integration();
  const ground = { ...server, owner: { tenantId, integrationId } };
  ({ targets, close: closeTargets } = await openTargets(ground, 1, CHALLENGES));
  gun = createGun(server.url, targets);
  before = await pictureOf(server.db, targets);
}, TIMEOUT_MS);

afterAll(async () => {
  await gun.close();
  await closeTargets();
  await server.close();
});

const targetAt = (name: string) => targets.find(({ vendor }) => vendor.name === name)!;

test('every provider is fired at', () => {
  expect(targets.map(({ vendor }) => vendor.name).sort()).toEqual([...NAMES].sort());
});

describe('mutated webhooks', () => {
  test.each(NAMES)(
    'of %s are let in when they are authentic, refused when not, and never answered 5xx',
    async (name) => {
      await fc.assert(
        fc.asyncProperty(casesOf(targetAt(name).vendor), async (case_) => {
          const { fault } = await gun.fire(case_);
          expect(fault).toBeUndefined();
        }),
        { numRuns: CASES },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'that are authentic are all handled, and only a valid decision of its own session ends a challenge',
    async () => {
      expect(await untilHandled(server.db)).toBe(true);
      const { wrong } = await findEnded(server.db, targets, gun.admitted);
      expect(wrong).toEqual([]);
    },
    TIMEOUT_MS,
  );

  test('that are not authentic change nothing, and nothing of them is kept', async () => {
    expect(await pictureOf(server.db, targets)).toBe(before);
    expect(await countKept(server.db, targets)).toBe(0);
  });

  test('keep no unchanged decision from ending its challenge afterwards', async () => {
    expect(await stillDecides(server.db, targets, gun, 20_000)).toEqual([]);
  });
});
