import { endpointsOf } from '../deliveries/endpoint.ts';
import { handleOnce, PARK_WAITS_MS } from './inbox.ts';
import type { Handled, InboxDeps, Question, Told } from './inbox.ts';
import { findUnhandled, parkWebhook } from './inbox-store.ts';

/** So many questions to one account at the same time: a provider that hangs must not keep the others' webhooks waiting. */
const QUESTIONS_AT_ONCE = 2;
const ASK_AGAIN_MS = 3_000;

/**
 * Handles webhooks of one process. Reads a kept one and applies it, once: effect and mark are one transaction. What is
 * only a hint is asked about in between; when too much is being asked there already, it is tried again in some seconds.
 */
export function createHandler(deps: InboxDeps): (inboxId: string) => Promise<void> {
  const asking = new Map<string, number>();

  const ask = async (inboxId: string, question: Question): Promise<Handled | Question | undefined> => {
    const { id } = question.ask.account;
    const under = asking.get(id) ?? 0;
    if (under >= QUESTIONS_AT_ONCE) {
      await postpone(deps, inboxId, ASK_AGAIN_MS);
      return undefined;
    }
    asking.set(id, under + 1);
    const told = await askProvider(deps, question).finally(() => asking.set(id, (asking.get(id) ?? 1) - 1));
    return handleOnce(deps, inboxId, told);
  };

  return async (inboxId) => {
    try {
      const first = await handleOnce(deps, inboxId);
      const handled = first && 'ask' in first ? await ask(inboxId, first) : first;
      if (!handled || 'ask' in handled) return;
      const { outcome } = handled;
      deps.metrics.inboundHandledTotal.inc({ outcome });
      deps.log.info({ inbox_id: inboxId, outcome }, 'webhook handled');
      if (handled.ended) deps.wake(endpointsOf([handled.ended]));
    } catch (error) {
      // Tried again by the sweep, later each time: one that always fails must not take the others' place.
      await postpone(deps, inboxId);
      throw error;
    }
  };
}

/** Puts a webhook off: by so long, which is no try, or by the next of the ever longer waits. */
async function postpone({ db, now }: InboxDeps, inboxId: string, waitMs?: number): Promise<void> {
  const row = await findUnhandled(db, inboxId);
  if (!row) return;
  const wait = waitMs ?? PARK_WAITS_MS[row.tries] ?? PARK_WAITS_MS.at(-1) ?? 0;
  const tries = row.tries + (waitMs === undefined ? 1 : 0);
  await parkWebhook(db, inboxId, { tries, nextTryAt: new Date(now().getTime() + wait) });
}

async function askProvider(deps: InboxDeps, { ask, sessionId }: Question): Promise<Told> {
  const { account, provider, settings } = ask;
  const { outbound, reachOf, log } = deps;
  const http = { outbound, reach: reachOf(account.mode) };
  try {
    return { report: await provider.fetchReport({ sessionId, token: undefined }, settings, http) };
  } catch (error) {
    log.warn({ err: error, account_id: account.id }, 'a webhook could not be confirmed');
    return 'unavailable';
  }
}
