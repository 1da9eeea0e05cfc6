import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sha256 } from '../../src/kernel/crypto.ts';
import { authHeaders } from '../../src/simulators/veriff-auth.ts';
import type { HeaderNames } from '../../src/simulators/veriff-auth.ts';
import { startVeriff } from '../../src/simulators/veriff.ts';
import { aboutOf, shotOf, startDoor } from '../support/hostile.ts';
import type { Door, Shot } from '../support/hostile.ts';
import { holdsAgainstAnyone, NOT_AUTHENTIC, opensForTheRightOne } from '../support/hostile-common.ts';

type Json = { [field: string]: unknown };
type Settings = Door['simulator']['settings'];

let door: Door;
beforeAll(async () => {
  door = await startDoor('veriff', startVeriff, 'approved');
});
afterAll(() => door.close());

const parked = { kind: 'decision', handled_at: null };

function signed(
  body: Json | string | Buffer,
  settings: Settings = door.simulator.settings,
  names?: HeaderNames,
) {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  const { api_key: apiKey = '', shared_secret: secret = '' } = settings;
  return { body: bytes, headers: authHeaders({ apiKey, secret }, bytes, names) } satisfies Shot;
}

/** A decision as Veriff words it. */
function decision(
  { sessionId, challengeId }: { sessionId: string; challengeId: string | null },
  fields: Json = {},
) {
  const code = fields.status === 'declined' ? 9102 : 9001;
  const verification = {
    ...{ id: sessionId, attemptId: randomUUID(), code, status: 'approved', vendorData: challengeId },
    ...{ decisionTime: new Date().toISOString(), reasonCode: null },
    ...fields,
  };
  return { status: 'success', verification };
}
const nobody = () => ({ sessionId: randomUUID(), challengeId: randomUUID() });

holdsAgainstAnyone(
  () => door,
  (settings) => signed(decision(nobody()), settings),
);

describe('an approval of a challenge that waits, without a right signature', () => {
  const approval = () => JSON.stringify(decision(aboutOf(door.open)));
  const right = () => signed(approval());

  test.each<[string, () => Shot]>([
    ['no signature at all', () => ({ body: approval(), headers: { 'content-type': 'application/json' } })],
    ['no client', () => without(right(), 'x-auth-client')],
    ['no signature but the right client', () => without(right(), 'x-hmac-signature')],
    [
      'a signature of another body',
      () => ({ ...right(), body: JSON.stringify(decision(aboutOf(door.open))) }),
    ],
    ['the plain hash that Veriff used once', () => plainHash(approval())],
    [
      'a signature in two headers, one of them wrong',
      () => ({
        ...right(),
        headers: { ...right().headers, 'vrf-auth-client': 'x', 'vrf-hmac-signature': '0'.repeat(64) },
      }),
    ],
    ['a signature that is no hex', () => withValue(right(), 'x-hmac-signature', 'z'.repeat(64))],
    [
      'a signature cut short',
      () => withValue(right(), 'x-hmac-signature', right().headers['x-hmac-signature']?.slice(0, 32) ?? ''),
    ],
    [
      'the secret itself',
      () => withValue(right(), 'x-hmac-signature', door.simulator.settings.shared_secret ?? ''),
    ],
  ])('%s: 401', async (_name, shot) => {
    await door.leaves(shot(), NOT_AUTHENTIC);
  });
});

describe('what is authentic but must not have an effect is kept, answered 200, and has none', () => {
  test('the same bytes again, and the same decision in other bytes', async () => {
    const [first] = door.messages.slice(-1);
    if (!first) throw new Error('no decision was sent');
    const line = { outcome: 'applied', copies: 2 };
    await door.leaves(shotOf(first), { status: 200, line });
    const reprinted = JSON.stringify(JSON.parse(first.body.toString()), undefined, 2);
    await door.leaves(signed(reprinted), { status: 200, line: { ...line, copies: 3 } });
  });

  test('a decision that contradicts the one applied: too late, and one entry in the trail of its challenge', async () => {
    const { ended } = door;
    const later = new Date(Date.now() + 60_000).toISOString();
    const declined = decision(aboutOf(ended), { status: 'declined', decisionTime: later, reasonCode: '102' });
    await door.leaves(signed(declined), { status: 200, line: { outcome: 'too_late' }, audits: 1 });
    const trail = await door.audit(ended.id);
    expect(trail.at(-1)).toMatchObject({
      actor: 'provider:veriff',
      action: 'report_after_end',
      detail: { report: 'declined', reason_code: '102', status: 'verified' },
    });
  });

  test('a decision older than the one applied', async () => {
    const before = decision(aboutOf(door.ended), {
      status: 'declined',
      decisionTime: '2020-01-01T00:00:00Z',
    });
    await door.leaves(signed(before), { status: 200, line: { outcome: 'stale' } });
  });

  test('a session that nobody knows, alone or with the id of a challenge that waits', async () => {
    await door.leaves(signed(decision(nobody())), { status: 200, line: parked });
    const guess = { ...nobody(), challengeId: door.open.id };
    await door.leaves(signed(decision(guess)), { status: 200, line: parked });
  });

  test("another tenant's session, by its own id or under ours", async () => {
    await door.leaves(signed(decision(aboutOf(door.foreign))), { status: 200, line: parked });
    const mixed = { ...aboutOf(door.open), challengeId: door.foreign.id };
    const line = { outcome: 'other_challenge' };
    await door.leaves(signed(decision(mixed)), { status: 200, line, audits: 1 });
    expect((await door.audit(door.open.id)).at(-1)).toMatchObject({ action: 'report_for_other_challenge' });
    expect(await door.audit(door.foreign.id)).not.toContainEqual(
      expect.objectContaining({ actor: 'provider:veriff' }),
    );
  });

  test('a key that stands twice with different values, outside or inside', async () => {
    const { verification } = decision(aboutOf(door.open));
    const [approved, declined] = ['approved', 'declined'].map((status) =>
      JSON.stringify({ ...verification, status }),
    );
    const bodies = [
      `{"verification":${approved},"verification":${declined}}`,
      `{"verification":${approved?.replace('"status":"approved"', '"status":"declined","status":"approved"')}}`,
    ];
    for (const body of bodies) {
      await door.leaves(signed(body), { status: 200, line: { kind: 'unknown', outcome: 'no_effect' } });
    }
  });

  test.each<[string, () => string | Buffer]>([
    ['nothing', () => ''],
    ['a list', () => JSON.stringify([decision(aboutOf(door.open))])],
    ['an outcome in the wrong place', () => JSON.stringify({ ...aboutOf(door.open), status: 'approved' })],
    [
      'a decision that says it is something else too',
      () => JSON.stringify({ ...decision(aboutOf(door.open)), eventType: 'x' }),
    ],
    ['nested beyond all measure', () => '['.repeat(100_000)],
    ['a number without end', () => `{"verification":${'9'.repeat(100_000)}}`],
    ['not UTF-8', () => Buffer.from([0xff, 0xfe, 0x00, 0xd8])],
    ['a form', () => 'status=approved'],
  ])('%s', async (_name, body) => {
    await door.leaves(signed(body()), { status: 200, line: { kind: 'unknown', outcome: 'no_effect' } });
  });

  test('words that PostgreSQL could not store', async () => {
    const body = {
      ...decision({ ...nobody(), sessionId: 'a\0b' }, { attemptId: '\ud800', reasonCode: '\0' }),
    };
    await door.leaves(signed(body), { status: 200, line: { outcome: 'unknown_session' } });
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'x/y; charset=utf-16',
  ])('by the bytes alone, whatever the content type says: %s', async (type) => {
    const shot = signed(decision(nobody()));
    const headers = { ...shot.headers, 'content-type': type };
    await door.leaves({ ...shot, headers }, { status: 200, line: parked });
  });
});

opensForTheRightOne(
  () => door,
  () => signed(decision(aboutOf(door.open))),
);

function without({ body, headers }: Shot, name: string): Shot {
  const { [name]: _, ...rest } = headers;
  return { body, headers: rest };
}

/** What Veriff's older integrations did: no HMAC, and whoever knows one hash can make others. */
function plainHash(body: string): Shot {
  const { api_key = '', shared_secret = '' } = door.simulator.settings;
  return { body, headers: { 'x-auth-client': api_key, 'x-signature': sha256(`${body}${shared_secret}`) } };
}

function withValue({ body, headers }: Shot, name: string, value: string): Shot {
  return { body, headers: { ...headers, [name]: value } };
}
