import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startBerbix } from '../../src/simulators/berbix.ts';
import { signatureHeader } from '../../src/simulators/berbix-webhooks.ts';
import { aboutOf, shotOf, startDoor } from '../support/hostile.ts';
import type { Door, Shot } from '../support/hostile.ts';
import { holdsAgainstAnyone, NOT_AUTHENTIC, opensForTheRightOne } from '../support/hostile-common.ts';

type Json = { [field: string]: unknown };
type Hook = 'finished_secret' | 'status_secret' | 'progress_secret';

/** More than the 300 seconds that a signature may be off. */
const TOO_FAR_MS = 310_000;

let door: Door;
beforeAll(async () => {
  door = await startDoor('berbix', startBerbix, 'accept');
});
afterAll(() => door.close());

/** As the hook with this secret signs it, some time from now. */
function signed(
  body: Json | string,
  hook: Hook,
  { settings = door.simulator.settings, inMs = 0 } = {},
): Shot {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  const at = new Date(Date.now() + inMs);
  const headers = { 'x-berbix-signature': signatureHeader(settings[hook] ?? '', text, at) };
  return { body: text, headers };
}

type About = { sessionId: string; challengeId: string | null };
/** Transaction ids go beyond what a JSON number holds exactly, so they are put in as digits. */
function json(body: Json): string {
  return JSON.stringify(body).replace(/"digits:(\d+)"/g, '$1');
}
const finished = ({ sessionId, challengeId }: About, action = 'accept') =>
  json({ transaction_id: `digits:${sessionId}`, customer_uid: challengeId, action, code: 'c0de' });
const changed = ({ sessionId, challengeId }: About, action = 'accept', id = idOfNobody()) =>
  json({ id: `digits:${id}`, transaction_id: `digits:${sessionId}`, customer_uid: challengeId, action });
const progress = ({ sessionId, challengeId }: About, message = 'SESSION_STARTED') => {
  const created_at = new Date().toISOString();
  return json({
    ...{
      transaction_id: `digits:${sessionId}`,
      customer_uid: challengeId,
      type: 'event',
      message,
      created_at,
    },
  });
};
let nobodies = 0;
const idOfNobody = () => `90071992547409${(nobodies += 1)}`;
const nobody = () => ({ sessionId: idOfNobody(), challengeId: 'nobody' });
const parked = { handled_at: null };

holdsAgainstAnyone(
  () => door,
  (settings) => signed(finished(nobody()), 'finished_secret', { settings }),
);

describe('an approval of a challenge that waits, without a right signature', () => {
  const approval = () => finished(aboutOf(door.open));
  const right = () => signed(approval(), 'finished_secret');
  const header = () => right().headers['x-berbix-signature'] ?? '';
  const under = (value: string): Shot => ({ body: approval(), headers: { 'x-berbix-signature': value } });

  test.each<[string, () => Shot]>([
    ['no signature at all', () => ({ body: approval(), headers: { 'content-type': 'application/json' } })],
    [
      'an old time, though it was right then',
      () => signed(approval(), 'finished_secret', { inMs: -TOO_FAR_MS }),
    ],
    ['a time yet to come', () => signed(approval(), 'finished_secret', { inMs: TOO_FAR_MS })],
    [
      'another time than the signed one',
      () => under(header().replace(/,(\d+),/, (_, at) => `,${Number(at) + 1},`)),
    ],
    ['a time that is no number', () => under(header().replace(/,\d+,/, ',NaN,'))],
    ['another version', () => under(header().replace('v0', 'v1'))],
    ['more parts than there are', () => under(`${header()},`)],
    ['a signature cut short', () => under(header().slice(0, -2))],
    ['the secret of the status hook', () => signed(approval(), 'status_secret')],
    ['the secret of the progress hook', () => signed(approval(), 'progress_secret')],
    [
      'no secret',
      () => ({
        body: approval(),
        headers: { 'x-berbix-signature': signatureHeader('', approval(), new Date()) },
      }),
    ],
  ])('%s: 401', async (_name, shot) => {
    await door.leaves(shot(), NOT_AUTHENTIC);
  });

  test('a change of status signed by the hook of progress, or of what is finished: 401', async () => {
    for (const hook of ['progress_secret', 'finished_secret'] as const)
      await door.leaves(signed(changed(aboutOf(door.open)), hook), NOT_AUTHENTIC);
    await door.leaves(signed(progress(aboutOf(door.open)), 'finished_secret'), NOT_AUTHENTIC);
  });

  test('what was right once is refused when it comes again later', async () => {
    const last = door.messages.at(-1);
    if (!last) throw new Error('nothing was sent');
    const text = last.body.toString();
    await door.leaves(signed(text, 'finished_secret', { inMs: -TOO_FAR_MS }), NOT_AUTHENTIC);
  });
});

describe('what is authentic but must not have an effect is kept, answered 200, and has none', () => {
  test('the same bytes again, and the same decision signed anew in other bytes', async () => {
    const last = door.messages.at(-1);
    if (!last) throw new Error('nothing was sent');
    const line = { kind: 'finished', outcome: 'applied', copies: 2 };
    await door.leaves(shotOf(last), { status: 200, line });
    const again = finished(aboutOf(door.ended));
    await door.leaves(signed(again, 'finished_secret', { inMs: 1_000 }), {
      status: 200,
      line: { ...line, copies: 3 },
    });
  });

  test('a change of mind after the decision: too late, and one entry in the trail of its challenge', async () => {
    const reject = signed(changed(aboutOf(door.ended), 'reject'), 'status_secret');
    await door.leaves(reject, { status: 200, line: { outcome: 'too_late' }, audits: 1 });
    expect((await door.audit(door.ended.id)).at(-1)).toMatchObject({
      actor: 'provider:berbix',
      action: 'report_after_end',
      detail: { report: 'reject', status: 'verified' },
    });
    await door.leaves(reject, { status: 200, line: { outcome: 'too_late', copies: 2 } });
  });

  test('a second end that contradicts the first, which nothing puts in order', async () => {
    const reject = signed(finished(aboutOf(door.ended), 'reject'), 'finished_secret');
    await door.leaves(reject, { status: 200, line: { outcome: 'stale' } });
  });

  test('a transaction that nobody knows, alone or with the id of a challenge that waits', async () => {
    for (const about of [nobody(), { ...nobody(), challengeId: door.open.id }])
      await door.leaves(signed(finished(about), 'finished_secret'), { status: 200, line: parked });
  });

  test("another tenant's transaction, by its own id or under ours", async () => {
    await door.leaves(signed(finished(aboutOf(door.foreign)), 'finished_secret'), {
      status: 200,
      line: parked,
    });
    const mixed = { ...aboutOf(door.open), challengeId: door.foreign.id };
    const line = { outcome: 'other_challenge' };
    await door.leaves(signed(finished(mixed, 'reject'), 'finished_secret'), { status: 200, line, audits: 1 });
  });

  test('what the Test buttons send', async () => {
    const about = { transaction_id: 1234123412341234, customer_uid: 'unique-uid' };
    const decided = { ...about, action: 'test-action', dashboard_link: 'https://docs.berbix.com' };
    const body = { user_id: 1234123412341234, code: '1234123412341234', ...decided };
    await door.leaves(signed(body, 'finished_secret'), { status: 200, line: parked });
    await door.leaves(signed({ id: 1234123412341234, ...decided }, 'status_secret'), {
      status: 200,
      line: parked,
    });
  });

  test.each<[string, () => string]>([
    [
      'a key that stands twice with different values',
      () => finished(aboutOf(door.open)).replace('{', '{"action":"reject",'),
    ],
    ['two kinds at once', () => `${progress(aboutOf(door.open)).slice(0, -1)},"action":"accept"}`],
    [
      'an action of Berbix’s that is no text',
      () => finished(aboutOf(door.open)).replace('"accept"', '["accept"]'),
    ],
    ['no JSON', () => 'accept'],
    ['nothing', () => ''],
    ['nested beyond all measure', () => '{"a":'.repeat(40_000)],
  ])('%s', async (_name, make) => {
    const body = make();
    for (const hook of ['finished_secret', 'status_secret'] as const) {
      // The same text is the same webhook, whichever hook it came by.
      const copies = hook === 'finished_secret' ? 1 : 2;
      const line = { kind: 'unknown', outcome: 'no_effect', copies };
      await door.leaves(signed(body, hook), { status: 200, line });
    }
  });

  test('words that PostgreSQL could not store', async () => {
    const body = finished(nobody(), '\0\ud800');
    await door.leaves(signed(body, 'finished_secret'), { status: 200, line: parked });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded'])(
    'by the bytes alone, whatever the content type says: %s',
    async (type) => {
      const shot = signed(finished(nobody()), 'finished_secret');
      const headers = { ...shot.headers, 'content-type': type };
      await door.leaves({ ...shot, headers }, { status: 200, line: parked });
    },
  );
});

opensForTheRightOne(
  () => door,
  () => signed(finished(aboutOf(door.open)), 'finished_secret'),
);
