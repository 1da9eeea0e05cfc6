// How receivers check callbacks: the Node and Python samples of the callback contract, and Standard Webhooks from its
// specification and from its npm package. Written apart from src, so that a mistake there does not pass here too.
import { spawnSync } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const TOLERANCE_S = 300;

/** The Node sample: hex HMAC of the raw body after `sha256=`, keyed with the secret as it is written. */
export function verifyWithNode(payload: Buffer, header: string | undefined, secret: string): boolean {
  if (!secret || !header) return false;
  const provided = Buffer.from(header.replace('sha256=', ''));
  const expected = Buffer.from(createHmac('sha256', secret).update(payload).digest('hex'));
  return provided.length === expected.length && timingSafeEqual(provided, expected);
}

const PYTHON = `
import hashlib, hmac, sys

def verify(payload, header, secret):
    if not secret or not header:
        return False
    provided = header[len("sha256="):] if header.startswith("sha256=") else header
    if isinstance(payload, str):
        payload = payload.encode("utf-8")
    expected = hmac.new(secret.encode("utf-8"), payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, provided)

print(verify(sys.stdin.buffer.read(), sys.argv[1], sys.argv[2]))
`;

/** The Python sample, run by a real Python. */
export function verifyWithPython(payload: Buffer, header: string | undefined, secret: string): boolean {
  const { error, status, stdout, stderr } = spawnSync('python3', ['-c', PYTHON, header ?? '', secret], {
    input: payload,
    encoding: 'utf8',
  });
  if (error) throw new Error(`this test needs python3 on the PATH: ${error.message}`);
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}`);
  return stdout.trim() === 'True';
}

/** Standard Webhooks 1.0.0: `v1` is base64 HMAC of `id.timestamp.body`; any signature of the list may match. */
export function verifyStandard(
  payload: Buffer,
  headers: IncomingHttpHeaders,
  secret: string,
  now = Date.now(),
) {
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) =>
    String(headers[name] ?? ''),
  );
  if (!id || id.includes('.') || !/^\d+$/.test(timestamp ?? '')) return false;
  if (Math.abs(now / 1_000 - Number(timestamp)) > TOLERANCE_S) return false;
  const key = secret.startsWith('whsec_')
    ? Buffer.from(secret.slice('whsec_'.length), 'base64')
    : Buffer.from(secret, 'utf8');
  const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), payload]);
  const expected = createHmac('sha256', key).update(signed).digest();
  return (signatures ?? '')
    .split(' ')
    .filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice('v1,'.length), 'base64'))
    .some((provided) => provided.length === expected.length && timingSafeEqual(provided, expected));
}

/** The package of the Standard Webhooks project: why it refuses, else undefined. `raw` is its way to take a secret that is no base64. */
export function refusalOfLibrary(
  payload: Buffer,
  headers: IncomingHttpHeaders,
  secret: string,
  format?: 'raw',
): string | undefined {
  const webhook = format ? new Webhook(secret, { format }) : new Webhook(secret);
  try {
    webhook.verify(payload, headers as Record<string, string>);
    return undefined;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
}

/** As receivers of GitHub's webhooks check them: the whole header, `sha256=` and lowercase hex included, in constant time. */
export function verifyLikeGitHub(payload: Buffer, header: string | undefined, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(payload).digest('hex')}`);
  const provided = Buffer.from(header ?? '');
  return provided.length === expected.length && timingSafeEqual(provided, expected);
}
