import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { actDue } from '../../src/challenges/act.ts';
import { createBatches } from '../../src/challenges/batches.ts';
import { cancelChallenge } from '../../src/challenges/cancel.ts';
import { expireDue } from '../../src/challenges/expire.ts';
import { findAnyChallenge, insertChallenges } from '../../src/challenges/store.ts';
import { actingOf } from '../../src/challenges/test-targets.ts';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { newId } from '../../src/kernel/id.ts';
import { insertIntegration, insertTenant } from '../../src/tenants/store.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
const at = (ms: number) => new Date(START + ms);

describe('who is a test target', () => {
  test('anybody else is none, also in a domain that only looks like it', () => {
    const others = [
      ...[null, 'verify@example.com', 'verify@countersign.test.example.com', 'verify@mycountersign.test'],
      ...['verify@sub.countersign.test', 'countersign.test@example.com'],
    ];
    for (const email of others)
      for (const mode of ['test', 'live'] as const)
        expect(actingOf(email, mode, at(0))).toEqual({ acts_as: null, acts_at: null });
  });

  test.each([
    ['verify@countersign.test', 'verify', 1_000],
    ['Deny@Countersign.Test', 'deny', 1_000],
    ['EXPIRE@COUNTERSIGN.TEST', 'expire', 1_000],
    ['incident@countersign.test', 'incident', 1_000],
    ['slow@countersign.test', 'verify', 30_000],
  ] as const)('%s acts as %s after %i ms, and not in live mode', (email, acts_as, ms) => {
    expect(actingOf(email, 'test', at(0))).toEqual({ acts_as, acts_at: at(ms) });
    expect(() => actingOf(email, 'live', at(0))).toThrow(
      'target_user_email is a test target (@countersign.test); those are for test mode',
    );
  });

  test.each(['approve', 'verify+1', 'xverify', 'constructor', ''])(
    '%s@ is refused with all there are',
    (name) => {
      expect(() => actingOf(`${name}@countersign.test`, 'test', at(0))).toThrow(
        'those of countersign.test are verify@, deny@, expire@, incident@, slow@',
      );
    },
  );
});

describe('the sweep', () => {
  let database: TestDatabase;
  let scope: { tenant_id: string; integration_id: string };
  beforeAll(async () => {
    database = await createDatabase();
    const tenant_id = await insertTenant(database.db, 'Tenant');
    const wish = { tenant_id, name: 'Acting', mode: 'test' as const, callback_url: null };
    scope = { tenant_id, integration_id: await insertIntegration(database.db, wish) };
  });
  afterAll(() => database.close());

  const deps = (ms: number) => ({ db: database.db, now: () => at(ms), wake: () => undefined });
  const sweep = (ms: number) => actDue(deps(ms));
  const stored = async (id: string) => (await findAnyChallenge(database.db, id))!;
  const actionsOf = async (id: string) =>
    (await listTrail(database.db, id)).map(({ actor, action, detail }) => [
      actor,
      action,
      (detail as { simulated?: true } | null)?.simulated,
    ]);
  const eventsOf = (id: string) =>
    database.db.selectFrom('events').select(['type', 'sequence']).where('challenge_id', '=', id).execute();

  test('a target acts when its time has come, once, and whoever asked is told', async () => {
    const ids = await Promise.all(['verify', 'deny', 'expire', 'incident'].map((name) => create(name)));
    expect(await sweep(999)).toBe(0);
    expect(await sweep(1_000)).toBe(4);
    expect(await sweep(2_000)).toBe(0);
    const ended = { completed_at: at(1_000), auth_time: null, browser_hash: null };
    const endings = [
      [{ status: 'verified', auth_method: 'sandbox', valid_until: at(1_000 + 15 * 60_000) }, 'completed'],
      [{ status: 'failed', auth_method: 'sandbox', failure_reason: 'declined' }, 'completed'],
      [{ status: 'expired', auth_method: null, failure_reason: null }, 'expired'],
      [
        {
          ...{ status: 'failed', failure_reason: 'incident_reported', incident_reported_at: at(1_000) },
          incident_comment: 'A test target reports every challenge.',
        },
        'incident_reported',
      ],
    ] as const;
    for (const [index, [expected, type]] of endings.entries()) {
      const id = ids[index]!;
      expect(await stored(id)).toMatchObject({ ...ended, ...expected });
      expect(await eventsOf(id)).toEqual([{ type: `challenge.${type}`, sequence: 1 }]);
      expect(await actionsOf(id)).toEqual([
        ['test', 'created', undefined],
        ['target', expected.status, true],
      ]);
    }
  });

  test('a slow one begins after a second and is verified after 30', async () => {
    const id = await create('slow');
    expect(await sweep(999)).toBe(0);
    expect(await sweep(1_000)).toBe(1);
    expect(await stored(id)).toMatchObject({ status: 'in-progress', started_at: at(1_000) });
    expect(await sweep(29_999)).toBe(0);
    expect(await sweep(30_000)).toBe(1);
    expect(await stored(id)).toMatchObject({ status: 'verified', completed_at: at(30_000) });
    const actions = (await actionsOf(id)).map(([, action]) => action);
    expect(actions).toEqual(['created', 'in-progress', 'verified']);
    expect(await eventsOf(id)).toHaveLength(1);
  });

  test('one that nobody swept for long acts with the next sweep, but not after its deadline', async () => {
    const [late, over] = [await create('verify'), await create('verify')];
    expect(await sweep(14 * 60_000)).toBe(2);
    expect(await stored(late)).toMatchObject({ status: 'verified', completed_at: at(14 * 60_000) });
    const overdue = await create('verify');
    expect(await sweep(15 * 60_000)).toBe(0);
    expect((await stored(overdue)).status).toBe('initiated');
    expect(await expireDue(deps(15 * 60_000))).toBe(1);
    expect((await stored(overdue)).status).toBe('expired');
    expect((await stored(over)).status).toBe('verified');
  });

  test('what was canceled stays so, and ordinary challenges are left alone', async () => {
    const [canceled, ordinary] = [await create('deny'), await create('ada', 'example.com')];
    const whole = { ...scope, mode: 'test' as const, own_only: false };
    const batches = createBatches(database.db);
    await cancelChallenge({ ...deps(500), batches }, canceled, whole, 'test');
    expect(await sweep(60_000)).toBe(0);
    expect(await stored(canceled)).toMatchObject({ status: 'failed', failure_reason: 'canceled' });
    expect((await stored(ordinary)).status).toBe('initiated');
  });

  test('many sweeps at once let each of many targets act once', async () => {
    const ids = await Promise.all(Array.from({ length: 250 }, () => create('incident')));
    const counts = await Promise.all(Array.from({ length: 6 }, () => sweep(1_000)));
    // What another one holds is left to it, and a sweep that saw nothing else is done.
    const rest = await sweep(1_000);
    expect(counts.reduce((sum, count) => sum + count, rest)).toBe(ids.length);
    for (const id of ids) expect(await eventsOf(id)).toHaveLength(1);
  });

  async function create(name: string, domain = 'countersign.test'): Promise<string> {
    const id = newId();
    const target_user_email = `${name}@${domain}`;
    const challenge = {
      ...{ id, ...scope, mode: 'test' as const, status: 'initiated' as const, target_user_email },
      ...{ requester_id: 'act', metadata: {}, verification_code: '00', verification_token_hash: id },
      ...actingOf(target_user_email, 'test', at(0)),
      ...{ provider_attempts: 1, created_at: at(0), expires_at: at(15 * 60_000) },
    };
    await insertChallenges(database.db, [{ challenge, actor: 'test' }]);
    return id;
  }
});
