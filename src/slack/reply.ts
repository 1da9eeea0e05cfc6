import type { Db } from '../db/database.ts';
import { slackEndpointOf } from '../deliveries/endpoint.ts';
import { clientOf, openConnected } from './deps.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { keep, openKept } from './kept.ts';
import type { Workspace } from './workspace.ts';

/** Whom an answer is for, what they did, and what about. */
export type ReplyTo = {
  user: string;
  response_url: string;
  trigger: string;
  challenge_id: string | null;
};
type Reply = { instance: string; user: string; response_url: string; text: string };

/**
 * Keeps an answer, one for each command or press, and what `alongside` writes with it; false if there was one. Nothing in
 * the text may be untrusted but what is escaped.
 */
export async function keepReply(
  { db, sealer, now, wake }: SlackDeps,
  workspace: Pick<Workspace, 'id' | 'tenant_id' | 'mode'>,
  { user, response_url, trigger, challenge_id }: ReplyTo,
  text: string,
  alongside: (tx: Db) => Promise<void> = () => Promise.resolve(),
): Promise<boolean> {
  const content: Reply = { instance: workspace.id, user, response_url, text };
  const kept = await db.transaction().execute(async (tx) => {
    const item = { type: 'slack.reply', name: `${trigger} reply`, challenge_id, content } as const;
    const isNew = await keep(tx, sealer, workspace, item, now());
    if (isNew) await alongside(tx);
    return isNew;
  });
  if (kept) wake([slackEndpointOf(workspace.id)]);
  return kept;
}

/** Gives an answer that was kept to the person it is for, so that only they see it; in a message when Slack takes no answers any more. */
export async function giveReply(deps: SlackDeps, job: Job): Promise<Done> {
  const { instance, user, response_url, text } = openKept(deps, job) as Reply;
  const client = clientOf(deps, await openConnected(deps, instance));
  if (await client.respond(response_url, text)) return { called: true, note: 'answered' };
  await client.tell(user, text);
  return { called: true, note: 'Slack took no answer any more, so it was told in a message' };
}
