import { test } from '@jest/globals';
import { expectRefusal } from '../support/refusal.ts';
import type { Expected } from '../support/refusal.ts';
import { postBytes } from '../support/raw.ts';
import type { TestServer } from '../support/server.ts';
import { withUntouchedServer } from '../support/untouched.ts';

const EMAIL = 'ada@example.com';
const TEXTS = [
  'target_user_id',
  'target_user_email',
  'context',
  'requester_id',
  'callback_url',
  'metadata.k',
];
const HARMLESS: Record<string, string> = { target_user_email: EMAIL, callback_url: 'https://a.example/' };
// NUL, bell, escape, delete, next line, line separator; right-to-left override, isolate and mark; lone surrogates.
const HARMFUL = [
  ...['\u0000', '\u0007', '\u001b[31m', '\u007f', '\u0085', '\u2028'],
  ...['\u202e', '\u2066', '\u200f', '\ud800', '\udc00\ud800'],
];

// Nothing of what this file sends is stored.
let server: TestServer;
withUntouchedServer((started) => {
  server = started;
});

async function expectInvalid(body: string, expected: Partial<Expected>): Promise<void> {
  expectRefusal(await postBytes(server, body), 400, { code: 'invalid', ...expected });
}
const bodyWith = (field: string, value: unknown) =>
  JSON.stringify({
    target_user_email: EMAIL,
    ...(field === 'metadata.k' ? { metadata: { k: value } } : { [field]: value }),
  });

test.each(HARMFUL.flatMap((text) => TEXTS.map((field) => [text, field] as const)))(
  '%j in %s',
  async (text, field) => {
    for (const value of [text, `${HARMLESS[field] ?? 'a'}${text}`, `${text}${HARMLESS[field] ?? 'a'}`]) {
      await expectInvalid(bodyWith(field, value), { field });
    }
  },
);

test.each(
  TEXTS.flatMap((field) => [7, 0, true, false, [], ['a'], {}, { a: 'b' }].map((v) => [field, v] as const)),
)('%s as %j instead of a text', async (field, value) => {
  await expectInvalid(bodyWith(field, value), { field, error: `${field} must be a string` });
});

test('a target inside __proto__ or constructor is no target', async () => {
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    await expectInvalid(`{"${name}":{"target_user_email":"${EMAIL}"}}`, {
      error: 'target_user_id or target_user_email is required',
      field: 'target_user_id',
    });
  }
});
