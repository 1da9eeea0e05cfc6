import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { RateLimiterRes } from 'rate-limiter-flexible';
import type { Named } from './command-input.ts';

/** Commands that one person may type in a minute. */
export const MAX_BY_USER = 10;
const USER_WINDOW_S = 60;
/** Commands about one person, whoever types them, in ten minutes: nobody is to be asked until they give in. */
export const MAX_ABOUT_TARGET = 5;
const TARGET_WINDOW_S = 600;

/** Who typed a command where, about whom, and which one it is. */
type Typed = { instance: string; user: string; target: Named; trigger: string };
/** Counts commands in this process. */
export type CommandLimits = {
  /** Counts a command, once for each trigger; what to tell the person instead if it is one too many. */
  refusalOf(typed: Typed): Promise<string | undefined>;
};

/** One of these per process. */
export function createCommandLimits(): CommandLimits {
  const users = limiter('users', MAX_BY_USER, USER_WINDOW_S);
  const targets = limiter('targets', MAX_ABOUT_TARGET, TARGET_WINDOW_S);
  const triggers = limiter('triggers', 1, TARGET_WINDOW_S);
  return {
    async refusalOf({ instance, user, target, trigger }) {
      const name = 'user' in target ? target.user : target.email.toLowerCase();
      const isRepeated = (await waitOf(triggers, `${instance} ${trigger}`)) !== undefined;
      if (isRepeated) return undefined;
      const refusal =
        refused(BY_USER, await waitOf(users, `${instance} ${user}`)) ??
        refused(ABOUT_TARGET, await waitOf(targets, `${instance} ${name}`));
      // It was not taken, so it is not taken either when it comes again.
      if (refusal !== undefined) await triggers.delete(`${instance} ${trigger}`);
      return refusal;
    },
  };
}

const BY_USER = `you have asked ${MAX_BY_USER} times within a minute`;
const ABOUT_TARGET = `this person has been asked for ${MAX_ABOUT_TARGET} times within ten minutes`;

function refused(why: string, waitS: number | undefined): string | undefined {
  return waitS === undefined ? undefined : `Nothing was created: ${why}. Try again in ${inWords(waitS)}.`;
}

function inWords(seconds: number): string {
  const [value, unit] = seconds > 90 ? [Math.ceil(seconds / 60), 'minute'] : [seconds, 'second'];
  return new Intl.NumberFormat('en', { style: 'unit', unit, unitDisplay: 'long' }).format(value);
}

function limiter(keyPrefix: string, points: number, duration: number): RateLimiterMemory {
  return new RateLimiterMemory({ keyPrefix, points, duration });
}

/** Counts it; the seconds until it would not be one too many, if it is. */
function waitOf(counted: RateLimiterMemory, key: string): Promise<number | undefined> {
  return counted.consume(key).then(
    () => undefined,
    (spent: unknown) => {
      // The library rejects with its state when nothing is left, and with an Error when it failed.
      const { msBeforeNext } = spent as RateLimiterRes;
      if (typeof msBeforeNext !== 'number') throw spent;
      return Math.max(1, Math.ceil(msBeforeNext / 1_000));
    },
  );
}
