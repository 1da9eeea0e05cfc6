import type { Db } from '../db/database.ts';
import { slackEndpointOf } from '../deliveries/endpoint.ts';
import { clientOf, openConnected } from './deps.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { SlackError } from './error.ts';
import { keep, openKept } from './kept.ts';
import type { Workspace } from './workspace.ts';

/** Whom an answer is for, what they did, and what about. */
export type ReplyTo = {
  user: string;
  response_url: string;
  trigger: string;
  challenge_id: string | null;
  /** when they did it, in milliseconds */
  at: number;
};
type Reply = { instance: string; user: string; response_url: string; at: number; text: string };

/** For as long as Slack takes answers; later whoever asked has gone on, and would not know what it is about. */
const MAX_AGE_MS = 30 * 60_000;

/**
 * Keeps an answer, one for each command or press, and what `alongside` writes with it; false if there was one. Nothing in
 * the text may be untrusted but what is escaped.
 */
export async function keepReply(
  { db, sealer, now, wake }: SlackDeps,
  workspace: Pick<Workspace, 'id' | 'tenant_id' | 'mode'>,
  { user, response_url, trigger, challenge_id, at }: ReplyTo,
  text: string,
  alongside: (tx: Db) => Promise<void> = () => Promise.resolve(),
): Promise<boolean> {
  const content: Reply = { instance: workspace.id, user, response_url, at, text };
  const kept = await db.transaction().execute(async (tx) => {
    const item = { type: 'slack.reply', name: `${trigger} reply`, challenge_id, content } as const;
    const isNew = await keep(tx, sealer, workspace, item, now());
    if (isNew) await alongside(tx);
    return isNew;
  });
  if (kept) wake([slackEndpointOf(workspace.id)]);
  return kept;
}

/**
 * Gives an answer that was kept to the person it is for, so that only they see it. When the address for it does not take
 * it, whatever the reason, it is told in a message: whether Slack can be reached is said by its API alone.
 */
export async function giveReply(deps: SlackDeps, job: Job): Promise<Done> {
  const { instance, user, response_url, at, text } = openKept(deps, job) as Reply;
  if (deps.now().getTime() - at > MAX_AGE_MS)
    return { called: false, note: 'not given: it is more than 30 minutes since it was asked for' };
  const client = clientOf(deps, await openConnected(deps, instance));
  const failure = await failureOf(client.respond(response_url, text));
  if (failure === undefined) return { called: true, note: 'answered' };
  await client.tell(user, text);
  return { called: true, note: `told in a message: ${failure}` };
}

async function failureOf(responding: Promise<boolean>): Promise<string | undefined> {
  try {
    return (await responding) ? undefined : 'Slack took no answer any more';
  } catch (error) {
    if (error instanceof SlackError) return error.message;
    throw error;
  }
}
