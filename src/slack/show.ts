import { asOf, isTerminal } from '../challenges/challenge.ts';
import { findAnyChallenge, recordAudit } from '../challenges/store.ts';
import { sha256 } from '../kernel/crypto.ts';
import { findBrand } from '../tenants/brand-store.ts';
import { cardOf, noticeOf } from './cards.ts';
import type { View } from './cards.ts';
import type { Client, Place } from './client.ts';
import { linkContext } from './create.ts';
import { clientOf, openConnected } from './deps.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { SlackError } from './error.ts';
import { findMessage, markPosting, savePlace } from './messages-store.ts';
import type { Message } from './messages-store.ts';
import { findWorkspace } from './workspaces-store.ts';

/**
 * Brings a message up to date: what it shows follows from the challenge as it stands now, so that it does not matter how
 * often this is done, or for which of several changes. Posts it if it was not, and rewrites it only if it shows something else.
 */
export async function showMessage(deps: SlackDeps, claimed: Job): Promise<Done> {
  const { db, sealer, now } = deps;
  const message = await findMessage(db, claimed.event_id);
  const stored = message && (await findAnyChallenge(db, message.challenge_id));
  const instance = stored?.slack_instance_id;
  if (!message || !stored || !instance) return { called: false, note: 'its challenge was erased' };
  const challenge = asOf(stored, now());
  const brand = await findBrand(db, challenge.tenant_id);
  const { event_id, role, requester_user, target_user, link_sealed, language } = message;
  const view = VIEWS[role]({
    ...{ challenge, language, requester: requester_user, target: target_user },
    tenant: brand.name,
    isAutomatic: requester_user === (await findWorkspace(db, instance))?.bot_user_id,
    link: link_sealed === null ? undefined : sealer.unseal(link_sealed, linkContext(event_id)),
  });
  const hash = sha256(JSON.stringify(view));
  if (message.shown_hash === hash) return { called: false, note: 'it shows this already' };
  if (message.ts === null && role === 'card' && isTerminal(challenge.status))
    return {
      called: false,
      note: `the challenge is ${challenge.status}, and there is nobody to ask any more`,
    };
  const workspace = await openConnected(deps, instance);
  const client = clientOf(deps, workspace);
  return put({ deps, client, message, view, hash, tenantId: challenge.tenant_id });
}

const VIEWS = { card: cardOf, notice: noticeOf };

type Work = {
  deps: SlackDeps;
  client: Client;
  message: Message;
  view: View;
  hash: string;
  tenantId: string;
};

async function put(work: Work): Promise<Done> {
  const { deps, client, message, view, hash } = work;
  const { event_id, role } = message;
  const place = placeOf(message) ?? (await findAgain(work));
  if (!place) return post(work);
  if (await client.update(place, view)) {
    await savePlace(deps.db, event_id, place, hash);
    return { called: true, note: `rewritten in ${place.channel_id}` };
  }
  // Somebody deleted it. Whoever asked still has to hear; whoever was asked has seen it.
  if (role === 'card') return { called: true, note: 'it was deleted in Slack' };
  await savePlace(deps.db, event_id, undefined, null);
  return post(work);
}

/** Where it stands after all: a call to post it was begun, and nobody knows how that ended. */
async function findAgain({ client, message }: Work): Promise<Place | undefined> {
  const { posting_at, recipient, event_id } = message;
  return posting_at === null ? undefined : client.findPosted(recipient, event_id, posting_at);
}

async function post({ deps, client, message, view, hash, tenantId }: Work): Promise<Done> {
  const { db, now } = deps;
  const { event_id, recipient, role, challenge_id } = message;
  await markPosting(db, event_id, now());
  const place = await client.post(recipient, view, event_id).catch(async (error: unknown) => {
    // Only where it is certain that Slack did not post it.
    if (error instanceof SlackError && error.kind !== 'unavailable') await markPosting(db, event_id, null);
    throw error;
  });
  await db.transaction().execute(async (tx) => {
    await savePlace(tx, event_id, place, hash);
    const detail = JSON.stringify({ channel: place.channel_id });
    const about = { tenant_id: tenantId, challenge_id, at: now(), actor: 'system' };
    await recordAudit(tx, { ...about, action: `slack_${role}_posted`, detail });
  });
  return { called: true, note: `posted to ${place.channel_id}` };
}

function placeOf({ channel_id, ts }: Message): Place | undefined {
  return channel_id === null || ts === null ? undefined : { channel_id, ts };
}
