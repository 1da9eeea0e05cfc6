import { asOf, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { findAnyChallenge, recordAudit } from '../challenges/store.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { View } from './cards.ts';
import type { Client, Place } from './client.ts';
import { clientOf, openConnected } from './deps.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { SlackError } from './error.ts';
import { findMessage, forgetMessage, markPosting, savePlace } from './messages-store.ts';
import type { Message } from './messages-store.ts';
import { viewOf } from './view.ts';

const ERASED: Done = { called: false, note: 'its challenge was erased' };

/**
 * Brings a message up to date: what it shows follows from the challenge as it stands now, so that it does not matter how
 * often this is done, or for which of several changes. Posts it if it was not, and rewrites it only if it shows something else.
 */
export async function showMessage(deps: SlackDeps, claimed: Job): Promise<Done> {
  const message = await findMessage(deps.db, claimed.event_id);
  const stored = message && (await findAnyChallenge(deps.db, message.challenge_id));
  const instance = stored?.slack_instance_id;
  if (!message || !stored || !instance) return ERASED;
  const challenge = asOf(stored, deps.now());
  const view = await viewOf(deps, message, challenge);
  const { recipient } = message;
  if (challenge.erased_at !== null || recipient === null) return bury(deps, message, view, instance);
  const hash = sha256(JSON.stringify(view));
  if (message.shown_hash === hash) return { called: false, note: 'it shows this already' };
  const work = { deps, message: { ...message, recipient }, challenge, view, hash };
  if (isPointless(work) && message.ts === null && message.posting_at === null) return nobodyToAsk(work);
  return put({ ...work, client: clientOf(deps, await openConnected(deps, instance)) });
}

/** Takes the details out of it in Slack, and then forgets it; the notes name no conversation any more. */
async function bury(deps: SlackDeps, message: Message, view: View, instance: string): Promise<Done> {
  const place = placeOf(message);
  const stands = place && (await clientOf(deps, await openConnected(deps, instance)).update(place, view));
  await forgetMessage(deps.db, message.event_id);
  if (stands === undefined) return ERASED;
  return { called: true, note: stands ? 'its details were erased' : 'it was deleted in Slack' };
}

type Work = {
  deps: SlackDeps;
  message: Message & { recipient: string };
  challenge: Challenge;
  view: View;
  hash: string;
};
type Calling = Work & { client: Client };

/** A question that comes after the end. */
function isPointless({ message, challenge }: Work): boolean {
  return message.role === 'card' && isTerminal(challenge.status);
}

function nobodyToAsk({ challenge: { status } }: Work): Done {
  return { called: false, note: `the challenge is ${status}, and there is nobody to ask any more` };
}

async function put(work: Calling): Promise<Done> {
  const { deps, client, message, view, hash } = work;
  const { event_id, role } = message;
  const place = placeOf(message) ?? (await findAgain(work));
  if (place && (await client.update(place, view))) {
    await savePlace(deps.db, event_id, place, hash);
    return { called: true, note: `rewritten in ${place.channel_id}` };
  }
  // Somebody deleted it. Whoever asked still has to hear; whoever was asked has seen it.
  if (place && role === 'card') return { called: true, note: 'it was deleted in Slack' };
  if (isPointless(work)) return { ...nobodyToAsk(work), called: true };
  if (!place) return post(work);
  await savePlace(deps.db, event_id, undefined, null);
  return post({ ...work, message: { ...message, posting_at: null } });
}

/** Where it stands after all: a call to post it was begun, and nobody knows how that ended. */
async function findAgain(work: Calling): Promise<Place | undefined> {
  const { client, message } = work;
  const { posting_at, recipient, event_id } = message;
  if (posting_at === null) return undefined;
  const place = await client.findPosted(recipient, event_id, posting_at);
  // What exactly it shows is not known.
  if (place) await notePosted(work, place, null);
  return place;
}

async function post(work: Calling): Promise<Done> {
  const { deps, client, message, view, hash } = work;
  const { event_id, recipient, posting_at } = message;
  // Since the first time: each of several tries may have been the one that succeeded.
  if (!(await markPosting(deps.db, event_id, posting_at ?? deps.now()))) return ERASED;
  const place = await client.post(recipient, view, event_id).catch(async (error: unknown) => {
    // This try certainly did not.
    if (error instanceof SlackError && error.kind !== 'unavailable')
      await markPosting(deps.db, event_id, posting_at);
    throw error;
  });
  await notePosted(work, place, hash);
  return { called: true, note: `posted to ${place.channel_id}` };
}

async function notePosted({ deps, message, challenge }: Work, place: Place, hash: string | null) {
  const { db, now } = deps;
  const { event_id, role, challenge_id } = message;
  await db.transaction().execute(async (tx) => {
    if (!(await savePlace(tx, event_id, place, hash))) return;
    const about = { tenant_id: challenge.tenant_id, challenge_id, at: now(), actor: 'system' };
    const detail = JSON.stringify({ channel: place.channel_id });
    await recordAudit(tx, { ...about, action: `slack_${role}_posted`, detail });
  });
}

function placeOf({ channel_id, ts }: Message): Place | undefined {
  return channel_id === null || ts === null ? undefined : { channel_id, ts };
}
