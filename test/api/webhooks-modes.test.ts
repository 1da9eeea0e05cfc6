import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { simulators } from '../../src/simulators/index.ts';
import type { SimulatedSession, Simulator } from '../../src/simulators/simulator.ts';
import { startProviderStory } from '../support/provider-story.ts';
import type { ProviderStory } from '../support/provider-story.ts';
import { readAllRows } from '../support/rows.ts';
import { until } from '../support/until.ts';

const HOUR_MS = 3_600_000;

/** A tenant with an account in each mode, and a challenge of each mode that waits for its decision. */
describe.each(Object.entries(simulators))('test and live mode of one tenant at %s', (name, start) => {
  type Side = { vendor: Simulator; accountId: string; id: string; session: SimulatedSession };
  let story: ProviderStory;
  let trial: Side;
  let live: Side;
  beforeAll(async () => {
    story = await startProviderStory(name, () => start({}));
    const { server, simulator, accountId } = story;
    const liveVendor = await start({});
    const liveAccount = await server.provider(name, liveVendor.settings, { mode: 'live' });
    trial = { vendor: simulator, accountId, ...(await story.begin()) };
    live = { vendor: liveVendor, accountId: liveAccount, ...(await story.begin()) };
    for (const { vendor } of [trial, live]) vendor.behave({ tries: 1 });
    await makeLive();
  });
  afterAll(async () => {
    await live.vendor.close();
    await story.close();
  });

  /** Live mode calls nobody in the clear, so the second challenge began in test mode and is moved. */
  async function makeLive(): Promise<void> {
    const { db } = story.server;
    const { integrationId } = await story.server.integration({ mode: 'live' });
    const moved = { mode: 'live', integration_id: integrationId } as const;
    await db.updateTable('challenges').set(moved).where('id', '=', live.id).execute();
    await db
      .updateTable('verification_sessions')
      .set({ provider_account_id: live.accountId })
      .where('challenge_id', '=', live.id)
      .execute();
    // Nobody asks the provider meanwhile: all that happens comes in by the door.
    const next_check_at = new Date(Date.now() + HOUR_MS);
    await db.updateTable('verification_sessions').set({ next_check_at }).execute();
  }

  /** An approval of this session, as this vendor tells and confirms it, sent to this account. */
  async function approve(session: SimulatedSession, { vendor }: Side, to: Side): Promise<number[]> {
    const known = vendor.sessions as SimulatedSession[];
    if (!known.includes(session)) known.push(session);
    const [outcome = ''] =
      Object.entries(vendor.outcomes).find(([, becomes]) => becomes === 'verified') ?? [];
    vendor.sendWebhooksTo(`${story.server.url}/webhooks/${name}/${to.accountId}`);
    return vendor.send(vendor.play(session, outcome));
  }
  const kept = ({ accountId }: Side) =>
    story.server.db
      .selectFrom('inbox')
      .select(['outcome', 'tries'])
      .where('provider_account_id', '=', accountId)
      .where('body_sealed', 'is not', null)
      .execute();
  /** All that an approval could change. */
  async function standing() {
    const { challenges, verification_sessions, events, deliveries, audit_entries } = await readAllRows(
      story.server.db,
    );
    return { challenges, verification_sessions, events, deliveries, audit_entries };
  }

  test.each([
    ['test account about a live session', () => [trial, live] as const],
    ['live account about a test session', () => [live, trial] as const],
  ])('an authentic webhook of the %s is kept and has no effect', async (_, sides) => {
    const [teller, other] = sides();
    const before = await standing();
    const answers = await approve(other.session, teller, teller);
    expect(answers.length).toBeGreaterThan(0);
    expect(new Set(answers)).toEqual(new Set([200]));
    const rows = await until(async () => {
      const all = await kept(teller);
      return all.length === answers.length && all.every(({ outcome, tries }) => outcome ?? tries > 0) && all;
    }, 'all of them to be looked at');
    for (const { outcome } of rows) expect([null, 'no_effect', 'unknown_session']).toContain(outcome);
    expect(await standing()).toEqual(before);
  });

  test.each([
    ['test account at the live address', () => [trial, live] as const],
    ['live account at the test address', () => [live, trial] as const],
  ])('what is signed for the %s is refused', async (_, sides) => {
    const [teller, other] = sides();
    const before = [await standing(), await kept(other)];
    expect(new Set(await approve(other.session, teller, other))).toEqual(new Set([401]));
    expect([await standing(), await kept(other)]).toEqual(before);
  });

  test('the same approval by the account that the session belongs to does count', async () => {
    expect(new Set(await approve(trial.session, trial, trial))).toEqual(new Set([200]));
    await story.reaches(trial.id, 'verified');
  });
});
