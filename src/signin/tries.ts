import { invalid } from '../kernel/errors.ts';
import type { Field, Settings } from '../providers/provider.ts';

const DEFAULT = 3;
const MAX = 10;

/** How an operator says how many tries people have. */
export const MAX_ATTEMPTS: Field = {
  help: `How many sign-ins in one browser at one address may go wrong before the challenge fails, 1 to ${MAX}`,
  fallback: String(DEFAULT),
};

/** Throws a 400 for what is no number of tries. */
export function checkMaxAttempts({ max_attempts = '' }: Settings): void {
  if (!/^\d{1,2}$/.test(max_attempts) || Number(max_attempts) < 1 || Number(max_attempts) > MAX)
    throw invalid(`max_attempts must be a whole number from 1 to ${MAX}`, 'max_attempts');
}

/** How many tries a browser has at one address. */
export function maxAttemptsOf({ max_attempts }: Settings): number {
  return Number(max_attempts) || DEFAULT;
}
