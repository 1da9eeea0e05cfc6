import { setTimeout as sleep } from 'node:timers/promises';
import type { Challenge, Mode } from '../challenges/challenge.ts';
import { AppError } from '../kernel/errors.ts';
import type { Outbound, Reach } from '../kernel/outbound.ts';
import { openAccount } from './account.ts';
import { sweepInbox } from './inbox.ts';
import type { InboxDeps } from './inbox.ts';
import { unparkWebhooks } from './inbox-store.ts';
import { dropOpening, findCurrentSession, insertOpening, markOpen } from './sessions-store.ts';
import { findAccountOf, sealContext } from './store.ts';
import type { Session } from './sessions-store.ts';
import type { Account } from './store.ts';

export type StartDeps = InboxDeps & { outbound: Outbound; reachOf: (mode: Mode) => Reach; publicUrl: string };

/** An opening that has not answered by then was lost with its process. */
const OPENING_LOST_MS = 15_000;
const POLL_MS = 200;
const FIRST_CHECK_MS = 60_000;

/**
 * Where to send the person: the challenge's current session at its provider, opened now if there is none. Two clicks
 * at once open one session. Throws `unavailable` when the provider does not answer; another click may then try again.
 */
export async function startSession(deps: StartDeps, challenge: Challenge): Promise<string> {
  const { db, now } = deps;
  const account = await findAccountOf(db, challenge.tenant_id, challenge.mode, challenge.provider ?? '');
  if (!account) throw new AppError('unavailable', 'The identity provider is not set up');
  const giveUp = now().getTime() + OPENING_LOST_MS;
  while (now().getTime() <= giveUp) {
    const opening = await insertOpening(db, challenge.id, account.id, now());
    if (opening) return open(deps, challenge, account, opening);
    const current = await findCurrentSession(db, challenge.id);
    if (current?.url_sealed) return deps.sealer.unseal(current.url_sealed, sealContext.url(current.id));
    await dropOpening(db, challenge.id, new Date(now().getTime() - OPENING_LOST_MS));
    await sleep(POLL_MS);
  }
  throw new AppError('unavailable', 'The identity provider is slow to answer');
}

async function open(
  deps: StartDeps,
  challenge: Challenge,
  account: Account,
  opening: Session,
): Promise<string> {
  const { db, sealer, outbound, reachOf, publicUrl, now } = deps;
  const { provider, settings } = openAccount(sealer, account);
  try {
    const run = { challengeId: challenge.id, returnUrl: `${publicUrl}/challenge/${challenge.id}/result` };
    const { sessionId, url } = await provider.startSession(run, settings, {
      outbound,
      reach: reachOf(account.mode),
    });
    const opened = await markOpen(db, opening.id, {
      provider_session_id: sessionId,
      url_sealed: sealer.seal(url, sealContext.url(opening.id)),
      next_check_at: new Date(now().getTime() + FIRST_CHECK_MS),
    });
    // Too slow: another click has begun a session of its own, and this one's decision would find nobody.
    if (!opened) throw new Error('the opening was given up meanwhile');
    // A decision may have come before this row was committed.
    await unparkWebhooks(db, account.id, sessionId, now());
    await sweepInbox(deps);
    return url;
  } catch (error) {
    deps.log.warn(
      { err: error, challenge_id: challenge.id, provider: account.provider },
      'a session could not be opened',
    );
    await dropOpening(db, challenge.id, opening.created_at);
    throw new AppError('unavailable', 'The identity provider does not answer');
  }
}
