import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export type Credentials = { apiKey: string; secret: string };
/** `x`: the documented header names; `vrf`: the newer ones. */
export type HeaderNames = 'x' | 'vrf' | 'both';
/** How webhooks travel; `lose` sends none, `copies` go out at the same time, a try fails unless it is answered 200. */
export type Sending = Credentials & {
  to: string;
  names: HeaderNames;
  delayMs: number;
  lose: boolean;
  copies: number;
  tries: number;
  retryMs: number;
  /** added to, or instead of, the usual ones */
  headers: Record<string, string>;
};
/** One webhook's way: the last status it was answered (0: none in time), after how many tries and milliseconds. */
export type Delivery = { body: string; status: number; tries: number; ms: number };

/** Veriff waits this long for its 200. */
const ANSWER_MS = 5_000;

/** The lowercase hex HMAC-SHA256 that Veriff puts beside every body. */
export function sign(secret: string, data: string | Buffer): string {
  return createHmac('sha256', secret).update(data).digest('hex');
}

/** The header pair that authenticates `data`, under the wanted names. */
export function authHeaders({ apiKey, secret }: Credentials, data: string | Buffer, names: HeaderNames) {
  const prefixes = names === 'both' ? ['x', 'vrf'] : [names];
  return Object.fromEntries(
    prefixes.flatMap((prefix) => [
      [`${prefix}-auth-client`, apiKey],
      [`${prefix}-hmac-signature`, sign(secret, data)],
    ]),
  );
}

/** Sends one webhook the way `sending` says and tells how each copy fared. */
export async function sendWebhook(body: string | Buffer, sending: Sending): Promise<Delivery[]> {
  if (sending.lose) return [];
  await sleep(sending.delayMs);
  return Promise.all(Array.from({ length: sending.copies }, () => deliver(body, sending)));
}

async function deliver(body: string | Buffer, sending: Sending): Promise<Delivery> {
  const started = performance.now();
  const headers = {
    'content-type': 'application/json',
    ...authHeaders(sending, body, sending.names),
    ...sending.headers,
  };
  for (let tries = 1; ; tries += 1) {
    const status = await post(sending.to, headers, body);
    if (status === 200 || tries >= sending.tries) {
      return { body: body.toString(), status, tries, ms: Math.round(performance.now() - started) };
    }
    await sleep(sending.retryMs);
  }
}

async function post(to: string, headers: Record<string, string>, body: string | Buffer): Promise<number> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(to, {
      method: 'POST',
      headers,
      body: new Uint8Array(Buffer.from(body)),
      signal,
    });
    await answer.text();
    return answer.status;
  } catch {
    return 0;
  }
}
