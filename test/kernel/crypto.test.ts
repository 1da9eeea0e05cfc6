import { describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import {
  createSealer,
  hmacHex,
  newToken,
  newWebhookSecret,
  safeEqual,
  sha256,
} from '../../src/kernel/crypto.ts';

const [oldKey, newKey, foreignKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const CONTEXT = 'callback_secrets:1';

describe('a sealer', () => {
  const sealer = createSealer([oldKey]);

  test('opens what it sealed, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 1 }), (text, context) => {
        expect(sealer.unseal(sealer.seal(text, context), context)).toBe(text);
      }),
    );
  });

  test('never seals the same text to the same value, and shows nothing of it', () => {
    const all = Array.from({ length: 100 }, () => sealer.seal('secret', CONTEXT));
    expect(new Set(all).size).toBe(100);
    expect(all.join()).not.toContain('secret');
    expect(all.join()).not.toContain(Buffer.from('secret').toString('base64url'));
  });

  test('opens nothing in another context', () => {
    const sealed = sealer.seal('secret', CONTEXT);
    for (const context of ['', 'callback_secrets:2', 'callback_secrets:11', 'CALLBACK_SECRETS:1']) {
      expect(() => sealer.unseal(sealed, context)).toThrow('unable to authenticate');
    }
  });

  test('opens nothing that was changed in any character', () => {
    const sealed = sealer.seal('a secret of some length', CONTEXT);
    fc.assert(
      fc.property(
        fc.nat(sealed.length - 1),
        fc.constantFrom('A', 'Z', 'a', 'z', '0', '9', '-', '_', '.'),
        (at, character) => {
          const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
          // The last character of base64 has bits that mean nothing.
          fc.pre(bytesOf(changed) !== bytesOf(sealed));
          expect(() => sealer.unseal(changed, CONTEXT)).toThrow();
        },
      ),
      { numRuns: 500 },
    );
  });

  test('opens nothing that was cut, not even to a shorter tag', () => {
    const sealed = sealer.seal('a secret', CONTEXT);
    const [version, id, iv, data = ''] = sealed.split('.');
    for (let length = 0; length < sealed.length - 1; length += 1) {
      expect(() => sealer.unseal(sealed.slice(0, length), CONTEXT)).toThrow();
    }
    const bytes = Buffer.from(data, 'base64url');
    for (let length = 0; length < bytes.length; length += 1) {
      for (const part of [bytes.subarray(0, length), bytes.subarray(bytes.length - length)]) {
        const cut = [version, id, iv, part.toString('base64url')].join('.');
        expect(() => sealer.unseal(cut, CONTEXT)).toThrow();
      }
    }
  });

  test.each(['', 'v1', 'v1...', 'secret', 'v2.aa.bb.cc', '....'])('%j is not a sealed value', (text) => {
    expect(() => sealer.unseal(text, CONTEXT)).toThrow('not a sealed value');
  });
});

describe('replacing keys', () => {
  const before = createSealer([oldKey]).seal('secret', CONTEXT);

  test('a new first key seals, the old one still opens', () => {
    const rotating = createSealer([newKey, oldKey]);
    expect(rotating.unseal(before, CONTEXT)).toBe('secret');
    const after = rotating.seal('secret', CONTEXT);
    expect(createSealer([newKey]).unseal(after, CONTEXT)).toBe('secret');
    expect(() => createSealer([oldKey]).unseal(after, CONTEXT)).toThrow('ENCRYPTION_KEY does not hold');
  });

  test('without its key a value stays closed, and the error says which setting to look at, not the key', () => {
    const open = () => createSealer([newKey, foreignKey]).unseal(before, CONTEXT);
    expect(open).toThrow(/^sealed under key [0-9a-f]{8}, which ENCRYPTION_KEY does not hold$/);
  });

  test('a value relabelled for another key does not open', () => {
    const [version, , iv, data] = before.split('.');
    const id = createSealer([newKey]).seal('', CONTEXT).split('.')[1];
    const relabelled = [version, id, iv, data].join('.');
    expect(() => createSealer([newKey, oldKey]).unseal(relabelled, CONTEXT)).toThrow(
      'unable to authenticate',
    );
  });

  test('no key at all is a mistake', () => {
    expect(() => createSealer([])).toThrow('at least one key');
  });
});

describe('safeEqual', () => {
  test('agrees with ===, also for unequal lengths', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('', 'a', 'aa', 'é', 'e\u0301'));
    fc.assert(fc.property(text, text, (a, b) => expect(safeEqual(a, b)).toBe(a === b)));
    fc.assert(
      fc.property(text, (a) => expect([safeEqual(a, a), safeEqual(a, `${a}x`)]).toEqual([true, false])),
    );
  });
});

test('hashes and signatures are the well-known ones', () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  // RFC 4231, test case 2.
  const signature = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  expect(hmacHex('Jefe', 'what do ya want for nothing?')).toBe(signature);
  expect(hmacHex(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?'))).toBe(signature);
});

test('tokens and secrets are 256 random bits, never the same twice', () => {
  const tokens = Array.from({ length: 1_000 }, newToken);
  expect(new Set(tokens).size).toBe(1_000);
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
  const secret = newWebhookSecret();
  expect(secret).toMatch(/^whsec_/);
  expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
});

function bytesOf(sealed: string): string {
  const [version, id, iv = '', data = ''] = sealed.split('.');
  return [version, id, ...[iv, data].map((part) => Buffer.from(part, 'base64url').toString('hex'))].join('.');
}
