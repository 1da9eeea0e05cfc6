import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/kernel/errors.ts';
import type { RawRequest } from '../../src/providers/provider.ts';
import { veriff } from '../../src/providers/veriff.ts';
import { sign } from '../../src/simulators/veriff-auth.ts';
import {
  API_KEY,
  approved,
  declined,
  LEGACY_SIGNATURE,
  reprinted,
  SECRET,
  SESSION_ID,
  SESSION_ID_SIGNATURE,
  submitted,
  vendorSample,
} from '../fixtures/veriff/vectors.ts';
import type { Vector } from '../fixtures/veriff/vectors.ts';

const settings = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://veriff.example' };

function open(body: Buffer, headers: RawRequest['headers']): string {
  return veriff.openWebhook({ headers, body }, settings, new Date());
}

function x(signature: string, client = API_KEY) {
  return { 'x-auth-client': client, 'x-hmac-signature': signature };
}

function vrf(signature: string, client = API_KEY) {
  return { 'vrf-auth-client': client, 'vrf-hmac-signature': signature };
}

function expectRefused(body: Buffer, headers: RawRequest['headers']): void {
  expect(() => open(body, headers)).toThrow(new AppError('unauthorized', 'Invalid signature'));
}

describe('a webhook is opened', () => {
  test.each([approved, submitted, declined, reprinted, vendorSample])(
    'when its signature is right: $name',
    ({ body, signature }: Vector) => {
      expect(open(body, x(signature))).toBe(body.toString('utf8'));
    },
  );

  test('with its bytes as they were signed: the vendor’s sample is 1588 bytes of compact JSON', () => {
    expect(vendorSample.body).toHaveLength(1_588);
    expect(createHash('sha256').update(vendorSample.body).digest('hex')).toBe(
      'dd8cbf799413d50217d96c042e4449ea299b27fc2b5cc4a92ac3d768533c9493',
    );
    expect(reprinted.body).toHaveLength(309);
  });

  test('under the newer header names, and under both when both are right', () => {
    const { body, signature } = approved;
    expect(open(body, vrf(signature))).toBe(body.toString());
    expect(open(body, { ...x(signature), ...vrf(signature) })).toBe(body.toString());
  });

  test('with a signature in upper case', () => {
    expect(open(approved.body, x(approved.signature.toUpperCase()))).toBe(approved.body.toString());
  });
});

describe('a webhook is refused', () => {
  const { body, signature } = approved;
  const flipped = Buffer.from(body);
  flipped[100] = (flipped[100] ?? 0) ^ 1;

  test.each<[string, Buffer, RawRequest['headers']]>([
    ['printed again under the signature of the compact form', reprinted.body, x(signature)],
    ['with the legacy signature alone', body, { 'x-auth-client': API_KEY, 'x-signature': LEGACY_SIGNATURE }],
    ['with the legacy signature in the place of the right one', body, x(LEGACY_SIGNATURE)],
    ['with one bit changed', flipped, x(signature)],
    ['with its last byte missing', body.subarray(0, -1), x(signature)],
    ['with a line end added', Buffer.concat([body, Buffer.from('\n')]), x(signature)],
    ['empty', Buffer.alloc(0), x(signature)],
    ['without headers', body, {}],
    ['without its signature', body, { 'x-auth-client': API_KEY }],
    ['without its client', body, { 'x-hmac-signature': signature }],
    ['with an empty signature', body, x('')],
    ['for another client', body, x(signature, 'c0ffee00-0000-4000-8000-000000000000')],
    ['signed with another secret', body, x(sign(`${SECRET}0`, body))],
    ['with half a signature', body, x(signature.slice(0, 32))],
    ['with something behind the signature', body, x(`${signature}00`)],
    ['with letters that are no hex digits', body, x('z'.repeat(64))],
    ['with the signature in base64', body, x(Buffer.from(signature, 'hex').toString('base64'))],
    ['with the signature twice', body, x(`${signature}, ${signature}`)],
    ['with a list for a header', body, { ...x(signature), 'x-auth-client': [API_KEY] }],
    ['with a wrong newer signature beside the right one', body, { ...x(signature), ...vrf('0'.repeat(64)) }],
    ['with a wrong signature beside the right newer one', body, { ...x('0'.repeat(64)), ...vrf(signature) }],
    [
      'with client and signature under different names',
      body,
      { 'x-auth-client': API_KEY, 'vrf-hmac-signature': signature },
    ],
  ])('%s', (_, bytes, headers) => {
    expectRefused(bytes, headers);
  });

  test('when the account has no secret or no key: nothing may pass as their absence', () => {
    const request = { body, headers: { 'x-auth-client': '', 'x-hmac-signature': sign('', body) } };
    expect(() => veriff.openWebhook(request, {}, new Date())).toThrow('Invalid signature');
    expect(() => veriff.openWebhook(request, { api_key: '', shared_secret: '' }, new Date())).toThrow(
      'Invalid signature',
    );
  });
});

test('a GET is signed over the session id alone', () => {
  expect(sign(SECRET, SESSION_ID)).toBe(SESSION_ID_SIGNATURE);
});
