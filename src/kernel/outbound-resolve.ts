import { Resolver } from 'node:dns/promises';

const RESOLVE_BUDGET_MS = 2_000;
const FAMILY_BUDGET_MS = 1_800; // some name servers never answer one of the two questions; the other answer must still do
const RESOLVE_TRY_MS = 600; // the second try of c-ares takes twice that
const RESOLVED_KEPT_MS = 60_000;
const UNRESOLVED_KEPT_MS = 30_000;
const NAMES_KEPT_MAX = 1_000;

/** All addresses of a host name; rejects when there are none. */
export type Resolve = (hostname: string) => Promise<string[]>;

/** c-ares, not getaddrinfo: that one runs on the four libuv threads, where a few slow names stall every worker. */
export function createResolve(): Resolve {
  const resolver = new Resolver({ timeout: RESOLVE_TRY_MS, tries: 2 });
  return async (hostname) => {
    const tooLate = rejectOnAbort(AbortSignal.timeout(FAMILY_BUDGET_MS));
    const questions = [resolver.resolve4(hostname), resolver.resolve6(hostname)] as const;
    const [four, six] = await Promise.allSettled([
      Promise.race([questions[0], tooLate]),
      Promise.race([questions[1], tooLate]),
    ]);
    if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
    return [four, six].flatMap((found) => (found.status === 'fulfilled' ? found.value : []));
  };
}

/** Remembers answers and failures alike, gives each question its time budget, and asks once for simultaneous callers. */
export function rememberNames(resolve: Resolve): Resolve {
  const known = new Map<string, { answer: Promise<string[]>; until: number }>();
  return (hostname) => {
    const remembered = known.get(hostname);
    if (remembered && remembered.until > Date.now()) return remembered.answer;
    const entry = { answer: withinBudget(resolve, hostname), until: Date.now() + RESOLVED_KEPT_MS };
    entry.answer.catch(() => (entry.until = Date.now() + UNRESOLVED_KEPT_MS));
    known.delete(hostname);
    known.set(hostname, entry);
    const [oldest] = known.keys();
    if (known.size > NAMES_KEPT_MAX && oldest !== undefined) known.delete(oldest);
    return entry.answer;
  };
}

async function withinBudget(resolve: Resolve, hostname: string): Promise<string[]> {
  const found = await Promise.race([
    resolve(hostname),
    rejectOnAbort(AbortSignal.timeout(RESOLVE_BUDGET_MS)),
  ]);
  if (found.length === 0) throw new Error('no addresses');
  return found;
}

/** Rejects when the signal says so, and never resolves. */
export function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, failed) => {
    if (signal.aborted) return failed(signal.reason);
    signal.addEventListener('abort', () => failed(signal.reason), { once: true });
  });
}
