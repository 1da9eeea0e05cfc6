import { createCipheriv, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newIdentity } from '../../src/simulators/passbase-identities.ts';
import type { PassbaseIdentity } from '../../src/simulators/passbase-identities.ts';
import { startPassbase } from '../../src/simulators/passbase.ts';
import { flipped, shotOf, startDoor } from '../support/hostile.ts';
import type { Door, Shot } from '../support/hostile.ts';
import { holdsAgainstAnyone, NOT_AUTHENTIC, opensForTheRightOne } from '../support/hostile-common.ts';

type Json = { [field: string]: unknown };

let door: Door;
beforeAll(async () => {
  door = await startDoor('passbase', startPassbase, 'approved_at_once');
});
afterAll(() => door.close());

const secondsNow = () => Math.floor(Date.now() / 1_000);
/** What Passbase says of an identity, whatever is true there. */
function hint(key: string, fields: Json = {}): Json {
  const now = secondsNow();
  const times = { created: now, updated: now, processed: now };
  return { event: 'VERIFICATION_REVIEWED', key, status: 'approved', ...times, ...fields };
}
/** Encrypted as Passbase does it; unlike its stand-in, this takes any text. */
function sealed(body: Json | string, { webhook_secret = '' } = door.simulator.settings): Shot {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', webhook_secret, iv);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const bytes = Buffer.concat([iv, cipher.update(text), cipher.final()]);
  return { body: bytes.toString('base64'), headers: { 'content-type': 'text/plain' } };
}
const identityOf = ({ session }: Pick<Door['open'], 'session'>) => session as PassbaseIdentity;

holdsAgainstAnyone(
  () => door,
  (settings) => sealed(hint(randomUUID()), settings),
);

describe('an approval of a challenge that waits, which Passbase has not encrypted', () => {
  const text = () => JSON.stringify(hint(identityOf(door.open).id));
  const bytes = () => Buffer.from(String(sealed(hint(identityOf(door.open).id)).body), 'base64');
  const inBase64 = (body: Buffer) => ({
    body: body.toString('base64'),
    headers: { 'content-type': 'text/plain' },
  });

  test.each<[string, () => Shot]>([
    ['in the clear, as JSON', () => ({ body: text(), headers: { 'content-type': 'application/json' } })],
    ['in the clear, as text', () => ({ body: text(), headers: { 'content-type': 'text/plain' } })],
    ['in base64 only', () => inBase64(Buffer.from(text()))],
    ['as raw bytes', () => ({ body: bytes(), headers: { 'content-type': 'application/octet-stream' } })],
    ['with a changed IV, so that it opens to another event', () => inBase64(flipped(bytes(), 3))],
    ['with a changed end, so that the padding is wrong', () => inBase64(flipped(bytes(), -1))],
    ['a block short', () => inBase64(bytes().subarray(0, -16))],
    ['half a block short', () => inBase64(bytes().subarray(0, -8))],
    ['an IV and nothing else', () => inBase64(bytes().subarray(0, 16))],
    ['in the base64 of URLs', () => ({ ...inBase64(bytes()), body: bytes().toString('base64url') })],
    ['with spaces in it', () => ({ ...inBase64(bytes()), body: `${bytes().toString('base64')}  ` })],
    ['in JSON quotes', () => ({ ...inBase64(bytes()), body: JSON.stringify(bytes().toString('base64')) })],
  ])('%s: 401', async (_name, shot) => {
    await door.leaves(shot(), NOT_AUTHENTIC);
  });

  test.each<[string, () => Json]>([
    ['an event that does not exist', () => hint(identityOf(door.open).id, { event: 'VERIFICATION_FORGED' })],
    ['no key', () => hint('', { key: undefined })],
    ['a key that would be another path', () => hint('../identities')],
    ['a key that is no text', () => hint('', { key: [identityOf(door.open).id] })],
  ])('encrypted, but no webhook of Passbase’s: %s: 401', async (_name, body) => {
    await door.leaves(sealed(body()), NOT_AUTHENTIC);
  });

  test('encrypted, but with a key that stands twice with different values: 401', async () => {
    const { id } = identityOf(door.open);
    const twice = `{"key":"${randomUUID()}",${JSON.stringify(hint(id)).slice(1)}`;
    await door.leaves(sealed(twice), NOT_AUTHENTIC);
  });
});

describe('what is authentic but must not have an effect is kept, answered 200, and has none', () => {
  test('the same bytes again, and the same hint encrypted anew', async () => {
    const last = door.messages.at(-1);
    if (!last) throw new Error('nothing was sent');
    const line = { kind: 'verification_completed', outcome: 'applied', copies: 2 };
    await door.leaves(shotOf(last), { status: 200, line });
    const { id, created, updated, processed } = identityOf(door.ended);
    const again = hint(id, { event: 'VERIFICATION_COMPLETED', created, updated, processed });
    await door.leaves(sealed(again), { status: 200, line: { ...line, copies: 3 } });
  });

  test('a hint that says more than is true: Passbase is asked, and has not approved', async () => {
    await door.play(door.open.session, 'pending');
    await door.outcomes(door.open.session);
    const identity = identityOf(door.open);
    // Silent about the watchlist, which would be noted.
    Object.assign(identity, { updated: identity.updated + 1, clean: null });
    const lie = hint(identity.id, { updated: identity.updated + 1_000 });
    await door.leaves(sealed(lie), { status: 200, line: { outcome: 'recorded' } });
  });

  test('a change of mind after the decision: too late, and one entry in the trail of its challenge', async () => {
    const identity = identityOf(door.ended);
    // Silent about the watchlist again: it is noted on an ended challenge too.
    Object.assign(identity, { status: 'declined', updated: identity.updated + 10, clean: null });
    const declined = hint(identity.id, { status: 'declined', updated: identity.updated });
    await door.leaves(sealed(declined), { status: 200, line: { outcome: 'too_late' }, audits: 1 });
    expect((await door.audit(door.ended.id)).at(-1)).toMatchObject({
      actor: 'provider:passbase',
      action: 'report_after_end',
      detail: { report: 'declined', status: 'verified' },
    });
  });

  test('a decision older than the one applied', async () => {
    const identity = identityOf(door.ended);
    Object.assign(identity, { status: 'declined', updated: identity.created - 100 });
    const before = hint(identity.id, { status: 'declined', updated: identity.updated });
    await door.leaves(sealed(before), { status: 200, line: { outcome: 'stale' } });
  });

  test('an identity that nobody knows', async () => {
    await door.leaves(sealed(hint(randomUUID())), { status: 200, line: { handled_at: null } });
  });

  test("an identity of another tenant's challenge, told to us or to them", async () => {
    const { id } = identityOf(door.foreign);
    Object.assign(identityOf(door.foreign), { status: 'approved', updated: secondsNow() });
    await door.leaves(sealed(hint(id)), { status: 200, line: { handled_at: null } });
    const theirs = sealed(hint(id), door.other.settings);
    await door.leaves(theirs, { status: 200, line: { handled_at: null } }, door.otherAccount);
  });

  test('a second identity for a challenge whose identity is known', async () => {
    const second = {
      ...newIdentity(door.simulator.url, { challenge_id: door.ended.id }),
      status: 'declined',
    };
    (door.simulator.sessions as PassbaseIdentity[]).push(second as PassbaseIdentity);
    const told = sealed(hint(second.id, { status: 'declined' }));
    await door.leaves(told, { status: 200, line: { outcome: 'other_challenge' }, audits: 1 });
    expect((await door.audit(door.ended.id)).at(-1)).toMatchObject({ action: 'report_of_other_session' });
  });

  test('an event that means no new verification', async () => {
    const again = hint(identityOf(door.open).id, { event: 'IDENTITY_AUTHENTICATED' });
    await door.leaves(sealed(again), { status: 200, line: { outcome: 'no_effect' } });
  });

  test.each(['application/json', 'application/octet-stream', 'x/y; charset=utf-16'])(
    'by the bytes alone, whatever the content type says: %s',
    async (type) => {
      const { body } = sealed(hint(randomUUID()));
      const line = { handled_at: null };
      await door.leaves({ body, headers: { 'content-type': type } }, { status: 200, line });
    },
  );
});

opensForTheRightOne(
  () => door,
  () => {
    const message = door.simulator.play(door.open.session, 'approved_at_once').at(-1);
    if (!message) throw new Error('Passbase has nothing to tell');
    return shotOf(message);
  },
);
