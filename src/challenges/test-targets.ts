import { invalid } from '../kernel/errors.ts';
import type { Challenge, Mode } from './challenge.ts';

/** What a test target, or one that is simulated, may do. `slow`: begins, and is verified later. */
export const OUTCOMES = ['verify', 'deny', 'expire', 'incident', 'slow'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export type Acting = Pick<Challenge, 'acts_as' | 'acts_at'>;

const DOMAIN = '@countersign.test';
const FIELD = 'target_user_email';
/** Time to write down the id that the create answered. */
export const FIRST_MS = 1_000;
const SLOW_MS = 30_000;

/** What a challenge for this target does by itself, and when; nothing for ordinary targets. Throws a 400 for no known test target, or in live mode. */
export function actingOf(email: string | null, mode: Mode, createdAt: Date): Acting {
  const address = email?.toLowerCase();
  if (!address?.endsWith(DOMAIN)) return { acts_as: null, acts_at: null };
  if (mode === 'live') throw invalid(`${FIELD} is a test target (${DOMAIN}); those are for test mode`, FIELD);
  const outcome = OUTCOMES.find((name) => address === name + DOMAIN);
  if (!outcome) {
    const names = OUTCOMES.map((name) => `${name}@`).join(', ');
    throw invalid(`${FIELD} is no test target; those of ${DOMAIN.slice(1)} are ${names}`, FIELD);
  }
  return outcome === 'slow' ? slowly(createdAt) : { acts_as: outcome, acts_at: after(createdAt, FIRST_MS) };
}

/** What makes a challenge be verified after a while. */
export function slowly(from: Date): Acting {
  return { acts_as: 'verify', acts_at: after(from, SLOW_MS) };
}

function after(from: Date, ms: number): Date {
  return new Date(from.getTime() + ms);
}
