import { createCipheriv, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AppError } from '../../src/kernel/errors.ts';
import { passbase } from '../../src/providers/passbase.ts';
import { badPadding, bitFlipped, completed, KEY, reviewed, SECRET } from '../fixtures/passbase/vectors.ts';
import type { Vector } from '../fixtures/passbase/vectors.ts';

const now = new Date();

function open(body: string | Buffer, { secret = SECRET, type = 'text/plain' } = {}): string {
  const request = { headers: { 'content-type': type }, body: Buffer.from(body) };
  return passbase.openWebhook(request, { webhook_secret: secret }, now);
}

/** Encrypts any bytes as Passbase would. */
function encrypt(content: string | Buffer, secret = SECRET): string {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  return Buffer.concat([iv, cipher.update(content), cipher.final()]).toString('base64');
}

function expectRefused(body: string | Buffer, how: { secret?: string; type?: string } = {}): void {
  let refused: unknown;
  try {
    open(body, how);
  } catch (error) {
    refused = error;
  }
  // The same for every stage, to the last property: who sends anything may not learn how far it came.
  expect(refused).toBeInstanceOf(AppError);
  const { code, message, field, cause } = refused as AppError;
  expect({ code, message, field, cause }).toEqual({ code: 'unauthorized', message: 'Invalid signature' });
}

const hint = (fields: object = {}) =>
  JSON.stringify({ event: 'VERIFICATION_COMPLETED', key: KEY, status: 'pending', updated: 1, ...fields });

describe('a webhook is opened', () => {
  test.each([completed, reviewed])('when it is as Passbase made it: $name', ({ body, text }: Vector) => {
    expect(open(body)).toBe(text);
  });

  test.each(['text/plain; charset=utf-8', 'application/json', 'application/octet-stream', ''])(
    'whatever its content type says: "%s"',
    (type) => {
      expect(open(reviewed.body, { type })).toBe(reviewed.text);
    },
  );

  test.each(['\n', '\r\n'])('with one line end behind it: %j', (end) => {
    expect(open(reviewed.body + end)).toBe(reviewed.text);
  });

  test.each([
    'VERIFICATION_COMPLETED',
    'VERIFICATION_REVIEWED',
    'DATAPOINT_UPDATED',
    'WATCHLIST_MONITORING',
    'IDENTITY_AUTHENTICATED',
    'AUTHENTICATION_COMPLETED',
    'AUTHENTICATION_REVIEWED',
  ])('when it says no more than that there was %s with an identity', (event) => {
    const text = JSON.stringify({ event, key: KEY });
    expect(open(encrypt(text))).toBe(text);
  });

  test('with letters beyond ASCII, in the secret as in the text', () => {
    const secret = 'ñandú-ñandú-ñandú-ñandú-';
    expect(Buffer.byteLength(secret)).toBe(32);
    const text = hint({ note: 'Añadir – “ok”' });
    expect(open(encrypt(text, secret), { secret })).toBe(text);
  });
});

describe('a webhook is refused, always with the same answer', () => {
  const bytes = Buffer.from(reviewed.body, 'base64');
  const base64 = (part: Buffer) => part.toString('base64');

  test.each<[string, string | Buffer]>([
    ['with wrong padding', badPadding],
    ['with a bit of its IV changed', bitFlipped],
    ['in the clear', reviewed.text],
    ['as the base64 of what is in the clear', base64(Buffer.from(reviewed.text))],
    ['empty', ''],
    ['as a line end', '\n'],
    ['as no text', bytes],
    ['as its IV alone', base64(bytes.subarray(0, 16))],
    ['without its last byte', base64(bytes.subarray(0, -1))],
    ['without its last block', base64(bytes.subarray(0, -16))],
    ['without its IV', base64(bytes.subarray(16))],
    ['without its last letter', reviewed.body.slice(0, -1)],
    ['with a letter more', `${reviewed.body}A`],
    ['with a block more', base64(Buffer.concat([bytes, Buffer.alloc(16)]))],
    ['with padding that is not needed', `${reviewed.body}====`],
    ['with a space before', ` ${reviewed.body}`],
    ['with a space behind', `${reviewed.body} `],
    ['with two line ends behind', `${reviewed.body}\n\n`],
    ['with a line end within', `${reviewed.body.slice(0, 60)}\n${reviewed.body.slice(60)}`],
    ['in the alphabet of addresses', base64(bytes).replaceAll('+', '-').replaceAll('/', '_')],
    ['in hex', bytes.toString('hex')],
    ['in quotes', JSON.stringify(reviewed.body)],
    ['encrypted with another secret', encrypt(reviewed.text, SECRET.toLowerCase())],
    ['that holds nothing', encrypt('')],
    ['that holds no JSON', encrypt('event')],
    ['that holds half a JSON', encrypt(reviewed.text.slice(0, -1))],
    ['that holds a list', encrypt(`[${reviewed.text}]`)],
    ['that holds a list of letters', encrypt('"VERIFICATION_REVIEWED"')],
    ['that holds null', encrypt('null')],
    ['that holds an empty object', encrypt('{}')],
    ['that holds a byte order mark', encrypt(`\ufeff${reviewed.text}`)],
    ['that holds a letter in Latin-1', encrypt(Buffer.from(hint({ note: 'é' }), 'latin1'))],
    ['with an event that there is not', encrypt(hint({ event: 'VERIFICATION_APPROVED' }))],
    ['with an event in lower case', encrypt(hint({ event: 'verification_reviewed' }))],
    ['with an event that every object has', encrypt(hint({ event: 'constructor' }))],
    ['with an event that is no text', encrypt(hint({ event: ['VERIFICATION_REVIEWED'] }))],
    ['with two events', encrypt(hint().replace('{', '{"event":"VERIFICATION_REVIEWED",'))],
    ['without key', encrypt(hint({ key: undefined }))],
    ['with a key that is no UUID', encrypt(hint({ key: 'b76e244e' }))],
    ['with a key that leads elsewhere', encrypt(hint({ key: `../settings?${KEY}` }))],
    ['with a number for a key', encrypt(hint({ key: 5 }))],
  ])('%s', (_, body) => {
    expectRefused(body);
  });

  test.each(['text/plain', 'application/json', 'application/json; charset=utf-8'])(
    'in the clear, though it is called %s',
    (type) => expectRefused(reviewed.text, { type }),
  );

  test.each([
    ['is another', `${SECRET.slice(0, -1)}0`],
    ['has 31 bytes', SECRET.slice(0, -1)],
    ['has 33 bytes', `${SECRET}0`],
    ['has 32 letters but more bytes', `${SECRET.slice(0, -1)}é`],
    ['is empty', ''],
  ])('when the account’s secret %s', (_, secret) => expectRefused(reviewed.body, { secret }));

  test('when the account has none', () => {
    const request = { headers: {}, body: Buffer.from(reviewed.body) };
    expect(() => passbase.openWebhook(request, {}, now)).toThrow('Invalid signature');
  });

  test('whatever it is: nothing else is ever thrown', () => {
    const hard = fc.oneof(
      fc.uint8Array().map((part) => Buffer.from(part)),
      fc.base64String().map((text) => Buffer.from(text)),
      fc.uint8Array({ minLength: 32, maxLength: 96 }).map((part) => Buffer.from(base64(Buffer.from(part)))),
      fc.string().map((text) => Buffer.from(encrypt(text))),
      fc.json().map((text) => Buffer.from(encrypt(text))),
      fc.nat(bytes.length - 1).map((at) => {
        const cut = Buffer.from(bytes);
        cut[at] = (cut[at] ?? 0) ^ 0x81;
        return Buffer.from(base64(cut));
      }),
    );
    fc.assert(
      fc.property(hard, (body) => {
        expectRefused(body);
      }),
      { numRuns: 300 },
    );
  });
});
