import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createCommandLimits } from '../../src/slack/command-limits.ts';
import { takeCommand } from '../../src/slack/command.ts';
import type { SlackDeps } from '../../src/slack/deps.ts';
import { openWorkspace } from '../../src/slack/workspace.ts';
import { findWorkspace } from '../../src/slack/workspaces-store.ts';
import { countRows } from '../support/rows.ts';
import { wordsOf } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';
import { sendCommand } from '../support/slack-requests.ts';
import { addKey } from '../support/slack-story.ts';
import { startStage } from '../support/slack-stage.ts';
import type { Stage } from '../support/slack-stage.ts';

let stage: Stage;
let slack: Slack;
/** As Slack writes it; a person may be asked for by one spelling five times in a test file. */
let ada: string;
beforeAll(async () => {
  stage = await startStage();
  ({ slack } = stage);
  ada = `<@${slack.users.ada}|ada>`;
});
beforeEach(() => {
  slack.ephemerals.length = 0;
  slack.intervene(() => undefined);
  slack.respondWith(200);
});
afterAll(() => stage.close());

const challenges = () => countRows(stage.server.db, 'challenges');

function challengeOf(context: string) {
  return stage.server.db
    .selectFrom('challenges')
    .selectAll()
    .where('context', '=', context)
    .executeTakeFirst();
}

function commandsOf(challengeId: string | null) {
  return stage.server.db
    .selectFrom('events')
    .selectAll()
    .where('type', '=', 'slack.command')
    .where('challenge_id', 'is not distinct from', challengeId)
    .execute();
}

/** Asks ada for this reason, as grace, and waits until she has the card. */
async function askFor(reason: string): Promise<void> {
  await stage.type(`${ada} ${reason}`);
  await slack.waitFor('ada', (words) => words.includes(reason), `the card for ${reason}`);
}

/** Lets what was kept of a command be carried out once more, with this other content. */
async function performAgain(eventId: string, change: (content: object) => object): Promise<void> {
  const { db, sealer } = stage.server;
  const event = await db.selectFrom('events').selectAll().where('id', '=', eventId).executeTakeFirstOrThrow();
  const { sealed } = JSON.parse(event.body ?? '') as { sealed: string };
  const content = change(JSON.parse(sealer.unseal(sealed, `events:${eventId}`)) as object);
  const body = JSON.stringify({ sealed: sealer.seal(JSON.stringify(content), `events:${eventId}`) });
  await db.updateTable('events').set({ body, challenge_id: null }).where('id', '=', eventId).execute();
  await db
    .updateTable('deliveries')
    .set({ status: 'pending', completed_at: null, next_attempt_at: new Date() })
    .where('event_id', '=', eventId)
    .execute();
  await stage.settled();
}

test('a command asks the person, tells whoever typed it at once, and then in a message of its own', async () => {
  expect(await stage.type(`${ada} Password reset`)).toBe(
    `<@${slack.users.ada}> will be asked to confirm that it is them. You will get a message from me with how it goes.`,
  );
  await slack.waitFor('ada', (words) => words.includes('Password reset'), 'the card');
  await slack.waitFor('grace', (words) => words.includes('Password reset'), 'the notice');
  const challenge = await challengeOf('Password reset');
  expect(challenge).toMatchObject({
    ...{ integration_id: stage.instance, slack_instance_id: stage.instance, status: 'initiated' },
    ...{ target_user_id: slack.users.ada, target_user_email: 'ada@example.com' },
    ...{ requester_id: slack.users.grace, callback_url: null, mode: 'test' },
  });
  const audit = await stage.server.db
    .selectFrom('audit_entries')
    .select(['actor', 'action'])
    .where('challenge_id', '=', challenge!.id)
    .orderBy('id')
    .executeTakeFirst();
  expect(audit).toEqual({ actor: 'slack', action: 'created' });
  // So that erasing the challenge finds what the person typed.
  expect(await commandsOf(challenge!.id)).toHaveLength(1);
  expect(slack.ephemerals).toEqual([]);
});

test('a person may be named by e-mail address, and needs no reason', async () => {
  const said = await stage.type('<mailto:linus@example.com|linus@example.com>', { user_id: slack.users.ada });
  expect(said).toMatch(/^linus@example\.com will be asked/);
  await slack.waitFor('linus', () => true, 'the card');
  await slack.waitFor('ada', (words) => words.includes(slack.users.linus), 'the notice');
});

test('a command that Slack sends again is carried out once, and answered in the same words', async () => {
  const changes = { trigger_id: '13345224609.738474920.8088930838d88f008e0' };
  const said = await Promise.all(Array.from({ length: 5 }, () => stage.type(`${ada} sent again`, changes)));
  await slack.waitFor('ada', (words) => words.includes('sent again'), 'the card');
  said.push(await stage.type(`${ada} sent again`, changes));
  await stage.settled();
  expect(new Set(said).size).toBe(1);
  expect(await stage.count('ada', 'sent again')).toBe(1);
  expect(await stage.count('grace', 'sent again')).toBe(1);
});

test('a command that was cut off after the challenge was created is found done, also when it has become late', async () => {
  await askFor('cut off');
  await stage.settled();
  const { id } = (await challengeOf('cut off'))!;
  const [command] = await commandsOf(id);
  const before = await challenges();
  const later = (content: object) => {
    const { at } = content as { at: number };
    return { ...content, at: at - 11 * 60_000 };
  };
  for (const change of [(content: object) => content, later]) {
    await performAgain(command!.id, change);
    expect(await commandsOf(id)).toHaveLength(1);
  }
  expect([await challenges(), await stage.count('ada', 'cut off')]).toEqual([before, 1]);
  expect(slack.ephemerals).toEqual([]);
});

test('a command that is sent once more by hand does nothing, also when its key is forgotten', async () => {
  const { db, request } = stage.server;
  await askFor('resent');
  await stage.settled();
  const [command] = await commandsOf((await challengeOf('resent'))!.id);
  await db.deleteFrom('idempotency_keys').execute();
  const before = await challenges();
  const { id } = await db
    .selectFrom('deliveries')
    .select('id')
    .where('event_id', '=', command!.id)
    .executeTakeFirstOrThrow();
  const key = await addKey(stage.server, stage.instance);
  await request.post(`/api/v1/deliveries/${id}/resend`).set('X-API-Key', key).expect(202);
  await stage.settled();
  expect([await challenges(), await stage.count('ada', 'resent')]).toEqual([before, 1]);
  expect(slack.ephemerals).toEqual([]);
});

test('a command about somebody who cannot be matched is carried out, and whoever typed it hears so, once', async () => {
  slack.describe(slack.users.linus, { profile: {} });
  await stage.type(`<@${slack.users.linus}> no address`, { user_id: slack.users.ada });
  const said = await stage.told((text) => text.includes('e-mail address'), 'that there is no address');
  slack.describe(slack.users.linus, {});
  expect(said).toMatch(/^The person is asked, but Slack shows no e-mail address .*\nTell whoever set up/);
  await stage.settled();
  const { id } = (await challengeOf('no address'))!;
  const replies = () =>
    stage.server.db
      .selectFrom('events')
      .select('challenge_id')
      .where('type', '=', 'slack.reply')
      .where('challenge_id', '=', id)
      .execute();
  expect(await replies()).toHaveLength(1);
  const [command] = await commandsOf(id);
  await performAgain(command!.id, (content) => content);
  expect(await replies()).toHaveLength(1);
  expect(slack.ephemerals).toHaveLength(1);
});

test('a command that could not be carried out for ten minutes is not any more, and the person is told to ask again', async () => {
  const { db, sealer } = stage.server;
  const workspace = openWorkspace(sealer, (await findWorkspace(db, stage.instance))!)!;
  const before = await challenges();
  const deps = { db, sealer, now: () => new Date(Date.now() - 601_000), wake: () => undefined };
  const limits = createCommandLimits();
  await takeCommand({ ...(deps as unknown as SlackDeps), limits }, workspace, {
    ...{ user: slack.users.grace, trigger: 'late', text: `${ada} late` },
    response_url: `${slack.url}/response/late`,
  });
  await stage.told((text) => /^Nothing was created: it took too long.* Ask again/.test(text), 'to ask again');
  expect([await challenges(), await stage.count('ada', 'late')]).toEqual([before, 0]);
});

test('how to ask is said at once and kept nowhere', async () => {
  const before = await countRows(stage.server.db, 'events');
  expect(await stage.type('')).toMatch(/^Write `\/challenge @username \[reason\]`/);
  expect(await stage.type('@ada reset')).toMatch(/Pick the person from the list/);
  expect(await stage.type(`${ada} <@${slack.users.linus}|linus> reset`)).toMatch(/one person at a time/);
  expect(await stage.type(`${ada} ${'x'.repeat(3_000)}`)).toMatch(/at most 2,000 characters/);
  expect(await countRows(stage.server.db, 'events')).toBe(before);
});

test('whoever names nobody who can be asked is told so, alone', async () => {
  slack.describe(slack.users.gone, { deleted: true });
  const before = await challenges();
  const wrong: [string, RegExp][] = [
    [`<@${slack.users.gone}>`, /^Nothing was created: the person you named is a deactivated account in /],
    [`<@${slack.bot}>`, /^Nothing was created: the person you named is a bot in /],
    ['<@U0NOBODY00>', /^Nothing was created: the person you named is nobody in the Slack workspace "Acme"/],
    ['nobody@example.com', /^Nothing was created: the person you named is nobody in /],
  ];
  for (const [person, reply] of wrong) {
    await stage.type(`${person} reset`, { user_id: slack.users.linus });
    await stage.told((text) => reply.test(text), reply.source);
    expect(slack.ephemerals.splice(0)).toMatchObject([{ response_type: 'ephemeral' }]);
  }
  expect(await challenges()).toBe(before);
});

test('a reason that is full of marks mentions nobody, rings no channel and links nowhere', async () => {
  await stage.type(
    `ada@example.com marks <!channel> &lt;!here&gt; <https://evil.example|your bank> *bold* \`x\` &lt;@${slack.users.linus}&gt;`,
  );
  const card = await slack.waitFor('ada', (words) => words.includes('marks @channel'), 'the card');
  const notice = await slack.waitFor('grace', (words) => words.includes('marks @channel'), 'the notice');
  const reason = `marks @channel <!here> your bank (https://evil.example) *bold* \`x\` <@${slack.users.linus}>`;
  expect((await challengeOf(reason))?.context).toBe(reason);
  for (const seen of [card, notice]) {
    const marked = [seen.text, ...markedTexts(seen.blocks)].join('\n');
    expect(marked).not.toMatch(/<!(channel|here|everyone)|evil\.example|\*bold\*/);
    expect(marked).not.toContain(slack.users.linus);
    expect(wordsOf(seen)).toContain(reason);
  }
});

test('while Slack has trouble a command waits, and is then carried out once', async () => {
  slack.intervene((method, count) =>
    method === 'users.info' && count <= 2 ? { status: 503, body: { ok: false } } : undefined,
  );
  await askFor('trouble');
  await stage.settled();
  expect(await stage.count('ada', 'trouble')).toBe(1);
});

test('when Slack refuses the app, whoever typed is told whom to tell', async () => {
  slack.intervene((method) =>
    method === 'users.info' ? { body: { ok: false, error: 'invalid_auth' } } : undefined,
  );
  await stage.type(`<@${slack.users.linus}> refused`);
  await stage.told((text) => text.includes('`countersign slack test`'), 'whom to tell');
  await stage.settled();
  expect(await challengeOf('refused')).toBeUndefined();
});

test('Slack’s look whether anybody is there is answered, if it is Slack’s', async () => {
  const { at } = stage;
  await sendCommand(slack, at(), '', { ssl_check: '1', team_id: '', user_id: '' }).expect(200);
  await sendCommand(slack, at({ secret: 'wrong' }), '', { ssl_check: '1' }).expect(401);
});

/** What Slack reads for marks. */
function markedTexts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const { type, text } = value as { type?: unknown; text?: unknown };
  const own = type === 'mrkdwn' && typeof text === 'string' ? [text] : [];
  return [...own, ...Object.values(value).flatMap(markedTexts)];
}
