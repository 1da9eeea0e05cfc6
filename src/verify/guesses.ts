import ipaddr from 'ipaddr.js';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RateLimiterRes } from 'rate-limiter-flexible';

/** Links that do not work, and forms that nobody sent, which one address may come with in a minute. */
export const MAX_REFUSED = 60;
const WINDOW_S = 60;
/** What is written about one challenge's refusals in an hour: whoever floods must not fill the audit trail. */
export const MAX_WRITTEN = 20;
const WRITTEN_WINDOW_S = 3_600;
const IPV6_NETWORK = 64;

/** Counts what each address is refused for, in this process: a token has 256 bits, so this spares the store rather than the secret. */
export type Guesses = {
  /** Seconds until the address may try again; undefined: now. */
  waitFor(address: string | undefined): Promise<number | undefined>;
  count(address: string | undefined): Promise<void>;
  /** Whether a refusal may still be written to this challenge's trail. */
  mayWrite(challengeId: string): Promise<boolean>;
};

/** One of these per process. */
export function createGuesses(): Guesses {
  const refused = new RateLimiterMemory({ keyPrefix: 'refused', points: MAX_REFUSED, duration: WINDOW_S });
  const written = new RateLimiterMemory({
    ...{ keyPrefix: 'written', points: MAX_WRITTEN, duration: WRITTEN_WINDOW_S },
  });
  return {
    async waitFor(address) {
      const state = await refused.get(networkOf(address));
      if (!state || state.consumedPoints < MAX_REFUSED) return undefined;
      return Math.max(1, Math.ceil(state.msBeforeNext / 1_000));
    },
    count: async (address) => void (await consume(refused, networkOf(address))),
    mayWrite: (challengeId) => consume(written, challengeId),
  };
}

function consume(limiter: RateLimiterMemory, key: string): Promise<boolean> {
  return limiter.consume(key).then(
    () => true,
    (spent: unknown) => {
      // The library rejects with its state when nothing is left, and with an Error when it failed.
      if (typeof (spent as RateLimiterRes).msBeforeNext === 'number') return false;
      throw spent;
    },
  );
}

/** One subscriber has a whole network of IPv6 addresses. */
function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${IPV6_NETWORK}`).toString();
}
