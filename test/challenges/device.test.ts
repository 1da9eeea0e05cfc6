import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { tellDevice } from '../../src/challenges/device-told.ts';
import { findAnyChallenge } from '../../src/challenges/store.ts';
import { cancel, deliveriesOf } from '../support/deliveries.ts';
import { FACTS, openHeld, UNTOLD } from '../support/held.ts';
import type { Held } from '../support/held.ts';
import { createPerson } from '../support/person.ts';
import { makeOverdue } from '../support/rows.ts';
import type { Created } from '../support/server.ts';

const COLLECTED = { device_fingerprint: FACTS, device_fingerprint_status: 'collected' };

let held: Held;
let eraser: string;
beforeAll(async () => {
  held = await openHeld();
  const rights = { scopes: ['challenges:erase', 'challenges:read'], own_only: false };
  eraser = (await held.server.integration({ rights })).apiKey;
});
afterAll(() => held.close());

const read = ({ challenge_id }: Created) => held.server.read(challenge_id);
const erase = ({ challenge_id }: Created) =>
  held.server.request.post(`/api/v1/challenges/${challenge_id}/erase`).set('X-API-Key', eraser).expect(200);

describe('what the browser tells', () => {
  test('before the end goes with the callback, which then waits for nothing', async () => {
    const { created, person } = await held.begin();
    expect(await read(created)).toMatchObject({ ...UNTOLD, device_fingerprint_status: 'pending' });
    await person.tell(created).expect(204);
    expect(await read(created)).toMatchObject(COLLECTED);
    await person.decide(created, 'approve').expect(303);
    const [callback, ...others] = await held.carry(created);
    expect(others).toEqual([]);
    expect(callback?.json).toMatchObject({ status: 'verified', device_fingerprint: FACTS });
    expect(Object.keys(callback?.json.device_fingerprint as object)).toEqual([
      ...['browser', 'os', 'screen', 'timezone', 'ip', 'user_agent', 'language'],
    ]);
  });

  test.each(['approve', 'decline'])(
    'after %s lets the callback go, as the same event with nothing else changed',
    async (decision) => {
      const { created, person } = await held.end(decision, { metadata: { b: '2', a: '1' }, ticket: 'INC-1' });
      const before = await held.deliveryOf(created);
      expect(before).toMatchObject({ status: 'pending', held: true, json: { device_fingerprint: null } });
      expect(await read(created)).toMatchObject({ device_fingerprint_status: 'pending' });
      expect(await held.carry(created)).toHaveLength(0);

      await person.tell(created).expect(204);
      const after = await held.deliveryOf(created);
      expect(after).toMatchObject({ id: before.id, held: false, due_in_s: expect.any(Number) });
      expect(after.due_in_s).toBeLessThanOrEqual(0);
      expect(JSON.stringify({ ...after.json, device_fingerprint: null })).toBe(before.body);
      const [callback, ...others] = await held.carry(created);
      expect(others).toEqual([]);
      expect(callback?.body.toString()).toBe(after.body);
      expect(callback?.json.device_fingerprint).toEqual(FACTS);
      expect(await read(created)).toMatchObject(COLLECTED);
    },
  );

  test('a second time changes nothing, before the end or after it', async () => {
    const { created, person } = await held.begin();
    await person.tell(created).expect(204);
    await person.tell(created, { screen: '800x600' }).expect(204);
    await person.decide(created, 'approve').expect(303);
    await person.tell(created, { screen: '800x600' }).expect(204);
    const [callback] = await held.carry(created);
    expect(callback?.json.device_fingerprint).toEqual(FACTS);
    expect(await read(created)).toMatchObject(COLLECTED);
  });

  test('is forgotten when another browser presses Start, and only that one may tell from then on', async () => {
    const { created, person } = await held.begin();
    await person.tell(created).expect(204);
    const other = createPerson(held.server);
    await other.press(created).expect(303);
    expect(await read(created)).toMatchObject({ ...UNTOLD, device_fingerprint_status: 'pending' });
    await person.tell(created).expect(403);
    await other.tell(created, { screen: '390x844' }).expect(204);
    const { device_fingerprint } = await read(created);
    expect(device_fingerprint).toMatchObject({ screen: '390x844', timezone: null });
  });

  test('is not kept when another browser takes over in the very moment', async () => {
    const { created } = await held.begin();
    const visited = (await findAnyChallenge(held.db, created.challenge_id))!;
    await createPerson(held.server).press(created).expect(303);
    const deps = { db: held.db, now: () => new Date(), wake: () => undefined };
    expect(await tellDevice(deps, visited, FACTS)).toBe('late');
    expect(await read(created)).toMatchObject({ device_fingerprint: null });
  });

  test('is taken after the end also where nobody is called back, but not later than a callback would wait', async () => {
    const { created, person } = await held.end('approve', { callback_url: null });
    await held.letPass(created, 8);
    await person.tell(created).expect(204);
    expect(await read(created)).toMatchObject(COLLECTED);
    const late = await held.end('approve', { callback_url: null });
    await held.letPass(late.created, 10);
    await late.person.tell(late.created).expect(409);
    expect(await read(late.created)).toMatchObject(UNTOLD);
  });
});

describe('a callback goes without', () => {
  test('when its time is over; what is told then changes nothing', async () => {
    const { created, person } = await held.end();
    const { body, due_in_s } = await held.deliveryOf(created);
    expect(due_in_s).toBeGreaterThan(5);
    expect(due_in_s).toBeLessThanOrEqual(10);
    await held.endHold(created);
    const [callback] = await held.carry(created);
    expect(callback?.body.toString()).toBe(body);
    expect(callback?.json.device_fingerprint).toBeNull();
    await person.tell(created).expect(409);
    expect((await held.deliveryOf(created)).body).toBe(body);
    await held.letPass(created, 10);
    expect(await read(created)).toMatchObject(UNTOLD);
  });

  test.each([
    ['an incident', async () => held.end('report')],
    [
      'a cancellation',
      async () => {
        const begun = await held.begin();
        await cancel(held.server, begun.created);
        return begun;
      },
    ],
    [
      'an end that a program plays',
      async () => {
        const begun = await held.begin();
        const { request, apiKey } = held.server;
        const path = `/api/v1/challenges/${begun.created.challenge_id}/simulate`;
        await request.post(path).set('X-API-Key', apiKey).send({ outcome: 'verify' }).expect(200);
        return begun;
      },
    ],
  ])('at once after %s, and nothing can be told any more', async (_what, play) => {
    const { created, person } = await play();
    expect(await held.carry(created)).toHaveLength(1);
    await person.tell(created).expect(409);
    expect(await read(created)).toMatchObject({ device_fingerprint: null });
  });

  test('at once when the challenge has expired, told or not', async () => {
    const { created, person } = await held.begin();
    await makeOverdue(held.db, created.challenge_id);
    await person.tell(created).expect(409);
    expect(await read(created)).toMatchObject({ ...UNTOLD, status: 'expired' });
  });

  test('at once when nobody ever pressed Start', async () => {
    const created = await held.server.create({ callback_url: held.sink.url });
    const { request, apiKey } = held.server;
    const path = `/api/v1/challenges/${created.challenge_id}/simulate`;
    await request.post(path).set('X-API-Key', apiKey).send({ outcome: 'deny' }).expect(200);
    expect(await held.deliveryOf(created)).toMatchObject({ held: false });
    expect(await read(created)).toMatchObject(UNTOLD);
  });

  test('when the person says that it was not them: the result first, then the alarm', async () => {
    const { created, person } = await held.end();
    await person.report(created).expect(303);
    await person.tell(created).expect(409);
    const callbacks = await held.carry(created);
    expect(callbacks.map(({ json }) => [json.sequence, json.event_type, json.device_fingerprint])).toEqual([
      [1, 'challenge.completed', null],
      [2, 'challenge.incident_reported', null],
    ]);
    expect(await read(created)).toMatchObject({ ...UNTOLD, disputed: true });
  });

  test('when somebody sends it again by hand, and then both go with the same bytes', async () => {
    const { created, person } = await held.end();
    const { id, body } = await held.deliveryOf(created);
    const { request, apiKey } = held.server;
    await request.post(`/api/v1/deliveries/${id}/resend`).set('X-API-Key', apiKey).expect(202);
    await person.tell(created).expect(409);
    const callbacks = await held.carry(created);
    expect(callbacks.map((one) => one.body.toString())).toEqual([body, body]);
  });

  test('when its endpoint was disabled meanwhile: dead like everything there', async () => {
    const own = await held.server.integration({ callback_url: held.sink.url });
    const created = await held.server.create({}, own.apiKey);
    const person = createPerson(held.server);
    await person.press(created).expect(303);
    await person.decide(created, 'approve').expect(303);
    await sql`update deliveries set status = 'dead', dead_reason = 'endpoint_disabled', completed_at = now()
      where id = ${(await held.deliveryOf(created)).id}`.execute(held.db);
    await person.tell(created).expect(409);
    expect(await held.deliveryOf(created)).toMatchObject({
      status: 'dead',
      json: { device_fingerprint: null },
    });
  });
});

test('nothing can be told about an erased challenge, and what waited is not sent', async () => {
  const { created, person } = await held.end();
  await erase(created);
  await person.tell(created).expect(409);
  expect(await held.deliveryOf(created)).toMatchObject({ status: 'canceled', body: null });
  expect(await held.carry(created)).toHaveLength(0);
  expect(await read(created)).toMatchObject(UNTOLD);
});

test('what was told is erased with the challenge', async () => {
  const { created, person } = await held.end();
  await person.tell(created).expect(204);
  await erase(created);
  await person.tell(created).expect(409);
  expect(await read(created)).toMatchObject(UNTOLD);
  expect(await deliveriesOf(held.db, created.challenge_id)).toMatchObject([{ status: 'canceled' }]);
});
