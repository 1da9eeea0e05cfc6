import { parseUrl } from '../kernel/address.ts';
import { ACTIONS } from './cards.ts';

/** A press of a button in a card, as Slack tells of it; what it holds is still to be checked against the card. */
export type Pressed = {
  action: 'verify' | 'report';
  challengeId: string;
  user: string;
  /** what stood in the field for additional context */
  text: string;
  trigger: string;
  response_url: string;
  /** Slack's time of it */
  at: string;
};
/** From which workspace, and what was pressed, if it is any business of ours. */
export type Interaction = { team: string | null; pressed: Pressed | undefined };

/**
 * A payload to what it says; undefined for what is malformed.
 * docs: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
 */
export function readInteraction(payload: string | null): Interaction | undefined {
  const said = parseObject(payload);
  if (!said) return undefined;
  const team = textIn(said, 'team', 'id') ?? null;
  const action = Array.isArray(said.actions) ? objectOf(said.actions[0]) : undefined;
  const name = action?.action_id;
  const isOurs = said.type === 'block_actions' && (name === ACTIONS.verify || name === ACTIONS.report);
  if (!isOurs) return { team, pressed: undefined };
  const pressed = {
    challengeId: textIn(action, 'value'),
    user: textIn(said, 'user', 'id'),
    trigger: textIn(said, 'trigger_id'),
    response_url: textIn(said, 'response_url'),
    at: textIn(action, 'action_ts'),
  };
  return isWhole(pressed) ? { team, pressed: { action: name, text: typedIn(said), ...pressed } } : undefined;
}

type Fields = Record<string, unknown>;
type Required = Omit<Pressed, 'action' | 'text'>;

function isWhole(pressed: { [key in keyof Required]: string | undefined }): pressed is Required {
  const { response_url = '', at = '' } = pressed;
  return (
    Object.values(pressed).every((value) => value !== undefined && value !== '') &&
    parseUrl(response_url) !== undefined &&
    /^\d{1,12}(\.\d{1,9})?$/.test(at)
  );
}

/** In whatever block: the card alone decides where the field stands. */
function typedIn(said: Fields): string {
  const blocks = Object.values(objectOf(objectOf(said.state)?.values) ?? {});
  const typed = blocks.map((block) => textIn(objectOf(block), ACTIONS.context, 'value'));
  return typed.find((text) => text !== undefined) ?? '';
}

function textIn(object: Fields | undefined, ...path: string[]): string | undefined {
  const [name = '', ...deeper] = path;
  const value = object?.[name];
  if (deeper.length > 0) return textIn(objectOf(value), ...deeper);
  return typeof value === 'string' ? value : undefined;
}

function parseObject(text: string | null): Fields | undefined {
  try {
    return objectOf(JSON.parse(text ?? ''));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}
