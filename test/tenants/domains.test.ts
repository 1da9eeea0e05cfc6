import { describe, expect, test } from '@jest/globals';
import { allowsUrl, frameSources, readDomain } from '../../src/tenants/domains.ts';

/** The table of Berbix's documentation: the domain, what it allows, what it does not. */
const TABLE: [string, string[], string[]][] = [
  [
    'https://www.berbix.com',
    ['https://www.berbix.com'],
    ['https://berbix.com', 'https://google.com', 'http://www.berbix.com', 'https://www.berbix.com:9999'],
  ],
  [
    'https://berbix.com',
    ['https://berbix.com'],
    ['https://www.berbix.com', 'https://google.com', 'http://berbix.com', 'http://berbix.com:9999'],
  ],
  [
    'https://*.berbix.com',
    ['https://www.berbix.com', 'https://docs.berbix.com', 'https://one.two.three.berbix.com'],
    ['https://berbix.com', 'https://google.com', 'http://berbix.com', 'http://berbix.com:9999'],
  ],
  [
    'https://www.berbix.com:9999',
    ['https://www.berbix.com:9999'],
    ['https://berbix.com', 'https://google.com', 'http://www.berbix.com', 'https://www.berbix.com:8888'],
  ],
  [
    'https://www.berbix.com:*',
    ['https://www.berbix.com:9999', 'https://www.berbix.com:8888', 'https://www.berbix.com'],
    ['https://berbix.com', 'https://google.com'],
  ],
];

describe('an address is on a list of domains', () => {
  const allowed = TABLE.flatMap(([domain, urls]) => urls.map((url) => [domain, url]));
  const not = TABLE.flatMap(([domain, , urls]) => urls.map((url) => [domain, url]));

  test.each(allowed)('%s allows %s', (domain, url) => {
    expect(allowsUrl([readDomain(domain, 'live')], url)).toBe(true);
  });

  test.each(not)('%s does not allow %s', (domain, url) => {
    expect(allowsUrl([readDomain(domain, 'live')], url)).toBe(false);
  });

  test('whatever follows the host', () => {
    const url = 'https://www.berbix.com/done/%2F?a=1&next=https://evil.com#top';
    expect(allowsUrl(['https://www.berbix.com'], url)).toBe(true);
  });

  test('with the port of its scheme written out, in capitals, or in other letters for the same name', () => {
    expect(allowsUrl(['https://www.berbix.com'], 'https://www.berbix.com:443/')).toBe(true);
    expect(allowsUrl(['https://www.berbix.com'], 'HTTPS://WWW.BERBIX.COM/')).toBe(true);
    expect(allowsUrl([readDomain('https://bücher.example', 'live')], 'https://BÜCHER.example')).toBe(true);
    expect(allowsUrl([readDomain('https://bücher.example', 'live')], 'https://xn--bcher-kva.example')).toBe(
      true,
    );
  });

  test('when any of several allows it, and never when there are none', () => {
    expect(allowsUrl(['https://a.example', 'http://localhost:*'], 'http://localhost:3000/x')).toBe(true);
    expect(allowsUrl([], 'https://www.berbix.com')).toBe(false);
  });

  test.each([
    ['a longer name that begins with it', 'https://www.berbix.com.evil.com'],
    ['a name that ends with it, without a dot between', 'https://evilberbix.com'],
    ['the user part of another host', 'https://www.berbix.com@evil.com'],
    ['the user and password of another host', 'https://www.berbix.com:443@evil.com/'],
    ['a user at the right host', 'https://evil.com@www.berbix.com'],
    ['an empty label in front', 'https://.berbix.com'],
    ['a backslash for a slash', 'https://evil.com\\@www.berbix.com'],
    ['a backslash behind the host', 'https://www.berbix.com\\@evil.com'],
    ['a dot at the end', 'https://www.berbix.com.'],
    ['a letter of another alphabet', 'https://www.b\u0435rbix.com'],
    ['a wildcard of its own', 'https://*.berbix.com'],
    ['the path of another host', 'https://evil.com/https://www.berbix.com'],
    ['the fragment of another host', 'https://evil.com#www.berbix.com'],
    ['the query of another host', 'https://evil.com?www.berbix.com'],
    ['an escaped slash in the host', 'https://evil.com%2F.berbix.com'],
    ['an escaped dot', 'https://evil%00.berbix.com'],
    ['an address in brackets', 'https://[::1]'],
    ['a script', 'javascript://www.berbix.com/%0aalert(1)'],
    ['a script without a host', 'javascript:alert(1)'],
    ['data', 'data:text/html,https://www.berbix.com'],
    ['a blob of the same origin', 'blob:https://www.berbix.com/1'],
    ['a socket', 'wss://www.berbix.com'],
    ['no scheme', 'www.berbix.com'],
    ['no scheme, but slashes', '//www.berbix.com'],
    ['a line break', 'https://www.berbix.com/\r\nSet-Cookie: a=b'],
    ['a tab inside the name', 'https://www.ber\tbix.com'],
    ['a space in front', ' https://www.berbix.com'],
    ['nothing', ''],
  ])('never when it has %s', (_, url) => {
    expect(allowsUrl(['https://www.berbix.com', 'https://*.berbix.com', 'https://berbix.com'], url)).toBe(
      false,
    );
  });

  test('never by an entry that is not in the form in which entries are kept', () => {
    for (const entry of ['https://*', '*', 'https://*.com.', 'https://WWW.berbix.com', "'self'", ''])
      expect(allowsUrl([entry], 'https://www.berbix.com')).toBe(false);
  });
});

describe('an operator writes a domain', () => {
  test.each([
    ['HTTPS://WWW.Example.COM', 'https://www.example.com'],
    ['https://www.example.com/', 'https://www.example.com'],
    [' https://www.example.com:443 ', 'https://www.example.com'],
    ['https://www.example.com:8443', 'https://www.example.com:8443'],
    ['https://*.bücher.example:*', 'https://*.xn--bcher-kva.example:*'],
    ['https://servicedesk', 'https://servicedesk'],
  ])('%s is kept as %s in both modes', (text, kept) => {
    expect(readDomain(text, 'live')).toBe(kept);
    expect(readDomain(text, 'test')).toBe(kept);
    expect(readDomain(kept, 'live')).toBe(kept);
  });

  test.each([
    ['http://www.example.com', 'http://www.example.com', /https:\/\/ in live mode/],
    ['http://localhost:3000', 'http://localhost:3000', /https:\/\/ in live mode/],
    ['https://localhost', 'https://localhost', /for test mode/],
    ['https://app.localhost:*', 'https://app.localhost:*', /for test mode/],
    ['https://127.0.0.1:8443', 'https://127.0.0.1:8443', /for test mode/],
    ['http://127.1:80', 'http://127.0.0.1', /https:\/\/ in live mode/],
    ['https://2130706433', 'https://127.0.0.1', /for test mode/],
  ])('%s is for test mode only', (text, kept, why) => {
    expect(readDomain(text, 'test')).toBe(kept);
    expect(() => readDomain(text, 'live')).toThrow(why);
  });

  test.each([
    ['www.example.com', /scheme and a host/],
    ['ftp://www.example.com', /scheme and a host/],
    ['https://', /scheme and a host/],
    ['https://www.example.com/verify', /nothing else/],
    ['https://www.example.com?x', /nothing else/],
    ['https://me@www.example.com', /nothing else/],
    ['https://me:secret@www.example.com', /nothing else/],
    ['https://[::1]:3000', /scheme and a host/],
    ['https://192.168.1.7', /browsers know no address/],
    ['https://*', /scheme and a host/],
    ['*', /scheme and a host/],
    ['https://*.com', /two names behind the wildcard/],
    ['https://*.0.0.1', /two names behind the wildcard/],
    ['https://*.*.example.com', /scheme and a host/],
    ['https://www.*.com', /scheme and a host/],
    ['https://w*.example.com', /scheme and a host/],
    ['https://www.example.com:99999', /a port that cannot be/],
    ['https://www.example.com:80*', /scheme and a host/],
    ['https://www.example.com.', /without a dot at its end/],
    ['https://a_b.example.com', /letters, digits and hyphens/],
    ["https://www.example.com;script-src'unsafe-inline'", /letters, digits and hyphens/],
    ['https://www.example.com,https://evil.com', /scheme and a host/],
    ['https://www.example.com https://evil.com', /scheme and a host/],
    ['https://www.example.com\r\nX-Evil:1', /scheme and a host/],
    ['https://www.example.com\\.evil.com', /scheme and a host/],
    [`https://${'a'.repeat(60)}.${'b.'.repeat(150)}com`, /scheme and a host/],
  ])('%j is refused with the cure', (text, why) => {
    expect(() => readDomain(text, 'test')).toThrow(why);
    expect(() => readDomain(text, 'test')).toThrow(expect.objectContaining({ code: 'invalid' }));
  });
});

describe('the sites that may frame the pages', () => {
  test('are those on the list', () => {
    expect(frameSources(['https://*.example.com:*', 'http://localhost:3000'])).toEqual([
      'https://*.example.com:*',
      'http://localhost:3000',
    ]);
  });

  test('are none without a list, whatever else a row may hold', () => {
    expect(frameSources([])).toEqual(["'none'"]);
    expect(frameSources(['*', "https://a.com; script-src 'unsafe-inline'", 'https:'])).toEqual(["'none'"]);
  });
});
