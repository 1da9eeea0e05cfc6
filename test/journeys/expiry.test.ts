import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { expireDue } from '../../src/challenges/expire.ts';
import { readConfig } from '../../src/config.ts';
import { serve } from '../../src/serve.ts';
import { deliveriesOf } from '../support/deliveries.ts';
import { createPerson } from '../support/person.ts';
import { BACKENDS, startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const AGO_MS = 5_000;

/** Moves the deadlines of these challenges into the past, and returns the new one. */
async function letTimePass({ db }: TestServer, created: Pick<Created, 'challenge_id'>[]): Promise<Date> {
  const expires_at = new Date(Math.floor((Date.now() - AGO_MS) / 1_000) * 1_000);
  const ids = created.map(({ challenge_id }) => challenge_id);
  await db.updateTable('challenges').set({ expires_at }).where('id', 'in', ids).execute();
  return expires_at;
}

const seconds = (time: Date) => `${time.toISOString().slice(0, 19)}Z`;
const many = <T>(count: number, make: () => Promise<T>) => Promise.all(Array.from({ length: count }, make));

function eventsOf({ db }: TestServer, challengeId: string) {
  return db.selectFrom('events').where('challenge_id', '=', challengeId).select('type').execute();
}

async function storedStatus({ db }: TestServer, challengeId: string): Promise<string> {
  const row = await db
    .selectFrom('challenges')
    .where('id', '=', challengeId)
    .select('status')
    .executeTakeFirstOrThrow();
  return row.status;
}

describe.each(BACKENDS)('a deadline that passes, queue on %s', (backend) => {
  let server: TestServer;
  let sink: Awaited<ReturnType<typeof startSink>>;
  beforeAll(async () => {
    server = await startServer({ backend });
    sink = await startSink();
  });
  afterAll(async () => {
    await server.close();
    await sink.close();
  });

  test('the challenge expires by itself and says so once', async () => {
    const untouched = await server.create({ callback_url: sink.url, context: 'Reset' });
    const begun = await server.create({ callback_url: sink.url });
    await createPerson(server).start(begun).expect(303);
    const deadline = await letTimePass(server, [untouched, begun]);
    for (const { challenge_id } of [untouched, begun]) {
      const { json } = await sink.waitFor(challenge_id);
      expect(json).toMatchObject({
        event_type: 'challenge.expired',
        challenge_id,
        status: 'expired',
        completed_at: seconds(deadline),
        expires_at: seconds(deadline),
        auth_method: null,
        failure_reason: null,
      });
      expect(await server.read(challenge_id)).toMatchObject({
        status: 'expired',
        is_expired: true,
        completed_at: seconds(deadline),
      });
    }
    await sleep(2_500); // two more sweeps
    expect(sink.received).toHaveLength(2);
    expect(await eventsOf(server, untouched.challenge_id)).toEqual([{ type: 'challenge.expired' }]);
  });

  test('an approval after the deadline loses', async () => {
    const created = await server.create({ callback_url: sink.url });
    const person = createPerson(server);
    await person.start(created).expect(303);
    await letTimePass(server, [created]);
    const answer = await person.decide(created, 'approve');
    expect(answer.status).toBeLessThan(500);
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({ event_type: 'challenge.expired', status: 'expired' });
    expect((await server.read(created.challenge_id)).status).toBe('expired');
    expect(await eventsOf(server, created.challenge_id)).toEqual([{ type: 'challenge.expired' }]);
  });

  test('one that ended before its deadline does not expire', async () => {
    const created = await server.create({ callback_url: sink.url });
    const person = createPerson(server);
    await person.start(created);
    await person.decide(created, 'approve').expect(303);
    await letTimePass(server, [created]);
    await sleep(1_500);
    expect((await server.read(created.challenge_id)).status).toBe('verified');
    expect(await eventsOf(server, created.challenge_id)).toEqual([{ type: 'challenge.completed' }]);
  });

  test('with three servers on one database each challenge still expires once', async () => {
    const others = await many(2, () => serve(readConfig(server.settings)));
    try {
      const created = await many(150, () => server.create({ callback_url: sink.url }));
      await letTimePass(server, created);
      await Promise.all(created.map(({ challenge_id }) => sink.waitFor(challenge_id, 1, 20_000)));
      await sleep(2_000);
      for (const { challenge_id } of created) {
        expect(sink.of(challenge_id)).toHaveLength(1);
        expect(await eventsOf(server, challenge_id)).toHaveLength(1);
      }
    } finally {
      for (const other of others) await other.close();
    }
  });
});

describe('before anybody has swept', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer({ role: 'api' });
  });
  afterAll(() => server.close());

  test('an overdue challenge already reads as expired, and nothing moves it elsewhere', async () => {
    const created = await server.create();
    const person = createPerson(server);
    await person.start(created).expect(303);
    const deadline = await letTimePass(server, [created]);
    const expired = { status: 'expired', is_expired: true, completed_at: seconds(deadline) };
    expect(await server.read(created.challenge_id)).toMatchObject(expired);
    await person.decide(created, 'approve');
    const path = `/api/v1/challenges/${created.challenge_id}/cancel`;
    await server.request.post(path).set('X-API-Key', server.apiKey).expect(409);
    expect(await server.read(created.challenge_id)).toMatchObject(expired);
    expect(await storedStatus(server, created.challenge_id)).toBe('in-progress');
    expect(await eventsOf(server, created.challenge_id)).toEqual([]);
  });

  test('many sweepers at once expire each of 250 challenges once, with one delivery each', async () => {
    const callback_url = 'http://127.0.0.1:9/callback';
    const created = await many(250, () => server.create({ callback_url }));
    await letTimePass(server, created);
    let wakes = 0;
    const deps = { db: server.db, now: () => new Date(), wake: () => void (wakes += 1) };
    const counts = await many(8, () => expireDue(deps));
    // 250 of this test and one that the test before left behind
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThanOrEqual(250);
    expect(wakes).toBeGreaterThan(0);
    expect(await expireDue(deps)).toBe(0);
    for (const { challenge_id } of created) {
      expect(await storedStatus(server, challenge_id)).toBe('expired');
      expect(await eventsOf(server, challenge_id)).toEqual([{ type: 'challenge.expired' }]);
      expect(await deliveriesOf(server.db, challenge_id)).toHaveLength(1);
    }
  });

  test('an approval and several sweepers race: one of them wins, and there is one event', async () => {
    const created = await many(20, () => server.create());
    const people = await Promise.all(
      created.map(async (one) => {
        const person = createPerson(server);
        await person.start(one).expect(303);
        return person;
      }),
    );
    // The deadline falls among the decisions.
    const expires_at = new Date(Date.now() + 60);
    const ids = created.map(({ challenge_id }) => challenge_id);
    await server.db.updateTable('challenges').set({ expires_at }).where('id', 'in', ids).execute();
    const deps = { db: server.db, now: () => new Date(), wake: () => undefined };
    await Promise.all([
      ...people.map((person, n) => sleep(6 * n).then(() => person.decide(created[n]!, 'approve'))),
      ...Array.from({ length: 6 }, (_, n) => sleep(20 * n).then(() => expireDue(deps))),
    ]);
    await sleep(Math.max(0, expires_at.getTime() - Date.now() + 1));
    await expireDue(deps);
    for (const id of ids) {
      const status = await until(() => storedStatus(server, id), 'a status');
      expect(['verified', 'expired']).toContain(status);
      const type = status === 'verified' ? 'challenge.completed' : 'challenge.expired';
      expect(await eventsOf(server, id)).toEqual([{ type }]);
    }
  });
});
