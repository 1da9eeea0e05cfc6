import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { eraseTarget } from '../../src/challenges/erase.ts';
import { saveConnection } from '../../src/slack/workspaces-store.ts';
import { cancel } from '../support/deliveries.ts';
import { createPerson, DEVICE } from '../support/person.ts';
import { readAllRows } from '../support/rows.ts';
import type { Created } from '../support/server.ts';
import { buttonOf, press } from '../support/slack-requests.ts';
import { deleteIn, openWorld } from '../support/slack-messages.ts';
import type { World } from '../support/slack-messages.ts';
import { wordsOf } from '../support/slack.ts';
import type { Seen } from '../support/slack.ts';
import { until } from '../support/until.ts';

let world: World;
let key: string;
beforeAll(async () => {
  world = await openWorld();
  const rights = { scopes: ['challenges:erase'], own_only: false };
  key = (await world.server.integration({ rights })).apiKey;
});
afterAll(() => world.close());
afterEach(() => world.heal());

const ROLES = ['card', 'notice'] as const;
const TOLD = { context: 'Wants the payroll of Quillington', ticket: 'QX-90210' };
const COMMENT = 'I was in Ulan Bator then';
/** Slack answers who is who, and nothing else. */
const awayToWrite = (method: string) => (method.startsWith('chat.') ? { status: 503 } : undefined);

const erase = ({ challenge_id }: Created) =>
  world.server.request.post(`/api/v1/challenges/${challenge_id}/erase`).set('X-API-Key', key).expect(200);
/** A challenge whose two messages stand in Slack. */
async function begin() {
  const created = await world.create(TOLD);
  await Promise.all(ROLES.map((role) => world.shown(created, role)));
  await allQuiet(created);
  return created;
}
const allQuiet = (created: Created) => Promise.all(ROLES.map((role) => world.quiet(created, role)));
const forgotten = (created: Created) =>
  until(
    async () => (await Promise.all(ROLES.map((role) => world.rowOf(created, role)))).every((row) => !row),
    'both messages to be forgotten',
  );
const only = async (created: Created, role: 'card' | 'notice'): Promise<Seen> => {
  const [one, ...more] = await world.seen(created, role);
  expect(more).toEqual([]);
  return one!;
};
const statuses = async (created: Created, role: 'card' | 'notice') =>
  (await world.deliveries(created, role)).map(({ status }) => status);
const trailOf = ({ challenge_id }: Created) =>
  world.db
    .selectFrom('audit_entries')
    .select(['action', 'detail'])
    .where('challenge_id', '=', challenge_id)
    .execute();
const holds = () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  return { held, release };
};

describe('erasing a challenge', () => {
  test('leaves in Slack how it ended, in the language of whoever reads it, and nobody anywhere', async () => {
    const { ada, grace } = world.slack.users;
    world.slack.describe(grace, { locale: 'de-DE' });
    const created = await begin();
    const [before] = await Promise.all(ROLES.map((role) => only(created, role)));
    const person = createPerson(world.server);
    await person.press(created).expect(303);
    await person.tell(created).expect(204);
    await person.answer(created).expect(303);
    await person.decide(created, 'report', COMMENT).expect(303);
    await allQuiet(created);
    const told = wordsOf(await only(created, 'notice'));
    const marks = [...Object.values(TOLD), COMMENT, DEVICE.timezone, ada];
    expect(marks.filter((mark) => !told.includes(mark))).toEqual([]);

    await erase(created);
    await forgotten(created);
    const [card, notice] = [await only(created, 'card'), await only(created, 'notice')];
    expect(card).toMatchObject({ ts: before?.ts, text: 'Incident reported' });
    expect(wordsOf(card)).toContain('All details of this request were erased.');
    expect(notice.text).toBe('Vorfall gemeldet: Die Person war es nicht');
    expect(wordsOf(notice)).toContain('Alle Angaben zu dieser Anfrage wurden gelöscht.');
    for (const seen of [card, notice]) {
      const whole = JSON.stringify(seen.blocks) + seen.text;
      expect([...marks, grace, '<@', 'token='].filter((mark) => whole.includes(mark))).toEqual([]);
      expect(wordsOf(seen)).toContain(created.challenge_id);
    }
    await allQuiet(created);
    const rows = JSON.stringify(await readAllRows(world.db));
    const everybody = [...marks, grace, card.channel, notice.channel];
    expect(everybody.filter((mark) => rows.includes(mark))).toEqual([]);
    world.slack.describe(grace, {});
  });

  test('right after the end, before Slack took that, and with a press that nobody took', async () => {
    const created = await begin();
    const at = { server: world.server, instance: world.instance, secret: world.slack.signingSecret };
    const card = await only(created, 'card');
    await press(world.slack, at, card, 'report', { user: world.slack.users.linus }).expect(200);
    world.slack.intervene(awayToWrite);
    await cancel(world.server, created);
    await erase(created);
    expect(await world.rowOf(created, 'card')).toMatchObject({
      ...{ recipient: null, target_user: null, requester_user: null, link_sealed: null, shown_hash: null },
      ...{ channel_id: card.channel, ts: card.ts },
    });
    expect(await statuses(created, 'notice')).toEqual(['delivered', 'canceled', 'pending']);
    await world.finish();
    await forgotten(created);
    for (const role of ROLES) {
      const seen = await only(created, role);
      expect(seen.text).toBe('This request was canceled');
      expect(buttonOf(seen, 'verify')).toBeUndefined();
      expect(await statuses(created, role)).toEqual(['delivered', 'canceled', 'delivered']);
    }
    const trail = await trailOf(created);
    expect(trail.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['slack_card_posted', 'slack_notice_posted']),
    );
    expect(trail).toContainEqual({ action: 'request_refused', detail: { reason: 'wrong_presser' } });
    expect(JSON.stringify(trail)).not.toContain(card.channel);
  });

  test('while a button still stands there: whoever presses it is told, and not written down', async () => {
    const created = await begin();
    const card = await only(created, 'card');
    world.slack.intervene(awayToWrite);
    await cancel(world.server, created);
    await erase(created);
    const at = { server: world.server, instance: world.instance, secret: world.slack.signingSecret };
    const before = (await trailOf(created)).length;
    for (const user of [world.slack.users.ada, world.slack.users.linus])
      await press(world.slack, at, card, 'report', { user, text: COMMENT }).expect(200);
    await world.finish();
    expect(world.slack.ephemerals.slice(-2).map(({ text }) => text)).toEqual([
      expect.stringContaining('no longer kept'),
      expect.stringContaining('no longer kept'),
    ]);
    expect(await trailOf(created)).toHaveLength(before);
  });

  test('while its card is being posted, which is rewritten as soon as Slack says where it stands', async () => {
    const { held, release } = holds();
    world.slack.intervene((method, count) =>
      method === 'chat.postMessage' && count === 1 ? held.then(() => undefined) : undefined,
    );
    const created = await world.create(TOLD);
    const posting = async () => (await world.rowOf(created, 'card'))?.posting_at;
    await until(async () => Boolean(await posting()), 'the card to be on its way');
    await cancel(world.server, created);
    await erase(created);
    // Never posted: nothing to be rewritten.
    expect(await world.rowOf(created, 'notice')).toBeUndefined();
    release();
    await world.drain();
    await forgotten(created);
    const card = await only(created, 'card');
    expect(wordsOf(card)).toContain('were erased');
    expect(wordsOf(card)).not.toContain(TOLD.context);
    expect(await world.seen(created, 'notice')).toEqual([]);
    expect(JSON.stringify(await trailOf(created))).not.toMatch(/channel|_posted/);
  });

  test('while its card is being posted, and Slack never says where: nothing is posted again', async () => {
    const { held, release } = holds();
    world.slack.intervene((method, count) =>
      method === 'chat.postMessage' && count === 1 ? held.then(() => ({ cut: true })) : undefined,
    );
    const created = await world.create(TOLD);
    const posting = async () => (await world.rowOf(created, 'card'))?.posting_at;
    await until(async () => Boolean(await posting()), 'the card to be on its way');
    await cancel(world.server, created);
    await erase(created);
    release();
    await world.drain();
    await forgotten(created);
    expect(await world.seen(created, 'card')).toHaveLength(1);
    expect(await statuses(created, 'card')).toEqual(['canceled', 'canceled', 'delivered']);
  });

  test('that nobody in Slack heard of forgets it at once, and it cannot be sent again', async () => {
    world.slack.intervene((method) =>
      method.startsWith('chat.') ? { status: 429, headers: { 'retry-after': '60' } } : undefined,
    );
    const created = await world.create(TOLD);
    await cancel(world.server, created);
    await erase(created);
    expect(await world.rowOf(created, 'card')).toBeUndefined();
    await world.finish();
    expect(await world.seen(created, 'card')).toEqual([]);
    const [first] = await world.deliveries(created, 'card');
    const again = world.server.request.post(`/api/v1/deliveries/${first?.id}/resend`);
    await again.set('X-API-Key', world.server.apiKey).expect(410);
  });

  test('long after the bodies of its events were deleted, by a command', async () => {
    const created = await begin();
    await cancel(world.server, created);
    await allQuiet(created);
    await sql`update events set body = null where challenge_id = ${created.challenge_id}`.execute(world.db);
    const { challenge_id } = created;
    const { tenant_id } = await world.db
      .selectFrom('challenges')
      .select('tenant_id')
      .where('id', '=', challenge_id)
      .executeTakeFirstOrThrow();
    const deps = { db: world.db, now: () => new Date() };
    await eraseTarget(deps, { challenge_id }, { tenant_id }, 'cli');
    await forgotten(created);
    for (const role of ROLES) expect(wordsOf(await only(created, role))).toContain('were erased');
  });

  test('whose messages somebody deleted in Slack posts nothing', async () => {
    const created = await begin();
    await cancel(world.server, created);
    await allQuiet(created);
    for (const role of ROLES) await deleteIn(world.slack, await only(created, role));
    await erase(created);
    await forgotten(created);
    for (const role of ROLES) expect(await world.seen(created, role)).toEqual([]);
  });

  test('of a workspace that is disconnected is given up, listed, and done once it is connected again', async () => {
    const created = await begin();
    await cancel(world.server, created);
    await allQuiet(created);
    const { settings_sealed, team_id, team_name, bot_user_id } = await world.db
      .selectFrom('slack_workspaces')
      .selectAll()
      .where('integration_id', '=', world.instance)
      .executeTakeFirstOrThrow();
    const whose = { team_id, team_name, bot_user_id };
    await saveConnection(world.db, world.instance, { settings_sealed: null, ...whose }, null);
    await erase(created);
    await allQuiet(created);
    expect((await world.deliveries(created, 'card')).at(-1)).toMatchObject({
      ...{ status: 'dead', dead_reason: 'rejected' },
    });
    expect(await world.rowOf(created, 'card')).toMatchObject({ target_user: null, recipient: null });
    await saveConnection(world.db, world.instance, { settings_sealed, ...whose }, new Date());
    for (const role of ROLES) {
      const dead = (await world.deliveries(created, role)).at(-1);
      const again = world.server.request.post(`/api/v1/deliveries/${dead?.id}/resend`);
      await again.set('X-API-Key', world.server.apiKey).expect(202);
    }
    await forgotten(created);
    for (const role of ROLES) expect(wordsOf(await only(created, role))).toContain('were erased');
  });
});
