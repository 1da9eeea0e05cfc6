import { OutboundError } from './outbound.ts';
import type { Outbound, OutboundAnswer, OutboundRequest, Reach } from './outbound.ts';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 262_144;

/** What a library hands to fetch; the time limit of this server is the shorter one, so a signal is not looked at. */
type FetchOptions = {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
  /** as in OutboundRequest */
  once?: boolean;
};

/** The way out in the form of fetch, for libraries: same guard, no redirects, 10 seconds; rejects with OutboundError alone. */
export function fetchThrough(outbound: Outbound, reach: Reach) {
  return async (url: string, { method, headers, body, once = false }: FetchOptions): Promise<Response> => {
    const answer = await outbound.request({
      method: method as OutboundRequest['method'],
      url,
      // Bodies come as they were sent: whoever asks for nothing special may be answered in gzip.
      headers: { ...headers, 'accept-encoding': 'identity' },
      ...(body === undefined || body === null ? {} : { body: textOf(body) }),
      reach,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
      once,
    });
    if (answer.truncated)
      throw new OutboundError('too_large', `The answer has more than ${MAX_ANSWER_BYTES} bytes.`);
    return responseOf(answer);
  };
}

function textOf(body: unknown): string {
  if (typeof body === 'string' || body instanceof URLSearchParams) return String(body);
  throw new TypeError('only text and form fields can be sent');
}

// Response takes neither a status outside 200 to 599, nor a body with some, nor a header beyond Latin-1.
function responseOf({ status, headers, body }: OutboundAnswer): Response {
  if (status < 200 || status > 599)
    throw new OutboundError('reset', `The answer has the status ${status}, which means nothing.`);
  const plain = Object.entries(headers).filter(([, value]) => /^[\t\x20-\x7e]*$/.test(value));
  const hasBody = ![204, 205, 304].includes(status);
  return new Response(hasBody ? new Uint8Array(body) : null, { status, headers: plain });
}
