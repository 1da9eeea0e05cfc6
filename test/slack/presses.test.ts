import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { countPress } from '../../src/slack/messages-store.ts';
import { createPerson } from '../support/person.ts';
import { letPass, makeOverdue } from '../support/rows.ts';
import type { Created } from '../support/server.ts';
import { connectSlack, wordsOf } from '../support/slack.ts';
import type { Seen, Slack } from '../support/slack.ts';
import { buttonOf, press } from '../support/slack-requests.ts';
import { startStage } from '../support/slack-stage.ts';
import type { Stage } from '../support/slack-stage.ts';

let stage: Stage;
let slack: Slack;
beforeAll(async () => {
  stage = await startStage();
  ({ slack } = stage);
});
beforeEach(() => {
  slack.ephemerals.length = 0;
});
afterAll(() => stage.close());

const idOf = (seen: Seen) => buttonOf(seen, 'report')!.value!;
const read = (seen: Seen) => stage.server.read(idOf(seen));

function rowOf(seen: Seen) {
  return stage.server.db
    .selectFrom('challenges')
    .selectAll()
    .where('id', '=', idOf(seen))
    .executeTakeFirstOrThrow();
}

function trailOf(seen: Seen) {
  return stage.server.db
    .selectFrom('audit_entries')
    .select(['actor', 'action', 'detail'])
    .where('challenge_id', '=', idOf(seen))
    .orderBy('id')
    .execute();
}

const actionsOf = async (seen: Seen) => (await trailOf(seen)).map(({ action }) => action);

/** What the card shows once it was rewritten. */
function rewritten(seen: Seen): Promise<Seen> {
  return slack.waitFor('ada', (_, { ts, edited }) => ts === seen.ts && edited, 'the card rewritten');
}

/** Lets the person prove it in the sandbox, as a program does in test mode. */
async function verify(seen: Seen): Promise<Seen> {
  await stage.server.request
    .post(`/api/v1/challenges/${idOf(seen)}/simulate`)
    .set('X-API-Key', stage.server.apiKey)
    .send({ outcome: 'verify' })
    .expect(200);
  return rewritten(seen);
}

async function cancel(seen: Seen): Promise<void> {
  await stage.server.request
    .post(`/api/v1/challenges/${idOf(seen)}/cancel`)
    .set('X-API-Key', stage.server.apiKey)
    .expect(200);
}

test('whoever goes on may add something, which whoever asked reads with the result', async () => {
  const card = await stage.ask('context');
  await stage.press(card, 'verify', { text: '  I am on a new laptop.\u202E\n' });
  expect(await rowOf(card)).toMatchObject({
    ...{ status: 'initiated', target_response: 'I am on a new laptop.' },
  });
  expect(await actionsOf(card)).toContain('responded');
  expect(slack.ephemerals).toEqual([]);
});

test('what was added in Slack is there when the person goes on in the browser, and not in a second browser', async () => {
  const card = await stage.ask('kept');
  await stage.press(card, 'verify', { text: 'On holiday' });
  const link = { challenge_id: idOf(card), verification_url: buttonOf(card, 'verify')!.url! } as Created;
  const [first, second] = [createPerson(stage.server), createPerson(stage.server)];
  await first.press(link).expect(303);
  expect(await rowOf(card)).toMatchObject({ status: 'in-progress', target_response: 'On holiday' });
  const page = await first.agent.get(`/challenge/${idOf(card)}/answer`).expect(200);
  expect(page.text).toContain('On holiday');
  await second.press(link).expect(303);
  expect(await rowOf(card)).toMatchObject({ status: 'in-progress', target_response: null });
});

test('going on without adding anything changes nothing, and takes nothing away', async () => {
  const card = await stage.ask('nothing added');
  await stage.press(card, 'verify', { text: 'First' });
  for (const text of [undefined, '', ' \n '])
    await stage.press(card, 'verify', text === undefined ? {} : { text });
  await stage.press(card, 'verify', { text: 'First' });
  expect((await rowOf(card)).target_response).toBe('First');
  expect((await actionsOf(card)).filter((action) => action === 'responded')).toHaveLength(1);
});

test('what is longer than it may be is cut and not refused: the alarm counts for more than its words', async () => {
  const card = await stage.ask('long words');
  await stage.press(card, 'report', { text: '😀'.repeat(600) });
  expect(await rowOf(card)).toMatchObject({
    ...{ status: 'failed', target_response: '😀'.repeat(500), incident_comment: '😀'.repeat(500) },
  });
});

test('whoever reports ends the challenge, and both messages say so', async () => {
  const card = await stage.ask('not me');
  await stage.press(card, 'report', { text: 'I did not\nask for this' });
  expect(await rowOf(card)).toMatchObject({
    ...{ status: 'failed', failure_reason: 'incident_reported', disputed: false },
    ...{ incident_comment: 'I did not ask for this', target_response: 'I did not\nask for this' },
  });
  expect(buttonOf(await rewritten(card), 'report')).toBeUndefined();
  await slack.waitFor(
    'grace',
    (words, { edited }) => edited && words.includes('I did not ask for this'),
    'the report',
  );
  const entry = (await trailOf(card)).find(({ action }) => action === 'failed');
  expect(entry).toMatchObject({ actor: 'target', detail: { via: 'slack' } });
  expect(slack.ephemerals).toEqual([]);
});

test('a report that says nothing keeps what was added before', async () => {
  const card = await stage.ask('said before');
  await stage.press(card, 'verify', { text: 'Before' });
  await stage.press(card, 'report');
  expect(await rowOf(card)).toMatchObject({
    ...{ status: 'failed', target_response: 'Before', incident_comment: null },
  });
});

test('a press that Slack sends again, or somebody else replays, does nothing', async () => {
  const card = await stage.ask('replayed');
  const old = { text: 'Old', actionTs: '1700000000.000100' };
  await stage.press(card, 'verify', old);
  await stage.press(card, 'verify', { text: 'New', actionTs: '1700000000.000200' });
  for (const again of [old, { ...old, actionTs: '1700000000.000200' }])
    await stage.press(card, 'verify', again);
  expect((await rowOf(card)).target_response).toBe('New');
});

test('a report counts that reaches us after what was pressed later, and sent again it does nothing more', async () => {
  const card = await stage.ask('overtaken');
  await stage.press(card, 'verify', { text: 'Later', actionTs: '1700000000.000200' });
  const report = { text: 'Not me', actionTs: '1700000000.000100', trigger: 'overtaken' };
  await stage.press(card, 'report', report);
  const reported = await rowOf(card);
  expect(reported).toMatchObject({ status: 'failed', incident_comment: 'Not me' });
  for (let again = 0; again < 3; again++) await stage.press(card, 'report', report);
  await stage.told((text) => text.startsWith('You have already reported'), 'that it is done');
  await stage.settled();
  expect(slack.ephemerals).toHaveLength(1);
  expect(await rowOf(card)).toEqual(reported);
  expect((await actionsOf(card)).filter((action) => action === 'failed')).toHaveLength(1);
});

test('a report that was counted and cut off before it took effect does so when it is pressed again', async () => {
  const card = await stage.ask('cut off');
  const actionTs = '1700000000.000100';
  expect(await countPress(stage.server.db, idOf(card), actionTs)).toBe(true);
  await stage.press(card, 'report', { actionTs });
  expect((await rowOf(card)).status).toBe('failed');
});

test('pressed twice, a report is one: the second is answered that it is done already', async () => {
  const card = await stage.ask('twice');
  await stage.press(card, 'report', { actionTs: '1700000001.1' });
  const rows = await rowOf(card);
  await stage.press(card, 'report', { actionTs: '1700000002.1', text: 'again' });
  await stage.told((text) => text.startsWith('You have already reported'), 'that it is done');
  expect(await rowOf(card)).toEqual(rows);
  expect((await actionsOf(card)).filter((action) => action === 'failed')).toHaveLength(1);
});

test('somebody else’s press counts for nothing, is answered to them alone, and stands in the trail', async () => {
  const card = await stage.ask('not yours');
  const { linus, grace } = slack.users;
  for (const [user, action] of [
    [linus, 'report'],
    [grace, 'verify'],
  ] as const) {
    await stage.press(card, action, { user, text: 'mine' });
    await stage.told((text) => text.startsWith('This request is not for you'), 'that it is not theirs');
    slack.ephemerals.length = 0;
  }
  expect(await rowOf(card)).toMatchObject({ status: 'initiated', target_response: null });
  const refused = (await trailOf(card)).filter(({ action }) => action === 'request_refused');
  expect(refused.map(({ detail }) => detail)).toEqual([
    { reason: 'wrong_presser', slack_user: linus },
    { reason: 'wrong_presser', slack_user: grace },
  ]);
  // The person's own press counts after it, although it was earlier by Slack's clock.
  await stage.press(card, 'report', { actionTs: '1700000000.1' });
  expect((await rowOf(card)).status).toBe('failed');
});

test('after it was confirmed, a report disputes it', async () => {
  const card = await stage.ask('disputed');
  const verified = await verify(card);
  expect(buttonOf(verified, 'verify')).toBeUndefined();
  // As it stood before, where the person could add something.
  await stage.press(card, 'report', { text: 'Not me' });
  expect(await read(card)).toMatchObject({ status: 'verified', disputed: true });
  // What the person had to add belonged to the result.
  expect(await rowOf(card)).toMatchObject({ incident_comment: 'Not me', target_response: null });
  await slack.waitFor('grace', (words, { edited }) => edited && words.includes('Not me'), 'the report');
  await stage.press(verified, 'report');
  await stage.told((text) => text.startsWith('You have already reported'), 'that it is done');
});

test('whoever has Slack in German is answered in German', async () => {
  const { ada, linus } = slack.users;
  slack.describe(ada, { locale: 'de-DE' });
  const card = await stage.ask('auf Deutsch');
  slack.describe(ada, {});
  await stage.press(card, 'report', { user: linus });
  await stage.told(
    (text) => text.startsWith('Diese Anfrage richtet sich nicht an Sie'),
    'that it is not theirs',
  );
  const confirmed = await verify(card);
  await stage.press(card, 'verify');
  // The button is called by what stands on it.
  const label = `„${(buttonOf(confirmed, 'report') as unknown as { text: { text: string } }).text.text}“`;
  await stage.told(
    (text) => text.startsWith('Dies wurde schon bestätigt.') && text.includes(label),
    'what to do',
  );
  for (let twice = 0; twice < 2; twice++) await stage.press(card, 'report');
  await stage.told((text) => text.startsWith('Sie haben schon gemeldet'), 'that it is done');
});

test('a day later a report is told where to go instead', async () => {
  const card = await stage.ask('a day later');
  const verified = await verify(card);
  await letPass(stage.server.db, idOf(card), 24 * 60 + 1);
  await stage.press(verified, 'report');
  await stage.told((text) => /more than 24 hours ago.*security team/.test(text), 'where to go');
  expect(await read(card)).toMatchObject({ status: 'verified', disputed: false });
});

test('a card that still shows the buttons after the end changes nothing and says why', async () => {
  const ends: [string, (card: Seen) => Promise<unknown>, RegExp, string][] = [
    ['confirmed', verify, /^This was confirmed already\. If it was not you, press/, 'verified'],
    ['canceled', cancel, /^This request has ended already/, 'failed'],
    ['overdue', (card) => makeOverdue(stage.server.db, idOf(card)), /^This request has expired/, 'expired'],
  ];
  for (const [reason, end, reply, status] of ends) {
    const card = await stage.ask(reason);
    await end(card);
    await stage.press(card, 'verify', { text: 'Too late' });
    await stage.told((text) => reply.test(text), reply.source);
    expect(await rowOf(card)).toMatchObject({ target_response: null });
    expect(await read(card)).toMatchObject({ status });
    slack.ephemerals.length = 0;
    if (status === 'verified') continue;
    await stage.press(card, 'report', { text: 'Too late' });
    await stage.told((text) => reply.test(text), reply.source);
    expect(await rowOf(card)).toMatchObject({ incident_comment: null });
  }
});

test('a card of another workspace or tenant, or of none, is no card here, and nobody learns that it exists', async () => {
  const { server } = stage;
  const card = await stage.ask('elsewhere');
  const theirs = await server.integration({ newTenant: true });
  const secret = 'another secret';
  const others = await Promise.all([
    connectSlack(server, { ...slack, signingSecret: secret }, { name: 'Second' }),
    connectSlack(server, { ...slack, signingSecret: secret }, { tenant_id: theirs.tenant_id }),
  ]);
  const before = await rowOf(card);
  for (const instance of others) {
    await press(slack, stage.at({ instance, secret }), card, 'report', { text: 'x' }).expect(200);
    await stage.told((text) => text.startsWith('This request is no longer kept'), 'that there is none');
    slack.ephemerals.length = 0;
  }
  for (const value of ['0198c0de-0000-7000-8000-000000000000', 'no id', '*'.repeat(2_000)]) {
    await stage.press(card, 'report', { value });
    await stage.told((text) => text.startsWith('This request is no longer kept'), 'that there is none');
    slack.ephemerals.length = 0;
  }
  expect(await rowOf(card)).toEqual(before);
  expect(await actionsOf(card)).not.toContain('request_refused');
});

test('when Slack takes no more answers to a press, the person is told in a message', async () => {
  const card = await stage.ask('no answer');
  await cancel(card);
  slack.respondWith(404);
  await stage.press(card, 'report');
  await slack.waitFor('ada', (words) => words.startsWith('This request has ended already'), 'the answer');
  slack.respondWith(200);
  await stage.settled();
  expect((await slack.seenBy('ada')).filter((seen) => /ended already/.test(wordsOf(seen)))).toHaveLength(1);
});

test('an action that is none of ours is taken and forgotten', async () => {
  const card = await stage.ask('others');
  await stage.settled();
  const before = [await rowOf(card), await trailOf(card)];
  const replies = () =>
    stage.server.db.selectFrom('events').select('id').where('type', '=', 'slack.reply').execute();
  const answered = await replies();
  await press(slack, stage.at(), card, 'something_else').expect(200, '');
  expect([await rowOf(card), await trailOf(card)]).toEqual(before);
  expect(await replies()).toHaveLength(answered.length);
});
