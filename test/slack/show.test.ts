import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { cancel } from '../support/deliveries.ts';
import { createPerson, DEVICE } from '../support/person.ts';
import { until } from '../support/until.ts';
import { wordsOf } from '../support/slack.ts';
import { deleteIn, openWorld, runOut } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import type { Created } from '../support/server.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());
afterEach(() => world.heal());

/** Slack answers who is who, and nothing else. */
const awayToWrite = (method: string) => (method.startsWith('chat.') ? { status: 503 } : undefined);

/** A challenge whose two messages stand in Slack. */
async function begin(changes: object = {}) {
  const created = await world.create(changes);
  const [card, notice] = await bothShown(created);
  return { created, card, notice };
}
const bothShown = (created: Created) =>
  Promise.all([world.shown(created, 'card'), world.shown(created, 'notice')]);
const bothQuiet = (created: Created) =>
  Promise.all([world.quiet(created, 'card'), world.quiet(created, 'notice')]);

/** The person starts, tells of the device unless told not to, and decides. */
async function decide(created: Created, decision: string, { tells = true } = {}) {
  const person = createPerson(world.server);
  await person.press(created).expect(303);
  if (tells) await person.tell(created).expect(204);
  await person.answer(created).expect(303);
  await person.decide(created, decision).expect(303);
  return person;
}

describe('both messages are rewritten where they stand', () => {
  const ENDS: [string, string, (created: Created) => Promise<unknown>][] = [
    ['verified', 'verified', (created) => decide(created, 'approve')],
    ['declined', 'failed', (created) => decide(created, 'decline')],
    ['canceled', 'failed', (created) => cancel(world.server, created)],
    ['expired', 'expired', (created) => runOut(world.server, created)],
    ['reported on the page', 'failed', (created) => decide(created, 'report')],
    [
      'reported by the link alone',
      'failed',
      (created) => createPerson(world.server).reportByLink(created, 'I am on a train').expect(303),
    ],
  ];
  test.each(ENDS)('when it is %s', async (_, status, end) => {
    const { created, card, notice } = await begin();
    await end(created);
    await world.status(created, status);
    await bothQuiet(created);
    const [cardAfter, noticeAfter] = await bothShown(created);
    expect([cardAfter.ts, noticeAfter.ts]).toEqual([card.ts, notice.ts]);
    expect(wordsOf(cardAfter)).not.toBe(wordsOf(card));
    expect(wordsOf(noticeAfter)).not.toBe(wordsOf(notice));
  });

  test('when the person begins', async () => {
    const { created, notice } = await begin();
    await createPerson(world.server).press(created).expect(303);
    await bothQuiet(created);
    const [, after] = await bothShown(created);
    expect(wordsOf(after)).not.toBe(wordsOf(notice));
  });

  test('when the person says after verified that it was not them', async () => {
    const { created } = await begin();
    const person = await decide(created, 'approve');
    await bothQuiet(created);
    const [card, notice] = await bothShown(created);
    await person.report(created, 'not me').expect(303);
    await bothQuiet(created);
    const [cardAfter, noticeAfter] = await bothShown(created);
    expect([cardAfter.ts, noticeAfter.ts]).toEqual([card.ts, notice.ts]);
    expect(wordsOf(noticeAfter)).not.toBe(wordsOf(notice));
  });

  test('with device facts that come after the end, although nobody waits for a callback', async () => {
    const { created } = await begin();
    const person = await decide(created, 'approve', { tells: false });
    await bothQuiet(created);
    const [, before] = await bothShown(created);
    await person.tell(created).expect(204);
    await bothQuiet(created);
    const [, after] = await bothShown(created);
    expect(after.ts).toBe(before.ts);
    expect(wordsOf(before)).not.toContain(DEVICE.timezone);
    expect(await world.server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', device_fingerprint_status: 'collected' },
      device_fingerprint: { timezone: DEVICE.timezone },
    });
  });

  test('to the last state, when several changes come at once, and stand there once', async () => {
    const created = await world.create();
    await decide(created, 'approve');
    await bothQuiet(created);
    await bothShown(created);
    expect(await world.status(created, 'verified')).toBeTruthy();
  });

  test('in the channel, where no person asked', async () => {
    const channel = await world.slack.channel('security');
    await world.db.updateTable('slack_workspaces').set({ channel_id: channel }).execute();
    const created = await world.create({ requester_email: undefined });
    const first = await world.shown(created, 'notice', { channel });
    await cancel(world.server, created);
    await world.quiet(created, 'notice');
    const last = await world.shown(created, 'notice', { channel });
    expect(last.ts).toBe(first.ts);
    expect(wordsOf(last)).not.toBe(wordsOf(first));
  });
});

describe('Slack is asked only where something changes', () => {
  const calls = (method: string) => world.slack.calls.filter((call) => call === method).length;
  const resend = async (created: Created, role: 'card' | 'notice') => {
    const [original] = await world.deliveries(created, role);
    const answer = await world.server.request
      .post(`/api/v1/deliveries/${original?.id}/resend`)
      .set('X-API-Key', world.server.apiKey)
      .expect(202);
    await world.quiet(created, role);
    return answer.body as { delivery_id: string };
  };

  test('what a message shows already is not sent again, and says nothing of the endpoint', async () => {
    const { created } = await begin();
    await bothQuiet(created);
    const before = world.slack.calls.length;
    const health = () => world.db.selectFrom('endpoints').select('last_success_at').execute();
    const healthBefore = await health();
    const { delivery_id } = await resend(created, 'notice');
    expect(world.slack.calls).toHaveLength(before);
    expect(await health()).toEqual(healthBefore);
    const { body } = await world.server.request
      .get(`/api/v1/deliveries/${delivery_id}`)
      .set('X-API-Key', world.server.apiKey);
    expect(body).toMatchObject({ status: 'delivered', attempt_count: 1, last_status_code: null });
  });

  test('a card that somebody deleted is left alone', async () => {
    const { created, card } = await begin();
    await deleteIn(world.slack, card);
    await cancel(world.server, created);
    await bothQuiet(created);
    expect(await world.seen(created, 'card')).toEqual([]);
    await world.shown(created, 'notice');
  });

  test('a notice that somebody deleted is posted anew, and shows the end', async () => {
    const { created, notice } = await begin();
    await deleteIn(world.slack, notice);
    await cancel(world.server, created);
    await bothQuiet(created);
    const after = await world.shown(created, 'notice');
    expect(after.ts).not.toBe(notice.ts);
  });

  test('the card of a challenge that has ended is posted no more, also when somebody resends it', async () => {
    world.slack.intervene(awayToWrite);
    const created = await world.create();
    // One that is just being posted would be rewritten instead.
    await until(async () => (await world.deliveries(created, 'card'))[0]?.attempts === 1, 'an attempt');
    await cancel(world.server, created);
    world.slack.intervene(() => undefined);
    await bothQuiet(created);
    await world.shown(created, 'notice');
    const before = calls('chat.postMessage');
    await resend(created, 'card');
    expect(calls('chat.postMessage')).toBe(before);
    expect(await world.seen(created, 'card')).toEqual([]);
  });
});
