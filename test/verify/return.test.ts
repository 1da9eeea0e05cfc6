import { describe, expect, test } from '@jest/globals';
import type { Challenge } from '../../src/challenges/challenge.ts';
import { returnUrl } from '../../src/verify/return.ts';

const ID = '01a1f80c-66f3-757c-8473-8105b057d432';
const DOMAINS = ['https://shop.example', 'http://localhost:*'];
const ADDED = `challenge_id=${ID}&status=verified`;
const ended = (return_url: string | null, wish: Partial<Challenge> = {}): Challenge =>
  ({ id: ID, status: 'verified', erased_at: null, return_url, ...wish }) as Challenge;

describe('the address a person is sent back to', () => {
  test.each([
    ['https://shop.example', `https://shop.example/?${ADDED}`],
    ['https://shop.example/done', `https://shop.example/done?${ADDED}`],
    ['https://shop.example/done?', `https://shop.example/done?${ADDED}`],
    ['https://shop.example/done?order=4711', `https://shop.example/done?order=4711&${ADDED}`],
    ['https://shop.example/done#step-2', `https://shop.example/done?${ADDED}#step-2`],
    ['https://shop.example/?a=1&a=2#x?y', `https://shop.example/?a=1&a=2&${ADDED}#x?y`],
    ['http://localhost:3000/', `http://localhost:3000/?${ADDED}`],
  ])('%s becomes %s', (from, to) => {
    expect(returnUrl(ended(from), DOMAINS)).toBe(to);
  });

  test.each([
    ['?flag', 'flag'],
    ['?a=b%20c+d', 'a=b%20c+d'],
    ['?a=1;b=2', 'a=1;b=2'],
    ['?sig=%2F%2B%3d&to=https://x.example/?y', 'sig=%2F%2B%3d&to=https://x.example/?y'],
    ['?a=%zz&=&b', 'a=%zz&=&b'],
  ])('keeps the query %s as it was written', (query, kept) => {
    expect(returnUrl(ended(`https://shop.example/${query}`), DOMAINS)).toBe(
      `https://shop.example/?${kept}&${ADDED}`,
    );
  });

  test.each([
    '?status=verified&challenge_id=1',
    '?status=&status=failed',
    '?%73tatus=failed',
    '?challenge%5Fid=1&status',
  ])('says nothing but what is so in place of %s', (query) => {
    const url = returnUrl(ended(`https://shop.example/${query}&x=1`, { status: 'failed' }), DOMAINS);
    expect(url).toBe(`https://shop.example/?x=1&challenge_id=${ID}&status=failed`);
  });

  test('is there only for what has ended and was not erased', () => {
    const url = 'https://shop.example/';
    for (const status of ['verified', 'failed', 'expired'] as const)
      expect(returnUrl(ended(url, { status }), DOMAINS)).toContain(`status=${status}`);
    for (const status of ['initiated', 'in-progress'] as const)
      expect(returnUrl(ended(url, { status }), DOMAINS)).toBeUndefined();
    expect(returnUrl(ended(url, { erased_at: new Date() }), DOMAINS)).toBeUndefined();
    expect(returnUrl(ended(null), DOMAINS)).toBeUndefined();
  });

  test.each([
    'https://evil.example/',
    'https://shop.example.evil.example/',
    'https://shop.example@evil.example/',
    'https://evil.example\\@shop.example/',
    '//evil.example',
    '/done',
    'javascript:alert(1)//https://shop.example',
    'data:text/html,<script>alert(1)</script>',
    'https://shop.example/\r\nSet-Cookie: a=b',
    'https://shop.example:8443/',
    'http://shop.example/',
    '',
  ])('is not %j, whatever the row says', (url) => {
    expect(returnUrl(ended(url), DOMAINS)).toBeUndefined();
  });

  test('can hold nothing that ends a header or an attribute', () => {
    const url = returnUrl(ended('https://shop.example/a"b<c>\'?q="><script>&\u00fc=\u{1F600}#"<x>'), DOMAINS);
    expect(url).toMatch(/^[\x21-\x7e]+$/);
    expect(url).not.toMatch(/["<>]/);
  });
});
