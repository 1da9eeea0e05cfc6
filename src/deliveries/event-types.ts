/** What becomes of challenges; every integration hears of its own unless it chose otherwise. */
export const CHALLENGE_EVENTS = [
  'challenge.completed',
  'challenge.incident_reported',
  'challenge.expired',
] as const;
/** What becomes of a tenant's callbacks; sent to those of its integrations that chose it. */
export const OPERATIONS_EVENTS = [
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

export type OperationsEvent = (typeof OPERATIONS_EVENTS)[number];

/** Whether the text is an event that integrations may choose. */
export function isEventType(text: string): text is (typeof EVENT_TYPES)[number] {
  return EVENT_TYPES.some((type) => type === text);
}
