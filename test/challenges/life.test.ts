import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBatches } from '../../src/challenges/batches.ts';
import { cancelChallenge } from '../../src/challenges/cancel.ts';
import type { Challenge, Status } from '../../src/challenges/challenge.ts';
import { consumeChallenge } from '../../src/challenges/consume.ts';
import { dispute } from '../../src/challenges/dispute.ts';
import { expireDue } from '../../src/challenges/expire.ts';
import { presentChallenge } from '../../src/challenges/present.ts';
import { INCIDENT_REPORTED, settle } from '../../src/challenges/settle.ts';
import type { Change } from '../../src/challenges/settle.ts';
import { findAnyChallenge, insertChallenges } from '../../src/challenges/store.ts';
import { AppError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/id.ts';
import { insertIntegration, insertTenant } from '../../src/tenants/store.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

/** What can happen to a challenge: somebody wants something, time passes, the sweep comes by. */
const WISHES = [
  ...(['start', 'approve', 'decline', 'report', 'cancel', 'sweep'] as const),
  ...(['dispute', 'consume'] as const),
] as const;
type Wish = (typeof WISHES)[number];
type Ending = 'approve' | 'decline' | 'report';
type Step = { wishes: Wish[] } | { minutes: number };

const EXPIRY_MINUTES = 15;
const START = Date.parse('2026-01-31T12:00:00Z');
const CHANGES: Record<Ending | 'start', Pick<Change, 'to' | 'fields'>> = {
  start: { to: 'in-progress', fields: { browser_hash: 'browser' } },
  approve: { to: 'verified', fields: { auth_method: 'sandbox' } },
  decline: { to: 'failed', fields: { failure_reason: 'declined' } },
  report: { to: 'failed', fields: { failure_reason: INCIDENT_REPORTED } },
};

const DAY_MINUTES = 24 * 60;
const VALIDITY_MINUTES = 15;

/** The whole life in a few lines: what is stored, when it was verified, and the actions that were recorded. */
type Model = { status: Status; reason: string | null; verifiedAt: number; actions: string[] };
type Time = { isDue: boolean; minute: number };
const NEW: Model = { status: 'initiated', reason: null, verifiedAt: 0, actions: [] };
const isEnded = ({ status }: Model) => status !== 'initiated' && status !== 'in-progress';

function after(model: Model, wish: Wish, { isDue, minute }: Time): Model {
  if (wish === 'dispute' || wish === 'consume') return afterVerified(model, wish, minute - model.verifiedAt);
  // What has ended is never left; once time is up only the sweep may end it, and before that it may not.
  if (isEnded(model) || isDue !== (wish === 'sweep')) return model;
  const [status, reason]: [Status, string | null] = {
    start: ['in-progress', null] as [Status, null],
    approve: ['verified', null] as [Status, null],
    decline: ['failed', 'declined'] as [Status, string],
    report: ['failed', 'incident_reported'] as [Status, string],
    cancel: ['failed', 'canceled'] as [Status, string],
    sweep: ['expired', null] as [Status, null],
  }[wish];
  const verifiedAt = status === 'verified' ? minute : 0;
  return { status, reason, verifiedAt, actions: [...model.actions, status] };
}

/** A verified challenge may be disputed once and consumed once, each in its time, and never after it was disputed. */
function afterVerified(model: Model, wish: 'dispute' | 'consume', age: number): Model {
  const action = `${wish}d`;
  const isOver = age >= (wish === 'dispute' ? DAY_MINUTES : VALIDITY_MINUTES);
  if (model.status !== 'verified' || isOver || isDisputed(model) || model.actions.includes(action))
    return model;
  return { ...model, actions: [...model.actions, action] };
}

function isDisputed({ actions }: Model): boolean {
  return actions.includes('disputed');
}

/** What wishes at the same moment may come to: as if in one order or another. */
function outcomes(model: Model, wishes: Wish[], time: Time): Model[] {
  if (wishes.length === 0) return [model];
  return wishes.flatMap((wish, index) =>
    outcomes(after(model, wish, time), wishes.toSpliced(index, 1), time),
  );
}

let database: TestDatabase;
let integration: { tenant_id: string; integration_id: string };
beforeAll(async () => {
  database = await createDatabase();
  const tenant_id = await insertTenant(database.db, 'Tenant');
  const wish = { tenant_id, name: 'Life', mode: 'test' as const, callback_url: null };
  integration = { tenant_id, integration_id: await insertIntegration(database.db, wish) };
});
afterAll(() => database.close());

const wishes = fc.array(fc.constantFrom(...WISHES), { minLength: 1, maxLength: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ wishes }) },
  { weight: 1, arbitrary: fc.record({ minutes: fc.constantFrom(1, 5, 14, 15, 1_430) }) },
);

test('whatever happens, in whatever order and however much at once, a challenge lives one life', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const life = await begin();
      let model = NEW;
      for (const next of steps) {
        if ('minutes' in next) life.pass(next.minutes);
        else {
          await Promise.all(next.wishes.map((wish) => life.wish(wish)));
          model = await life.expectOneOf(outcomes(model, next.wishes, life.time()), model);
        }
        await life.expectConsistent(model);
      }
    }),
    { numRuns: 200, endOnFailure: false },
  );
}, 50_000);

test('the last instant before the deadline counts, the deadline itself does not', async () => {
  for (const [early, expected] of [
    [1, 'verified'],
    [0, 'initiated'],
  ] as const) {
    const life = await begin();
    life.pass(EXPIRY_MINUTES - early / 60_000);
    await life.wish('approve');
    expect((await life.stored()).status).toBe(expected);
    await life.wish('sweep');
    expect((await life.stored()).status).toBe(expected === 'verified' ? 'verified' : 'expired');
  }
});

test.each([
  ['consume', VALIDITY_MINUTES, 'consumed'],
  ['dispute', DAY_MINUTES, 'disputed'],
] as const)(
  'the last instant in which one may %s counts, the next does not',
  async (wish, minutes, action) => {
    for (const [early, expected] of [
      [1, ['created', 'verified', action]],
      [0, ['created', 'verified']],
    ] as const) {
      const life = await begin();
      await life.wish('approve');
      life.pass(minutes - early / 60_000);
      await life.wish(wish);
      expect(await life.actions()).toEqual(expected);
    }
  },
);

test('many sweeps at once expire many challenges once each', async () => {
  const lives = await Promise.all(Array.from({ length: 250 }, () => begin()));
  for (const life of lives) life.pass(EXPIRY_MINUTES);
  const counts = await Promise.all(lives.slice(0, 5).map((life) => life.sweep()));
  // What the test before left open may be among them.
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(lives.length);
  for (const life of lives) {
    await life.expectConsistent({ ...NEW, status: 'expired', actions: ['expired'] });
  }
});

/** A new challenge in the database, with a clock of its own. */
async function begin() {
  const { db } = database;
  const id = newId();
  let time = START;
  const now = () => new Date(time);
  const deps = { db, now, wake: () => undefined, batches: createBatches(db) };
  const challenge = {
    ...{ id, ...integration, mode: 'test' as const, status: 'initiated' as const },
    ...{
      target_user_id: 'user',
      target_user_email: null,
      requester_id: 'life',
      context: null,
      metadata: {},
    },
    ...{
      callback_url: null,
      return_url: null,
      provider: null,
      provider_attempts: 1,
      verification_code: '00',
      verification_token_hash: id,
    },
    ...{ created_at: now(), expires_at: new Date(START + EXPIRY_MINUTES * 60_000) },
  };
  await insertChallenges(db, [{ challenge, actor: 'test' }]);

  const scope = { ...integration, mode: 'test' as const, own_only: false };
  async function stored(): Promise<Challenge> {
    return (await findAnyChallenge(db, id)) as Challenge;
  }
  const eventsOf = () =>
    db.selectFrom('events').selectAll().where('challenge_id', '=', id).orderBy('sequence').execute();
  const sweep = () => expireDue(deps);
  const isDue = () => time >= challenge.expires_at.getTime();

  return {
    stored,
    sweep,
    actions: () => actionsOf(id),
    time: () => ({ isDue: isDue(), minute: (time - START) / 60_000 }),
    pass(minutes: number) {
      time += minutes * 60_000;
    },
    async wish(wish: Wish): Promise<void> {
      if (wish === 'sweep') return void (await sweep());
      if (wish === 'dispute') return void (await dispute(deps, { challengeId: id, actor: wish }));
      if (wish === 'cancel') return void (await cancelChallenge(deps, id, scope, wish).catch(refused));
      if (wish === 'consume') return void (await consumeChallenge(deps, id, scope, wish).catch(refused));
      await settle(deps, { challengeId: id, actor: wish, ...CHANGES[wish] });
    },
    /** The model that agrees with what is stored. */
    async expectOneOf(models: Model[], before: Model): Promise<Model> {
      const { status, failure_reason } = await stored();
      const actions = (await actionsOf(id)).slice(1);
      const found = models.find(
        (one) =>
          one.status === status && one.reason === failure_reason && one.actions.join() === actions.join(),
      );
      expect({
        before,
        actual: { status, failure_reason, actions },
        possible: found ? 'yes' : models,
      }).toMatchObject({
        possible: 'yes',
      });
      return found ?? before;
    },
    /** What must hold at any time: one event and one audit entry for an end and for a dispute of it, none before. */
    async expectConsistent(model: Model): Promise<void> {
      const row = await stored();
      const events = await eventsOf();
      expect(row.status).toBe(model.status);
      expect(await actionsOf(id)).toEqual(['created', ...model.actions]);
      const disputed = isDisputed(model);
      const types = [
        ...(isEnded(model) ? [typeOf(model)] : []),
        ...(disputed ? ['challenge.incident_reported'] : []),
      ];
      expect(events.map(({ type, sequence }) => [type, sequence])).toEqual(
        types.map((type, index) => [type, index + 1]),
      );
      expect(row.event_sequence).toBe(types.length);
      for (const { sequence, body } of events) {
        const { status, reason: failure_reason } = model;
        expect(JSON.parse(body ?? '')).toMatchObject({ status, failure_reason, disputed: sequence === 2 });
      }
      const { status, consumed_at, incident, ...shown } = presentChallenge(row, now());
      expect(status).toBe(!isEnded(model) && isDue() ? 'expired' : model.status);
      expect({ disputed: shown.disputed, isValid: shown.valid_until !== null }).toEqual({
        disputed,
        isValid: model.status === 'verified' && !disputed,
      });
      expect(consumed_at !== null).toBe(model.actions.includes('consumed'));
      expect(incident !== null).toBe(disputed || model.reason === INCIDENT_REPORTED);
    },
  };
}

async function actionsOf(id: string): Promise<string[]> {
  const entries = await database.db
    .selectFrom('audit_entries')
    .select('action')
    .where('challenge_id', '=', id)
    .orderBy('id')
    .execute();
  return entries.map(({ action }) => action);
}

function typeOf({ status, reason }: Model): string {
  if (status === 'expired') return 'challenge.expired';
  return reason === INCIDENT_REPORTED ? 'challenge.incident_reported' : 'challenge.completed';
}

function refused(error: unknown): void {
  if (!(error instanceof AppError) || error.code !== 'conflict') throw error;
}
