import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { parse } from 'lossless-json';
import type { Settings } from '../../../src/providers/provider.ts';
import type { Ids } from './edits.ts';
import { headerOf } from './vendor.ts';
import type { Forgery, Sample, Vendor, Wire } from './vendor.ts';

type Json = { [field: string]: unknown };

const BLOCK = 16;
const EVENTS = [
  ...['VERIFICATION_COMPLETED', 'VERIFICATION_REVIEWED', 'DATAPOINT_UPDATED', 'WATCHLIST_MONITORING'],
  'IDENTITY_AUTHENTICATED',
];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** Passbase: encrypted, not signed. Whatever a webhook says, it only makes the server ask, and nobody is approved there. */
export function passbaseVendor(settings: Settings): Vendor {
  const secret = settings.webhook_secret ?? '';
  const bytes = (change: (sealed: Buffer, at: number) => Buffer): Forgery => {
    return ({ headers, body }, _, at) => ({
      headers,
      body: Buffer.from(change(Buffer.from(body.toString(), 'base64'), at).toString('base64')),
    });
  };
  const spelled = (spell: (base64: string, at: number) => string): Forgery => {
    return ({ headers, body }, _, at) => ({ headers, body: Buffer.from(spell(body.toString(), at)) });
  };

  return {
    name: 'passbase',
    settings,
    weight: 2,
    samples: samplesOf,
    seal: (body) => ({ headers: [['content-type', 'text/plain']], body: encrypt(body, secret) }),
    forgeries: {
      'another secret': (sealed, { text }) => ({
        ...sealed,
        body: encrypt(Buffer.from(text), secret.toUpperCase()),
      }),
      'in the clear': (_, { text }) => ({
        headers: [['content-type', 'application/json']],
        body: Buffer.from(text),
      }),
      'clear as base64': (sealed, { text }) => ({
        ...sealed,
        body: Buffer.from(Buffer.from(text.padEnd(2 * BLOCK)).toString('base64')),
      }),
      'a bit of the IV': bytes((sealed, at) => flipped(sealed, at % BLOCK, 1 << (at % 8))),
      'a bit further on': bytes((sealed, at) =>
        flipped(sealed, BLOCK + (at % (sealed.length - BLOCK)), 1 << (at % 8)),
      ),
      'blocks swapped': bytes((sealed, at) => swapped(sealed, at)),
      'a block less': bytes((sealed) => sealed.subarray(0, -BLOCK)),
      'the IV less': bytes((sealed) => sealed.subarray(BLOCK)),
      'a byte less': bytes((sealed) => sealed.subarray(0, -1)),
      'a block more': bytes((sealed) => Buffer.concat([sealed, sealed.subarray(-BLOCK)])),
      'the IV alone': bytes((sealed) => sealed.subarray(0, BLOCK)),
      'as hex': spelled((base64) => Buffer.from(base64, 'base64').toString('hex')),
      'as base64url': spelled((base64) => `${base64.replaceAll('+', '-').replaceAll('/', '_')}-_`),
      'space within': spelled(
        (base64, at) => `${base64.slice(0, at % base64.length)} ${base64.slice(at % base64.length)}`,
      ),
      'two line ends': spelled((base64) => `${base64}\n\n`),
      quoted: spelled((base64) => JSON.stringify(base64)),
      twice: spelled((base64) => base64 + base64),
      compressed: (sealed) => ({ ...sealed, headers: [...sealed.headers, ['content-encoding', 'br']] }),
    },
    accepts(wire) {
      const text = headerOf(wire, 'content-encoding') ? undefined : decrypt(wire, secret);
      return text !== undefined && isHint(text) ? text : undefined;
    },
    claims: () => undefined,
  };
}

function samplesOf({ sessionId }: Ids): Sample[] {
  const [created, updated] = [1_767_261_600, 1_767_265_200];
  return EVENTS.flatMap((event) =>
    ['approved', 'declined', 'pending'].map((status) => ({
      text: JSON.stringify({ event, key: sessionId, status, created, updated, processed: updated }),
      hook: '',
    })),
  );
}

/** The IV is the text's own, so that a run can be repeated. */
function encrypt(text: Buffer, secret: string): Buffer {
  const iv = createHash('sha256').update(text).digest().subarray(0, BLOCK);
  const cipher = createCipheriv('aes-256-cbc', Buffer.from(secret), iv);
  return Buffer.from(Buffer.concat([iv, cipher.update(text), cipher.final()]).toString('base64'));
}

function decrypt({ body }: Wire, secret: string): string | undefined {
  const base64 = body.toString('latin1').replace(/\r?\n$/, '');
  const sealed = Buffer.from(base64, 'base64');
  if (sealed.toString('base64') !== base64) return undefined;
  try {
    const decipher = createDecipheriv('aes-256-cbc', Buffer.from(secret), sealed.subarray(0, BLOCK));
    const text = Buffer.concat([decipher.update(sealed.subarray(BLOCK)), decipher.final()]);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    return undefined;
  }
}

function isHint(text: string): boolean {
  try {
    const { event, key } = Object(parse(text)) as Json;
    const known = EVENTS.includes(event as string) || /^AUTHENTICATION_[A-Z_]{1,50}$/.test(String(event));
    return typeof event === 'string' && known && typeof key === 'string' && UUID.test(key);
  } catch {
    return false;
  }
}

function flipped(bytes: Buffer, at: number, mask: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = changed[at]! ^ mask;
  return changed;
}

/** The block before the place and the one after it change places. */
function swapped(bytes: Buffer, at: number): Buffer {
  const middle = BLOCK * (1 + (at % (bytes.length / BLOCK - 1)));
  const [first, second] = [bytes.subarray(middle - BLOCK, middle), bytes.subarray(middle, middle + BLOCK)];
  return Buffer.concat([bytes.subarray(0, middle - BLOCK), second, first, bytes.subarray(middle + BLOCK)]);
}
