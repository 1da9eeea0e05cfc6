import { describe, expect, test } from '@jest/globals';
import { nextCheckAt } from '../../src/providers/reconcile.ts';
import { startVeriffStory } from '../support/veriff-story.ts';
import { until } from '../support/until.ts';

const START = new Date('2026-01-15T10:00:00Z');
const after = (seconds: number) => new Date(START.getTime() + seconds * 1_000);

/** The seconds after the start at which a session is asked about that is never decided. */
function checksOf(expiresAt: Date, most = 20): number[] {
  const seconds: number[] = [];
  let next = nextCheckAt(START, 0, expiresAt);
  while (next && seconds.length < most) {
    seconds.push((next.getTime() - START.getTime()) / 1_000);
    next = nextCheckAt(next, seconds.length - 1, expiresAt);
  }
  return seconds;
}

describe('a session nobody hears of is asked about', () => {
  test('often at first, and the last time shortly before the deadline', () => {
    expect(checksOf(after(15 * 60))).toEqual([60, 120, 180, 300, 420, 600, 880]);
  });

  test('also where the challenge lives for minutes only', () => {
    expect(checksOf(after(4 * 60))).toEqual([60, 120, 180, 220]);
    expect(checksOf(after(60))).toEqual([40]);
    expect(checksOf(after(15))).toEqual([]);
  });

  test('about every hour over a long life', () => {
    const checks = checksOf(after(7 * 24 * 3_600), 30);
    expect(checks.slice(6, 10).map((seconds) => seconds / 60)).toEqual([15, 25, 55, 115]);
    expect(checks.at(-1)! - checks.at(-2)!).toBe(3_600);
  });
});

test('more sessions than are asked about side by side are all asked about', async () => {
  const story = await startVeriffStory();
  story.veriff.behave({ lose: true });
  const begun: Awaited<ReturnType<typeof story.begin>>[] = [];
  while (begun.length < 120)
    begun.push(...(await Promise.all(Array.from({ length: 20 }, () => story.begin()))));
  for (const { session } of begun) await story.veriff.decide(session, 'approved');
  await story.server.db
    .updateTable('verification_sessions')
    .set({ next_check_at: new Date(Date.now() - 1_000) })
    .execute();
  const checked = async () => {
    const rows = await story.server.db
      .selectFrom('verification_sessions')
      .select(['status', 'checks'])
      .execute();
    return rows.filter(({ checks }) => checks > 0).length;
  };
  await until(async () => (await checked()) === begun.length, 'all of them to be asked about', 30_000);
  await until(
    async () => (await story.server.read(begun.at(-1)!.id)).status === 'verified',
    'the last to be verified',
  );
  await story.close();
});
