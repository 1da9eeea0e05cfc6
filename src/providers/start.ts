import { setTimeout as sleep } from 'node:timers/promises';
import type { Challenge } from '../challenges/challenge.ts';
import { parseUrl } from '../kernel/address.ts';
import { AppError } from '../kernel/errors.ts';
import { openAccount } from './account.ts';
import { sweepInbox } from './inbox.ts';
import type { InboxDeps } from './inbox.ts';
import { unparkWebhooks } from './inbox-store.ts';
import { nextCheckAt } from './reconcile.ts';
import { attemptsLeft } from './report.ts';
import { dropOpening, findCurrentSession, insertOpening, markOpen } from './sessions-store.ts';
import { findAccountOf, sealContext } from './store.ts';
import type { Session } from './sessions-store.ts';
import type { Account } from './store.ts';

export type StartDeps = InboxDeps & { publicUrl: string };

/** An opening that has not answered by then was lost with its process. */
const OPENING_LOST_MS = 15_000;
const POLL_MS = 200;
/** A Passbase link has about a thousand characters, and headers are limited to some thousands. */
const MAX_LINK = 4_096;

/** Where the challenge's current session is; undefined while there is none. */
export async function findSessionUrl(
  { db, sealer }: Pick<StartDeps, 'db' | 'sealer'>,
  challenge: Challenge,
): Promise<string | undefined> {
  const current = await findCurrentSession(db, challenge.id);
  return current?.url_sealed ? sealer.unseal(current.url_sealed, sealContext.url(current.id)) : undefined;
}

/**
 * Where to send the person: the challenge's current session at its provider, opened now if there is none. Two clicks
 * at once open one session. Throws `unavailable` when the provider does not answer; another click may then try again.
 */
export async function startSession(deps: StartDeps, challenge: Challenge): Promise<string> {
  const { db, now } = deps;
  const { tenant_id, mode, provider } = challenge;
  const account = await findAccountOf(db, { tenant_id, mode, provider: provider ?? '' });
  if (!account) throw new AppError('unavailable', 'The identity provider is not set up');
  const giveUp = now().getTime() + OPENING_LOST_MS;
  while (now().getTime() <= giveUp) {
    const url = await findSessionUrl(deps, challenge);
    if (url !== undefined) return url;
    if ((await attemptsLeft(deps, challenge)) < 1) throw new AppError('conflict', 'There is no attempt left');
    const opening = await insertOpening(db, challenge.id, account.id, now());
    if (opening) return open(deps, challenge, account, opening);
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
    const run = {
      challengeId: challenge.id,
      runId: opening.id,
      returnUrl: `${publicUrl}/challenge/${challenge.id}/result`,
    };
    const started = await provider.startSession(run, settings, { outbound, reach: reachOf(account.mode) });
    const { sessionId, token } = started;
    const url = linkOf(started.url);
    const opened = await markOpen(db, opening.id, {
      provider_session_id: sessionId ?? null,
      url_sealed: sealer.seal(url, sealContext.url(opening.id)),
      token_sealed: token === undefined ? null : sealer.seal(token, sealContext.token(opening.id)),
      next_check_at: nextCheckAt(now(), 0, challenge.expires_at),
    });
    // Too slow: another click has begun a session of its own, and this one's decision would find nobody.
    if (!opened) throw new Error('the opening was given up meanwhile');
    if (sessionId === undefined) return url;
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

/** As it can stand in a header; whatever a provider answers, people must be able to follow it. */
function linkOf(url: string): string {
  const { href = '' } = parseUrl(url) ?? {};
  if (href === '' || href.length > MAX_LINK) throw new Error('the provider’s link cannot be followed');
  return href;
}
