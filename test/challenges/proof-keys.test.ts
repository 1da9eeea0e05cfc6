import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createPublicKey, randomBytes } from 'node:crypto';
import {
  listPublicKeys,
  renewProofKeys,
  revokeProofKey,
  rotateProofKey,
  signingKey,
  stateOf,
} from '../../src/challenges/proof-keys.ts';
import { listProofKeys } from '../../src/challenges/proof-keys-store.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import type { Sealer } from '../../src/kernel/crypto.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import type { Jwk } from '../support/proofs.ts';

const START = Date.parse('2026-01-31T12:00:00Z');
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const [KEY, OTHER_KEY] = [randomBytes(32), randomBytes(32)];

let database: TestDatabase;
let time = START;
let sealer: Sealer;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.deleteFrom('proof_keys').execute();
  time = START;
  sealer = createSealer([KEY]);
});

const now = () => new Date(time);
const deps = (at = time) => ({ db: database.db, sealer, now: () => new Date(at) });
const renew = () => renewProofKeys(deps());
const signer = async (at = time) => (await signingKey(deps(at))).kid;
const states = async () => {
  const keys = await listProofKeys(database.db);
  return keys.map((key) => `${stateOf(key, keys, now())}${key.private_sealed === null ? ', deleted' : ''}`);
};
const rotate = (atOnce: boolean) =>
  database.db.transaction().execute((tx) => rotateProofKey(tx, { sealer, at: now(), atOnce }));
const revoke = (kid: string) =>
  database.db.transaction().execute((tx) => revokeProofKey(tx, { sealer, at: now(), kid }));

describe('by themselves', () => {
  test('the first signs at once, and its private half belongs to what is published', async () => {
    await renew();
    const { kid, key } = await signingKey(deps());
    const [jwk, ...others] = (await listPublicKeys(database.db)) as Jwk[];
    expect(others).toEqual([]);
    expect(createPublicKey(key).export({ format: 'jwk' })).toEqual({
      ...{ kty: jwk?.kty, crv: jwk?.crv, x: jwk?.x, y: jwk?.y },
    });
    expect(jwk?.kid).toBe(kid);
  });

  test('each is published a day before it signs, signs for 90 days, and stays published after that', async () => {
    await renew();
    const first = await signer();
    time = START + 89 * DAY_MS - 1;
    await renew();
    expect(await states()).toEqual(['signing']);
    time += 1;
    await renew();
    await renew();
    expect(await states()).toEqual(['signing', 'next']);
    time += DAY_MS - 1;
    await renew();
    expect(await signer()).toBe(first);
    time += 1;
    await renew();
    expect(await states()).toEqual(['replaced', 'signing']);
    const second = await signer();
    time += HOUR_MS - 1;
    await renew();
    expect(await states()).toEqual(['replaced', 'signing']);
    // A server whose clock is an hour behind still finds the key that it takes for the right one.
    expect(await signer(time - HOUR_MS)).toBe(first);
    time += 1;
    await renew();
    expect(await states()).toEqual(['replaced, deleted', 'signing']);
    expect(await signer()).toBe(second);
    expect(await signer(START)).toBe(second);
    time += 89 * DAY_MS;
    await renew();
    expect(await states()).toEqual(['replaced, deleted', 'signing', 'next']);
    expect((await listPublicKeys(database.db)) as Jwk[]).toMatchObject([{ kid: first }, { kid: second }, {}]);
  });

  test('after a long silence the old one signs until the new one has been published for a day', async () => {
    await renew();
    const first = await signer();
    time += 1_000 * DAY_MS;
    await renew();
    expect(await states()).toEqual(['signing', 'next']);
    expect(await signer()).toBe(first);
    time += DAY_MS;
    expect(await signer()).not.toBe(first);
  });

  test('many servers at once make one', async () => {
    const many = Array.from({ length: 8 });
    await Promise.all(many.map(renew));
    expect(await states()).toEqual(['signing']);
    time += 89 * DAY_MS;
    await Promise.all(many.map(renew));
    expect(await states()).toEqual(['signing', 'next']);
    const kids = await Promise.all(many.map(() => signer()));
    expect(new Set(kids).size).toBe(1);
  });
});

describe('sealed', () => {
  test('under a key in front of which another was put, a key still signs, and a new one needs only that', async () => {
    await renew();
    const first = await signer();
    sealer = createSealer([OTHER_KEY, KEY]);
    expect(await signer()).toBe(first);
    await rotate(false);
    time += DAY_MS + HOUR_MS;
    await renew();
    sealer = createSealer([OTHER_KEY]);
    expect(await signer()).not.toBe(first);
  });

  test('under a key that is lost, none signs until one is made at once', async () => {
    await renew();
    sealer = createSealer([OTHER_KEY]);
    await expect(signer()).rejects.toThrow(/which ENCRYPTION_KEY does not hold/);
    const { kid } = await rotate(true);
    expect(await signer()).toBe(kid);
  });

  test('a private half that was copied to another row does not open there', async () => {
    await renew();
    const [stolen] = await listProofKeys(database.db);
    const { kid } = await rotate(true);
    const { private_sealed } = stolen!;
    await database.db.updateTable('proof_keys').set({ private_sealed }).where('kid', '=', kid).execute();
    await expect(signingKey(deps())).rejects.toThrow();
  });
});

describe('by hand', () => {
  test('a rotation publishes a key that signs from the next day, once', async () => {
    await renew();
    const first = await signer();
    const { kid, signs_from, retired } = await rotate(false);
    expect({ signs_from, retired }).toEqual({ signs_from: new Date(START + DAY_MS), retired: [] });
    await expect(rotate(false)).rejects.toThrow(
      `key ${kid} waits already, and signs from ${signs_from.toISOString()}`,
    );
    expect(await signer()).toBe(first);
    time += DAY_MS;
    expect(await signer()).toBe(kid);
    // The 90 days begin anew.
    await renew();
    expect(await states()).toEqual(['replaced', 'signing']);
  });

  test('a rotation at once leaves one private half, and all public ones', async () => {
    await renew();
    const first = await signer();
    const waiting = await rotate(false);
    const { kid, retired } = await rotate(true);
    expect(retired).toEqual([first, waiting.kid]);
    expect(await signer()).toBe(kid);
    // Also by a clock that is behind the one that made it.
    expect(await signer(START - HOUR_MS)).toBe(kid);
    expect((await listPublicKeys(database.db)) as Jwk[]).toHaveLength(3);
    time += 10 * DAY_MS;
    await renew();
    expect(await signer()).toBe(kid);
  });

  test('the first of all signs at once, however it is made', async () => {
    const { signs_from } = await rotate(false);
    expect(signs_from).toEqual(now());
  });

  test('a revoked key leaves the list, and another one signs at once', async () => {
    await renew();
    const first = await signer();
    const waiting = await rotate(false);
    const revoked = await revoke(first);
    expect(await signer()).toBe(revoked?.signing);
    expect([first, waiting.kid]).not.toContain(revoked?.signing);
    const published = ((await listPublicKeys(database.db)) as Jwk[]).map(({ kid }) => kid);
    expect(published).toEqual([revoked?.signing, waiting.kid]);
    time += DAY_MS;
    expect(await signer()).toBe(waiting.kid);
    // One that does not sign any more: the one that does goes on.
    expect(await revoke(revoked!.signing)).toEqual({ signing: waiting.kid });
    expect(await revoke('nobody')).toBeUndefined();
    expect(await states()).toEqual(['signing']);
  });
});
