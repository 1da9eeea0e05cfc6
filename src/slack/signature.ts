import { hmacHex, safeEqual } from '../kernel/crypto.ts';

/** What came with a request that says it is Slack's: both headers as they came, and every byte of the body. */
export type Signed = { timestamp: string; signature: string; body: Buffer };
/** Why a request is not taken for one that Slack sends just now. */
export type Forgery = 'bad_signature' | 'old';

const MAX_AGE_S = 5 * 60;

/**
 * What speaks against a request coming from Slack, now, for the app with this signing secret; undefined: nothing does.
 * docs: https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export function findForgery(
  secret: string,
  { timestamp, signature, body }: Signed,
  now: Date,
): Forgery | undefined {
  const expected = `v0=${hmacHex(secret, Buffer.concat([Buffer.from(`v0:${timestamp}:`), body]))}`;
  if (!/^\d{1,12}$/.test(timestamp) || !safeEqual(signature, expected)) return 'bad_signature';
  return Math.abs(now.getTime() / 1_000 - Number(timestamp)) > MAX_AGE_S ? 'old' : undefined;
}
