import { expect } from '@jest/globals';
import type { Selectable } from 'kysely';
import type { Db } from '../../src/db/database.ts';
import type { Inbox } from '../../src/generated/database.ts';
import type { Message, SimulatedSession, Simulator } from '../../src/simulators/simulator.ts';
import { deliveriesOf } from './deliveries.ts';
import { startProviderStory } from './provider-story.ts';
import { readAllRows } from './rows.ts';
import { until } from './until.ts';

/** What goes to a door: the exact bytes, with these headers. */
export type Shot = { body: string | Buffer; headers: Record<string, string> };
/** What becomes of it: how it is answered, its line in the account's log, and how many entries in audit trails. */
type Effect = { status: number; line: Partial<Line>; audits?: number };
type Line = Selectable<Inbox>;

const HOUR_MS = 3_600_000;

/**
 * A provider's door with everything behind it that something hostile might change: a challenge that waits for its
 * decision, one that is verified and announced, and one that waits at another tenant.
 */
export async function startDoor<S extends Simulator>(name: string, start: () => Promise<S>, approve: string) {
  const story = await startProviderStory(name, start);
  const { server, simulator } = story;
  const { db } = server;
  const { tenant_id, integrationId } = await server.integration({ newTenant: true });
  const other = await start();
  const otherAccount = await server.provider(name, other.settings, { tenant_id });

  const open = await story.begin();
  const ended = await story.begin();
  const messages = simulator.play(ended.session, approve);
  await simulator.send(messages);
  await story.reaches(ended.id, 'verified');
  await story.outcomes(ended.session);
  const isDone = async () => {
    const deliveries = await deliveriesOf(db, ended.id);
    return deliveries.length > 0 && deliveries.every(({ status }) => status === 'delivered');
  };
  await until(isDone, 'the callback to be delivered');

  const foreign = await story.begin();
  await db
    .updateTable('challenges')
    .set({ tenant_id, integration_id: integrationId })
    .where('id', '=', foreign.id)
    .execute();
  await db
    .updateTable('verification_sessions')
    .set({ provider_account_id: otherAccount })
    .where('challenge_id', '=', foreign.id)
    .execute();
  // Nobody asks the provider meanwhile: all that happens comes in by the door.
  const next_check_at = new Date(Date.now() + HOUR_MS);
  await db.updateTable('verification_sessions').set({ next_check_at }).where('status', '=', 'open').execute();

  return {
    ...story,
    other,
    otherAccount,
    open,
    ended,
    foreign,
    /** the webhooks that have verified `ended` */
    messages,
    /** Sends this shot, to this account or another, and expects exactly this to come of it and nothing else. */
    leaves: (shot: Shot, effect: Effect, accountId = story.accountId) =>
      leaves(db, accountId, () => fire(`${server.url}/webhooks/${name}/${accountId}`, shot), effect),
    /** The same, however it is sent. */
    leavesAfter: (act: () => Promise<number>, effect: Effect) => leaves(db, story.accountId, act, effect),
    async close() {
      await other.close();
      await story.close();
    },
  };
}

export type Door = Awaited<ReturnType<typeof startDoor<Simulator>>>;

/** A message as it would go out now. */
export function shotOf({ body, headers }: Message): Shot {
  return { body, headers: headers() };
}

/** The bytes of a shot with one bit of them changed. */
export function flipped(body: string | Buffer, at: number): Buffer {
  const bytes = Buffer.from(body);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  return bytes;
}

/** The session's id and the challenge it stands for. */
export function aboutOf({ id, session }: { id: string; session: SimulatedSession }) {
  return { sessionId: session.id, challengeId: id };
}

async function fire(url: string, { body, headers }: Shot): Promise<number> {
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(Buffer.from(body)) });
  await answer.arrayBuffer();
  return answer.status;
}

async function leaves(
  db: Db,
  accountId: string,
  act: () => Promise<number>,
  { status, line, audits = 0 }: Effect,
): Promise<void> {
  const before = await standing(db);
  const logBefore = await logOf(db, accountId);
  expect(await act()).toBe(status);
  const [grown, ...others] = await until(async () => {
    const lines = (await logOf(db, accountId)).filter(
      ({ id, copies }) => copies !== logBefore.find((one) => one.id === id)?.copies,
    );
    return lines.length > 0 && lines.every(isSettled) && lines;
  }, 'a line in the log of the account, and what came of it');
  expect(others).toEqual([]);
  expect(grown).toMatchObject(line);
  const copiesBefore = logBefore.find(({ id }) => id === grown?.id)?.copies ?? 0;
  expect(grown?.copies).toBe(copiesBefore + 1);
  const after = await standing(db);
  expect(after.rows).toEqual(before.rows);
  expect(after.audits - before.audits).toBe(audits);
}

/** All of which nothing hostile may change a single value, and how long the audit trails are. */
async function standing(db: Db) {
  const { challenges, events, deliveries, audit_entries = [] } = await readAllRows(db);
  return { rows: { challenges, events, deliveries }, audits: audit_entries.length };
}

function logOf(db: Db, accountId: string): Promise<Line[]> {
  return db.selectFrom('inbox').selectAll().where('provider_account_id', '=', accountId).execute();
}

/** Handled, or looked at and parked. */
function isSettled({ handled_at, tries }: Line): boolean {
  return handled_at !== null || tries > 0;
}
