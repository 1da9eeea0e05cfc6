import type { Db } from '../db/database.ts';
import type { SlackEvent } from '../deliveries/event-types.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { namedId } from '../kernel/id.ts';
import type { Job } from './deps.ts';
import { insertOnce } from './outbox-store.ts';
import type { Workspace } from './workspace.ts';

/** Something to be done in a workspace; `name` is the same when Slack sends the same again. */
type Item = {
  type: SlackEvent;
  name: string;
  challenge_id: string | null;
  content: { instance: string };
};

/**
 * Keeps what is to be done in a workspace, once for each name, within the caller's transaction, who wakes the endpoint
 * after the commit if this says true. The content is sealed: whoever has a response_url may write in Slack.
 */
export async function keep(
  tx: Db,
  sealer: Sealer,
  { tenant_id, mode }: Pick<Workspace, 'tenant_id' | 'mode'>,
  { type, name, challenge_id, content }: Item,
  at: Date,
): Promise<boolean> {
  const { instance } = content;
  const id = namedId(name, instance);
  const sealed = sealer.seal(JSON.stringify(content), contentContext(id));
  const about = { id, tenant_id, mode, type, challenge_id, sequence: null };
  return insertOnce(tx, { ...about, body: JSON.stringify({ sealed }), occurred_at: at }, instance);
}

/** What was kept for this job, and for which workspace. */
export function openKept({ sealer }: { sealer: Sealer }, { event_id, body }: Job): Item['content'] {
  const { sealed } = JSON.parse(body) as { sealed: string };
  return JSON.parse(sealer.unseal(sealed, contentContext(event_id))) as Item['content'];
}

/** Where a content belongs, so that a sealed value copied to another row does not open. */
function contentContext(eventId: string): string {
  return `events:${eventId}`;
}
