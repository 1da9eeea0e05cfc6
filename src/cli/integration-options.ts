import { CHALLENGE_EVENTS, parseEventTypes } from '../deliveries/event-types.ts';
import type { EventType } from '../deliveries/event-types.ts';
import { parseSchedule } from '../kernel/schedule.ts';
import { UsageError, textOf } from './command.ts';
import type { Option, Values } from './command.ts';

/** How an integration's callbacks are sent, as far as it is no secret; null: as the server's settings say. */
export type Sending = {
  events?: EventType[];
  retry_waits_s?: number[] | null;
  in_flight_cap?: number | null;
};

const MAX_IN_FLIGHT = 100;
const DEFAULT = 'default';

export const SENDING_OPTIONS: { [name: string]: Option } = {
  events: {
    type: 'string',
    value: 'LIST|default',
    help: 'Which events it hears of, such as challenge.*,delivery.dead (default: challenge.*)',
  },
  'retry-schedule': {
    type: 'string',
    value: 'LIST|default',
    help: 'Waits before the 2nd, 3rd, ... attempt, such as 5s,5m,30m (default: RETRY_SCHEDULE)',
  },
  'in-flight-cap': {
    type: 'string',
    value: '1-100|default',
    help: 'Callbacks on their way at the same time (default: IN_FLIGHT_CAP)',
  },
};

/** What the options of SENDING_OPTIONS ask for; those not given are not there. */
export function sendingOf(values: Values): Sending {
  const [events, schedule, cap] = [
    givenOf(values, 'events'),
    givenOf(values, 'retry-schedule'),
    capOf(values),
  ];
  return {
    ...(events === undefined ? {} : { events: eventsOf(events) }),
    ...(schedule === undefined ? {} : { retry_waits_s: schedule === DEFAULT ? null : waitsOf(schedule) }),
    ...(cap === undefined ? {} : { in_flight_cap: cap }),
  };
}

/** The text of an option; an empty one is refused, because it is most likely a variable that was not set. */
export function givenOf(values: Values, name: string): string | undefined {
  if (values[name] === '') throw new UsageError(`--${name} is empty; leave it out to change nothing`);
  return textOf(values, name);
}

function eventsOf(text: string): EventType[] {
  if (text === DEFAULT) return [...CHALLENGE_EVENTS];
  try {
    return parseEventTypes(text);
  } catch (error) {
    throw new UsageError(`--events: ${(error as Error).message}`);
  }
}

function waitsOf(text: string): number[] {
  try {
    return parseSchedule(text).map((ms) => ms / 1_000);
  } catch (error) {
    throw new UsageError(
      `--retry-schedule takes waits such as 5s,5m,30m, or default: ${(error as Error).message}`,
    );
  }
}

function capOf(values: Values): number | null | undefined {
  const text = givenOf(values, 'in-flight-cap');
  if (text === undefined) return undefined;
  if (text === DEFAULT) return null;
  const cap = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (cap < 1 || cap > MAX_IN_FLIGHT)
    throw new UsageError(`--in-flight-cap must be 1 to ${MAX_IN_FLIGHT}, or default`);
  return cap;
}
