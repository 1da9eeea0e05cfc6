/** What becomes of challenges; every integration hears of its own unless it chose otherwise. */
export const CHALLENGE_EVENTS = [
  'challenge.completed',
  'challenge.incident_reported',
  'challenge.expired',
] as const;
/** What becomes of a tenant's callbacks; sent to those of its integrations that chose it. */
const OPERATIONS_EVENTS = [
  'endpoint.opened',
  'endpoint.failing',
  'endpoint.recovered',
  'endpoint.disabled',
  'endpoint.enabled',
  'endpoint.gone',
  'delivery.failing',
  'delivery.dead',
  'secret.rotated',
] as const;
export const EVENT_TYPES = [...CHALLENGE_EVENTS, ...OPERATIONS_EVENTS] as const;
/** Sent when somebody asks whether an endpoint works. */
export const TEST_EVENT = 'endpoint.test';
/** What is done in Slack: a message to be brought up to date, a command to be carried out, an answer to be given. */
export const SLACK_EVENTS = ['slack.card', 'slack.notice', 'slack.command', 'slack.reply'] as const;

export type EventType = (typeof EVENT_TYPES)[number];
export type SlackEvent = (typeof SLACK_EVENTS)[number];
export type OperationsEvent = (typeof OPERATIONS_EVENTS)[number];

/** Whether it is done in Slack, and is no callback. */
export function isSlackEvent(type: string): boolean {
  return SLACK_EVENTS.some((one) => one === type);
}

/** Whether the text is an event that integrations may choose. */
function isEventType(text: string): text is EventType {
  return EVENT_TYPES.some((type) => type === text);
}

/**
 * The events that a list such as `challenge.completed,delivery.*` means, each once; `*` is all. Only those of today: a
 * type that a later version adds is nobody's choice yet. Throws Error that says what to write.
 */
export function parseEventTypes(text: string): EventType[] {
  const chosen = new Set(text.split(',').flatMap((part) => matching(part.trim())));
  return EVENT_TYPES.filter((type) => chosen.has(type));
}

function matching(part: string): readonly EventType[] {
  if (isEventType(part)) return [part];
  const found = part === '*' || part.endsWith('.*') ? startingWith(part.slice(0, -1)) : [];
  if (found.length > 0) return found;
  const groups = [...new Set(EVENT_TYPES.map((type) => `${type.split('.')[0]}.*`))];
  throw new Error(`there is no event "${part}"; use ${[...EVENT_TYPES, ...groups].join(', ')} or *`);
}

function startingWith(start: string): EventType[] {
  return EVENT_TYPES.filter((type) => type.startsWith(start));
}
