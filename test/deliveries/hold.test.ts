import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { releaseOverdue, rewriteHeld } from '../../src/deliveries/hold-store.ts';
import type { HeldEvent } from '../../src/deliveries/hold-store.ts';
import { findBusy } from '../../src/deliveries/sweep-store.ts';
import type { Db } from '../../src/db/database.ts';
import { makeDue, settle } from '../support/deliveries.ts';
import { openHeld } from '../support/held.ts';
import type { Held } from '../support/held.ts';
import { until } from '../support/until.ts';

let held: Held;
beforeAll(async () => {
  held = await openHeld();
});
afterAll(() => held.close());

/** The bytes after a rewrite; `challenge_id` is what the receiver tells callbacks apart by. */
const rewritten =
  (challenge_id: string) =>
  ({ id, sequence }: HeldEvent) =>
    JSON.stringify({ challenge_id, event_id: id, sequence, rewritten: true });
const rewrite = (tx: Db, id: string) => rewriteHeld(tx, id, rewritten(id));

/** A transaction that has done its work and commits when it is told to. */
async function pausedBeforeCommit<T>(work: (tx: Db) => Promise<T>) {
  let [commit, worked] = [() => {}, () => {}];
  const mayCommit = new Promise<void>((resolve) => (commit = resolve));
  const hasWorked = new Promise<void>((resolve) => (worked = resolve));
  const result = held.db.transaction().execute(async (tx) => {
    const answer = await work(tx);
    worked();
    await mayCommit;
    return answer;
  });
  await Promise.race([hasWorked, result]);
  return () => {
    commit();
    return result;
  };
}

async function someoneWaitsForALock(): Promise<boolean> {
  const { rows } = await sql`select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(held.db);
  return rows.length > 0;
}

test('what is held keeps nothing else of its endpoint waiting, and is left alone until its time is over', async () => {
  const { created } = await held.end();
  const { endpoint_id } = await held.deliveryOf(created);
  expect(await findBusy(held.db)).toEqual([]);
  const other = await settle(held.server, { callback_url: held.sink.url });
  await held.engine.carry(endpoint_id);
  expect(held.sink.of(other)).toHaveLength(1);
  expect(held.sink.of(created.challenge_id)).toHaveLength(0);
  const { lease_token } = await held.db
    .selectFrom('endpoints')
    .select('lease_token')
    .where('id', '=', endpoint_id)
    .executeTakeFirstOrThrow();
  expect(lease_token).toBeNull();

  await held.endHold(created);
  await releaseOverdue(held.db);
  expect(await findBusy(held.db)).toEqual([{ endpoint_id, late: false }]);
  expect(await held.carry(created)).toHaveLength(1);
});

test('its bytes are not sent while somebody rewrites them, however long that takes', async () => {
  const { created } = await held.end();
  await held.endHold(created);
  const commit = await pausedBeforeCommit((tx) => rewrite(tx, created.challenge_id));
  expect(await held.carry(created)).toHaveLength(0);
  expect(await commit()).toBe(true);
  const [callback, ...others] = await held.carry(created);
  expect(others).toEqual([]);
  expect(callback?.json).toMatchObject({ sequence: 1, rewritten: true });
});

test('whoever comes while it is let go rewrites nothing', async () => {
  const { created } = await held.end();
  await held.endHold(created);
  const { body } = await held.deliveryOf(created);
  const commit = await pausedBeforeCommit(releaseOverdue);
  const late = held.db.transaction().execute((tx) => rewrite(tx, created.challenge_id));
  await until(someoneWaitsForALock, 'a rewrite that waits');
  await commit();
  expect(await late).toBe(false);
  const [callback] = await held.carry(created);
  expect(callback?.body.toString()).toBe(body);
});

test('once tried, it has the same bytes on every attempt', async () => {
  const { created, person } = await held.end();
  held.sink.answerWith((response) => response.writeHead(500).end());
  await held.endHold(created);
  await held.carry(created);
  await person.tell(created).expect(409);
  held.sink.answerWith((response) => response.end());
  await makeDue(held.db, (await held.deliveryOf(created)).id);
  const [first, second] = await held.carry(created);
  expect(second?.body.toString()).toBe(first?.body.toString());
  expect(first?.json).toMatchObject({ status: 'verified', device_fingerprint: null });
});

test('two reports racing with the end of the hold: one callback, and a read says what it said', async () => {
  const wide = { screen: '1920x1080' };
  const narrow = { screen: '390x844' };
  for (let round = 0; round < 20; round += 1) {
    const { created, person } = await held.end();
    const { id, body } = await held.deliveryOf(created);
    await held.endHold(created);
    const [first, second] = await Promise.all([
      person.tell(created, wide),
      person.tell(created, narrow),
      ...Array.from({ length: 3 }, () => held.carry(created)),
    ]);
    const [callback, ...others] = await held.carry(created);
    expect(others).toEqual([]);
    const read = await held.server.read(created.challenge_id);
    const told = callback?.json.device_fingerprint as typeof wide | null;
    expect(read.device_fingerprint).toEqual(told);
    expect([first.status, second.status]).toEqual(told === null ? [409, 409] : [204, 204]);
    if (told === null) expect(callback?.body.toString()).toBe(body);
    else expect([wide.screen, narrow.screen]).toContain(told.screen);

    const { request, apiKey } = held.server;
    await request.post(`/api/v1/deliveries/${id}/resend`).set('X-API-Key', apiKey).expect(202);
    const [, again] = await held.carry(created);
    expect(again?.body.toString()).toBe(callback?.body.toString());
  }
});
