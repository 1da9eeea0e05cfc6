import { describe, expect, test } from '@jest/globals';
import { checkExtraHeaders, headersFor } from '../../src/kernel/outbound-headers.ts';

const REFUSED =
  `Host content-length Content-Type content-encoding Transfer-Encoding connection keep-alive TE trailer upgrade expect
   proxy-authorization Proxy-Connection proxy-x cookie User-Agent X-Webhook-Signature webhook-id Webhook-Signature webhook-x
   countersign-event-id COUNTERSIGN-x traceparent tracestate`.split(/\s+/);

describe('extra headers', () => {
  test('those of a receiver are accepted', () => {
    checkExtraHeaders({});
    checkExtraHeaders({ Authorization: 'Bearer abc.def', 'X-Api-Key': '', "x!#$%&'*+.^_`|~9": 'ä\t¿ ÿ' });
    checkExtraHeaders({ proxy: '1', webhooks: '1', 'x-webhook-signature-2': '1', cookies: '1' });
  });

  test.each(REFUSED)('%s is refused in any case', (name) => {
    expect(() => checkExtraHeaders({ [name]: 'x' })).toThrow(
      `The header ${name} cannot be set: callbacks have their own. Leave it out.`,
    );
  });

  test.each(['', 'a b', 'a:b', 'a\r\nb', 'ä', 'a(b)', 'a\0', '"a"', 'a,b'])(
    '%j is not taken for a name',
    (name) => {
      expect(() => checkExtraHeaders({ [name]: 'x' })).toThrow('is not a header name');
    },
  );

  test.each(['a\r\nX-Injected: 1', 'a\nb', 'a\0b', '\x7f', '\x85', 'λ', '\u{1f600}'])(
    'the value %j is refused and not repeated',
    (value) => {
      const check = () => checkExtraHeaders({ 'X-One': value });
      expect(check).toThrow('The value of X-One has characters that no header can carry.');
      expect(check).not.toThrow(value);
    },
  );

  test('a value that is not text is refused', () => {
    expect(() => checkExtraHeaders({ 'X-One': 5 as never })).toThrow('The value of X-One');
  });

  test('20 headers are accepted, 21 refused', () => {
    const some = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'y']));
    checkExtraHeaders(some(20));
    expect(() => checkExtraHeaders(some(21))).toThrow('Use at most 20 headers.');
  });

  test('8 KiB together are accepted, a byte more is refused', () => {
    checkExtraHeaders({ 'x-a': 'y'.repeat(8_000), 'x-b': 'y'.repeat(8_192 - 8_000 - 14) });
    expect(() =>
      checkExtraHeaders({ 'x-a': 'y'.repeat(8_000), 'x-b': 'y'.repeat(8_192 - 8_000 - 13) }),
    ).toThrow('The headers have 8193 bytes together. Use at most 8192.');
  });

  test('one name in two cases is refused', () => {
    expect(() => checkExtraHeaders({ 'X-One': '1', 'x-one': '2' })).toThrow('x-one is given twice');
  });
});

describe('headers as sent', () => {
  test('ours win over extra ones of the same name, and refused ones are left out whatever was stored', () => {
    const ours = { 'content-type': 'application/json', 'X-Ours': '1', 'User-Agent': 'forged/1' };
    const extra = {
      'x-ours': '2',
      'X-Theirs': '3',
      'Webhook-Id': '4',
      'Proxy-Authorization': '5',
      HOST: '6',
    };
    expect(headersFor('us/1', ours, extra)).toEqual([
      ...['user-agent', 'us/1', 'content-type', 'application/json', 'X-Ours', '1'],
      ...['X-Theirs', '3'],
    ]);
  });
});
