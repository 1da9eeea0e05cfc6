import { parseDuration } from '../kernel/schedule.ts';
import type { Travel } from '../simulators/simulator.ts';
import { UsageError, textOf } from './command.ts';
import type { Option, Values } from './command.ts';

const MAX_COPIES = 100;

/** How webhooks travel, where it is not to be as usual. */
export const TRAVEL_OPTIONS: { [name: string]: Option } = {
  copies: {
    type: 'string',
    value: 'N',
    default: '1',
    help: 'Send each webhook N times at once (default: 1)',
  },
  late: {
    type: 'string',
    value: 'TIME',
    default: '0',
    help: 'Wait this long before each webhook, such as 10s or 5m (default: 0)',
  },
  lose: {
    type: 'string',
    value: 'PERCENT',
    default: '0',
    help: 'Never send this share of the webhooks (default: 0)',
  },
  reversed: { type: 'boolean', default: false, help: 'Send the webhooks of a run last first' },
};

/** The option that says where a simulator listens. */
export function portOption(fallback: number): Option {
  return {
    type: 'string',
    value: 'PORT',
    default: String(fallback),
    help: `Port on 127.0.0.1; 0 takes any free one (default: ${fallback})`,
  };
}

/** The port that was asked for. */
export function portOf(values: Values): number {
  return wholeNumber(values, 'port', 0, 65_535);
}

/** How webhooks are to travel. */
export function travelOf(values: Values): Partial<Travel> {
  return {
    copies: wholeNumber(values, 'copies', 1, MAX_COPIES),
    lose: wholeNumber(values, 'lose', 0, 100) / 100,
    delayMs: durationOf(values, 'late'),
    reversed: values.reversed === true,
  };
}

function wholeNumber(values: Values, name: string, least: number, most: number): number {
  const text = textOf(values, name) ?? '';
  const number = Number(text);
  if (!/^\d{1,9}$/.test(text) || number < least || number > most)
    throw new UsageError(`--${name} must be a whole number from ${least} to ${most}`);
  return number;
}

function durationOf(values: Values, name: string): number {
  try {
    return parseDuration(textOf(values, name) ?? '');
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}
