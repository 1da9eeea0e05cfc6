import type { Db } from '../../src/db/database.ts';
import { newApiKey } from '../../src/tenants/keys.ts';
import { insertKey } from '../../src/tenants/store.ts';
import type { KeyRights } from '../../src/tenants/store.ts';
import type { TestServer } from './server.ts';
import type { Seen, Slack } from './slack.ts';
import { until } from './until.ts';

/** Which of a challenge's messages each person in the workspace (and the channel, if one is given) can read, once all are posted. */
export async function whoSees(
  { db }: Pick<TestServer, 'db'>,
  slack: Slack,
  challengeId: string,
  channel?: string,
): Promise<{ [reader: string]: string[] }> {
  const messages = await until(async () => {
    const all = await messagesOf(db, challengeId);
    return all.every(({ ts }) => ts !== null) && all;
  }, `the messages of challenge ${challengeId}`);
  const places = [
    ...names(slack).map(async (name) => [name, await slack.seenBy(name)] as const),
    ...(channel === undefined ? [] : [slack.seenIn(channel).then((seen) => ['channel', seen] as const)]),
  ];
  const read = (await Promise.all(places)).map(([reader, seen]) => {
    const found = messages.filter((one) => seen.some((two) => isAt(two, one)));
    return [reader, found.map(({ role }) => role)] as const;
  });
  return Object.fromEntries(read.filter(([, roles]) => roles.length > 0));
}

/** A key of an integration that has none, such as a Slack workspace. */
export async function addKey(
  { db }: Pick<TestServer, 'db'>,
  integration_id: string,
  { mode = 'test', ...rights }: Partial<KeyRights> & { mode?: 'test' | 'live' } = {},
): Promise<string> {
  const { key, ...stored } = newApiKey(mode);
  await insertKey(db, { integration_id, ...stored, ...rights });
  return key;
}

/** The rows of a challenge's messages, the card first. */
export function messagesOf(db: Db, challengeId: string) {
  return db
    .selectFrom('slack_messages')
    .selectAll()
    .where('challenge_id', '=', challengeId)
    .orderBy('role')
    .execute();
}

function names({ users }: Slack) {
  return Object.keys(users) as (keyof typeof users)[];
}

function isAt(seen: Seen, { channel_id, ts }: { channel_id: string | null; ts: string | null }): boolean {
  return seen.channel === channel_id && seen.ts === ts;
}
