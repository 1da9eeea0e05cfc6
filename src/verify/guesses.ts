import ipaddr from 'ipaddr.js';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RateLimiterRes } from 'rate-limiter-flexible';

/** Wrong links to one challenge, or to none, that an address may come with in a minute. */
export const MAX_REFUSED = 20;
const WINDOW_S = 60;
/** What is written about one challenge's refusals in an hour: whoever floods must not fill the audit trail. */
export const MAX_WRITTEN = 20;
const WRITTEN_WINDOW_S = 3_600;
const IPV6_NETWORK = 64;

/** Counts wrong links in this process: a token has 256 bits, so whoever guesses is only told sooner that it is no use. */
export type Guesses = {
  /** Seconds until the address may try again what it is about; undefined: now. */
  waitFor(address: string | undefined, about: string): Promise<number | undefined>;
  count(address: string | undefined, about: string): Promise<void>;
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
    async waitFor(address, about) {
      const state = await refused.get(keyOf(address, about));
      if (!state || state.consumedPoints < MAX_REFUSED) return undefined;
      return Math.max(1, Math.ceil(state.msBeforeNext / 1_000));
    },
    count: async (address, about) => void (await consume(refused, keyOf(address, about))),
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

function keyOf(address: string | undefined, about: string): string {
  return `${networkOf(address)} ${about}`;
}

/** One subscriber has a whole network of IPv6 addresses. */
function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return 'unknown';
  const parsed = ipaddr.process(address);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${IPV6_NETWORK}`).toString();
}
