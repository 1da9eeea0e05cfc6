import { parseUrl } from '../kernel/address.ts';
import { AppError } from '../kernel/errors.ts';
import type { OutboundAnswer, OutboundRequest } from '../kernel/outbound.ts';
import { parseObject } from './json.ts';
import type { Json } from './json.ts';
import type { Http } from './provider.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 262_144;

type Question = Pick<OutboundRequest, 'method' | 'url' | 'headers' | 'body'> & {
  maxBytes?: number;
  /** statuses that are an answer, too */
  expected?: readonly number[];
};

/** Asks a provider's API; throws `unavailable` unless it is answered 2xx, or with a status that is expected. */
export async function ask(
  label: string,
  { outbound, reach }: Http,
  { maxBytes = MAX_ANSWER_BYTES, expected = [], ...request }: Question,
): Promise<OutboundAnswer> {
  const answer = await outbound.request({ ...request, reach, timeoutMs: TIMEOUT_MS, maxBytes });
  const { status } = answer;
  if ((status < 200 || status > 299) && !expected.includes(status))
    throw new AppError('unavailable', `${label} answered ${status}`);
  return answer;
}

/** The answer's JSON object; undefined if it is none, or was cut off. */
export function jsonOf({ body }: OutboundAnswer): Json | undefined {
  return parseObject(body.toString('utf8'));
}

/** The address of what lies below a base URL, however many slashes that ends with. */
export function below(base: string | undefined, path: string): string {
  return `${(base ?? '').replace(/\/+$/, '')}${path}`;
}

/** An address that a browser can be sent to; in the clear only where `http` may be. */
export function isWebUrl(value: unknown, http: boolean): value is string {
  const protocol = typeof value === 'string' ? parseUrl(value)?.protocol : undefined;
  return protocol === 'https:' || (http && protocol === 'http:');
}
