import { describe, expect, test } from '@jest/globals';
import { MAX_LOGO_BYTES, readLogo, readName, readSupport } from '../../src/tenants/brand.ts';

describe('a name', () => {
  test('is what people can read, without blanks around it', () => {
    expect(readName(' Example & Söhne ')).toBe('Example & Söhne');
    expect(readName('شركة المثال')).toBe('شركة المثال');
    expect(readName('😀'.repeat(80))).toBe('😀'.repeat(80));
  });

  test.each(['', ' ', 'x'.repeat(81), 'a\nb', 'a\u202Eb', 'a\u200Bb', 'a\uD800'])('is not %j', (name) => {
    expect(() => readName(name)).toThrow('name must have 1 to 80 visible characters');
  });
});

describe('contacts', () => {
  test('change one by one; an empty text takes one away', () => {
    const first = readSupport({}, { email: 'help@example.com', slack: '#help' });
    expect(first).toEqual({ email: 'help@example.com', slack: '#help' });
    expect(readSupport(first, { phone: ' +49 (0)30 123-4 ', slack: '' })).toEqual({
      email: 'help@example.com',
      phone: '+49 (0)30 123-4',
    });
    expect(readSupport(first, { email: '', slack: '' })).toEqual({});
  });

  test('may be a channel by its address, and pages of http', () => {
    const support = { slack: 'https://example.slack.com/archives/C1', url: 'http://help.internal:8080/?a=1' };
    expect(readSupport({}, support)).toEqual(support);
  });

  test.each([
    ['email', 'help', 'an e-mail address'],
    ['email', 'a@b.example"onclick', 'an e-mail address'],
    ['email', 'a@b.example\u202E', 'an e-mail address'],
    ['phone', 'call me', 'a telephone number'],
    ['phone', '()', 'a telephone number'],
    ['slack', 'help', 'a channel'],
    ['slack', 'http://example.slack.com/x', 'a channel'],
    ['slack', 'javascript:alert(1)', 'a channel'],
    ['url', 'javascript:alert(1)', 'an http or https address'],
    ['url', 'data:text/html,x', 'an http or https address'],
    ['url', 'https://user:password@example.com/', 'an http or https address'],
    ['url', 'help.example.com', 'an http or https address'],
    ['url', `https://example.com/${'x'.repeat(500)}`, 'an http or https address'],
  ])('%s is not %s', (field, value, must) => {
    expect(() => readSupport({}, { [field]: value })).toThrow(`${field} must be ${must}`);
  });
});

describe('a logo', () => {
  const file = (start: string, size = 100) =>
    Buffer.concat([Buffer.from(start, 'latin1'), Buffer.alloc(size - start.length)]);

  test.each([
    ['image/png', '\x89PNG\r\n\x1a\n'],
    ['image/jpeg', '\xff\xd8\xff\xe0'],
    ['image/webp', 'RIFF\x10\n\x00\x00WEBPVP8 '],
  ])('is %s by its first bytes', (type, start) => {
    const bytes = file(start, MAX_LOGO_BYTES);
    expect(readLogo(bytes)).toEqual({ bytes, type });
    expect(() => readLogo(file(start, MAX_LOGO_BYTES + 1))).toThrow('the logo has 16385 bytes');
  });

  test.each([
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    '<html>',
    'GIF89a',
    ' \x89PNG\r\n\x1a\n',
    'RIFF1234WAVE',
    '',
  ])('is not %j', (start) => {
    expect(() => readLogo(Buffer.from(start, 'latin1'))).toThrow('the logo must be a PNG, JPEG or WebP file');
  });
});
