import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  canonicalAddress,
  hostOf,
  localhostAddresses,
  readNetwork,
  refusedAddress,
  refusedEndpoint,
} from '../../src/kernel/address.ts';
import { judgeUrl, ownOf } from '../../src/kernel/outbound-url.ts';
import type { Policy, Reach } from '../../src/kernel/address.ts';

const PUBLIC_ONLY: Reach = { http: false, loopback: false };
const HTTP_TOO: Reach = { http: true, loopback: false };
const DEVELOPMENT: Reach = { http: true, loopback: true };

function policy(reach: Reach, ...cidrs: string[]): Policy {
  return { reach, allowed: cidrs.map(readNetwork), ports: [80, 443, 8443] };
}

function ruleFor(url: string, under: Policy = policy(HTTP_TOO)): string | undefined {
  const verdict = judgeUrl(url, under);
  return 'refusal' in verdict ? verdict.refusal.rule : undefined;
}

// First and last address of every range in delivery.md §7, and the rule that names it.
const RANGE_EDGES: readonly [string, string, string][] = [
  ['0.0.0.0', '0.255.255.255', 'this_network'],
  ['10.0.0.0', '10.255.255.255', 'private'],
  ['100.64.0.0', '100.127.255.255', 'carrier_nat'],
  ['127.0.0.0', '127.255.255.255', 'loopback'],
  ['169.254.0.0', '169.254.255.255', 'link_local'],
  ['172.16.0.0', '172.31.255.255', 'private'],
  ['192.0.0.0', '192.0.0.255', 'protocol_assignment'],
  ['192.0.2.0', '192.0.2.255', 'documentation'],
  ['192.88.99.0', '192.88.99.255', 'relay_6to4'],
  ['192.168.0.0', '192.168.255.255', 'private'],
  ['198.18.0.0', '198.19.255.255', 'benchmarking'],
  ['198.51.100.0', '198.51.100.255', 'documentation'],
  ['203.0.113.0', '203.0.113.255', 'documentation'],
  ['224.0.0.0', '239.255.255.255', 'multicast'],
  ['240.0.0.0', '255.255.255.255', 'reserved'],
  ['168.63.129.16', '168.63.129.16', 'metadata'],
  ['::', '::', 'unspecified'],
  ['::1', '::1', 'loopback'],
  ['::2', 'ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'embedded_ipv4'],
  ['::ffff:0:0', '::ffff:ffff:ffff', 'embedded_ipv4'],
  ['::ffff:0:0:0', '::ffff:0:ffff:ffff', 'embedded_ipv4'],
  ['64:ff9b::', '64:ff9b::ffff:ffff', 'embedded_ipv4'],
  ['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff', 'embedded_ipv4'],
  ['100::', '100::ffff:ffff:ffff:ffff', 'discard'],
  ['100:0:0:1::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'not_global_unicast'],
  ['2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff', 'embedded_ipv4'],
  ['2001:1::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', 'protocol_assignment'],
  ['2001:2::', '2001:2:0:ffff:ffff:ffff:ffff:ffff', 'benchmarking'],
  ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation'],
  ['2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'embedded_ipv4'],
  ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', 'documentation'],
  ['4000::', '5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'not_global_unicast'],
  ['5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'segment_routing'],
  ['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'unique_local'],
  ['fe00::', 'fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'not_global_unicast'],
  ['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'link_local'],
  ['fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'site_local'],
  ['ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'multicast'],
];

const METADATA =
  '169.254.169.254 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::a9fe:a9fe'.split(
    ' ',
  );

describe('addresses', () => {
  test.each(RANGE_EDGES)('%s and %s are refused as %s', (first, last, rule) => {
    expect(refusedAddress(first, policy(HTTP_TOO))).toBe(rule);
    expect(refusedAddress(last, policy(HTTP_TOO))).toBe(rule);
  });

  test.each(
    // Right before and right after the refused ranges, so that no range is a bit too wide.
    `1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
     172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255
     192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
     168.63.129.15 168.63.129.17 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2001:ffff:: 2003:: 2606:4700::1111
     3ffe:ffff:: 3fff:1000::`.split(/\s+/),
  )('%s is public', (address) => {
    expect(refusedAddress(address, policy(PUBLIC_ONLY))).toBeUndefined();
  });

  test.each(METADATA)('%s is metadata, refused even when a CIDR covers it', (address) => {
    expect(refusedAddress(address, policy(DEVELOPMENT, '0.0.0.0/0', '::/0', address))).toBe('metadata');
  });

  test('a scope id changes nothing', () => {
    expect(refusedAddress('fe80::1%eth0', policy(DEVELOPMENT))).toBe('link_local');
    expect(refusedAddress('::1%lo', policy(DEVELOPMENT))).toBeUndefined();
    expect(canonicalAddress('FE80:0:0:0:0:0:0:1%eth0')).toBe('fe80::1');
  });

  test.each(['', 'localhost', '127.1', '0x7f.0.0.1', '10.0.0.1/8', '1.2.3.4 ', '[::1]'])(
    '%j from a resolver is not taken for an address',
    (text) => expect(refusedAddress(text, policy(DEVELOPMENT, '0.0.0.0/0', '::/0'))).toBe('not_an_address'),
  );

  test('ISATAP hides an IPv4 address behind any prefix and is refused', () => {
    const everything = policy(DEVELOPMENT, '0.0.0.0/0', '::/0');
    expect(refusedAddress('2606:4700::5efe:a00:1', everything)).toBe('embedded_ipv4');
    expect(refusedAddress('fd00::200:5efe:169.254.169.254', everything)).toBe('embedded_ipv4');
  });

  const octets = fc.tuple(...[0, 0, 0, 0].map(() => fc.nat(255)));

  test('an IPv6 spelling of any IPv4 address is never allowed where the address is not', () => {
    const policies = [
      policy(PUBLIC_ONLY),
      policy(DEVELOPMENT),
      policy(DEVELOPMENT, '10.0.0.0/8', '::/0'),
      policy(DEVELOPMENT, '0.0.0.0/0', '::/0'),
    ];
    fc.assert(
      fc.property(octets, fc.constantFrom(...policies), ([a = 0, b = 0, c = 0, d = 0], under) => {
        const dotted = `${a}.${b}.${c}.${d}`;
        const [high, low] = [((a << 8) | b).toString(16), ((c << 8) | d).toString(16)];
        const verdict = refusedAddress(dotted, under);
        const spellings = [
          `::ffff:${dotted}`,
          `::ffff:${high}:${low}`,
          `::ffff:0:${dotted}`,
          `::1:${dotted}`,
          `64:ff9b::${dotted}`,
          `64:ff9b:1::${dotted}`,
          `2002:${high}:${low}::1`,
          `2001:0:${high}:${low}::`,
          `2606:4700::5efe:${dotted}`,
          `fe80::200:5efe:${dotted}`,
        ];
        for (const spelling of spellings) {
          const other = refusedAddress(spelling, under);
          expect({ spelling, agrees: other !== undefined || verdict === undefined }).toEqual({
            spelling,
            agrees: true,
          });
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('every URL spelling of any IPv4 address gets the verdict of the address', () => {
    const under = policy(HTTP_TOO);
    fc.assert(
      fc.property(octets, ([a = 0, b = 0, c = 0, d = 0]) => {
        const dotted = `${a}.${b}.${c}.${d}`;
        const number = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
        const spellings = [
          dotted,
          `${dotted}.`,
          `${number}`,
          `0x${number.toString(16)}`,
          `0${number.toString(8)}`,
          `${a}.${number & 0xffffff}`,
          `${a}.${b}.${number & 0xffff}`,
          `0x${a.toString(16)}.0${b.toString(8)}.${c}.${d}`,
          dotted.replaceAll('.', '。'),
          dotted.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
        ];
        for (const spelling of spellings) {
          expect([spelling, ruleFor(`https://${spelling}/`, under)]).toEqual([
            spelling,
            refusedAddress(dotted, under),
          ]);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what the operator and the caller open', () => {
  test('reach.loopback opens 127.0.0.0/8 and ::1, and nothing else', () => {
    const under = policy(DEVELOPMENT);
    for (const address of ['127.0.0.1', '127.255.255.255', '::1']) {
      expect(refusedAddress(address, under)).toBeUndefined();
    }
    for (const [first, last, rule] of RANGE_EDGES) {
      if (rule === 'loopback') continue;
      expect([first, refusedAddress(first, under)]).toEqual([first, rule]);
      expect([last, refusedAddress(last, under)]).toEqual([last, rule]);
    }
  });

  test('an allowed CIDR opens private networks as far as it reaches', () => {
    const under = policy(PUBLIC_ONLY, '10.1.0.0/16', 'fd12::/16', '127.0.0.2');
    for (const address of ['10.1.0.0', '10.1.255.255', 'fd12::1', '127.0.0.2']) {
      expect([address, refusedAddress(address, under)]).toEqual([address, undefined]);
    }
    for (const address of ['10.2.0.0', '10.0.255.255', 'fd13::1', '127.0.0.1', '::ffff:10.1.0.1']) {
      expect([address, typeof refusedAddress(address, under)]).toEqual([address, 'string']);
    }
  });

  test('no CIDR opens what is not a network of somebody', () => {
    const everything = policy(DEVELOPMENT, '0.0.0.0/0', '::/0');
    for (const address of [
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::ffff:10.0.0.1',
      '2002::1',
      '4000::',
    ]) {
      expect([address, typeof refusedAddress(address, everything)]).toEqual([address, 'string']);
    }
  });

  test('public addresses are called on ports 80, 443 and 8443, opened ones on any port', () => {
    const under = policy(DEVELOPMENT, '10.0.0.0/8');
    for (const port of [80, 443, 8443]) expect(refusedEndpoint('1.1.1.1', port, under)).toBeUndefined();
    for (const port of [0, 22, 25, 81, 6379, 8080, 65_535]) {
      expect([port, refusedEndpoint('1.1.1.1', port, under)]).toEqual([port, 'port']);
      expect(refusedEndpoint('10.0.0.1', port, under)).toBeUndefined();
      expect(refusedEndpoint('127.0.0.1', port, under)).toBeUndefined();
      expect(refusedEndpoint('10.0.0.1', port, policy(DEVELOPMENT))).toBe('private');
    }
  });

  test('other ports may be opened by the operator, and the usual ones closed', () => {
    const under = { ...policy(PUBLIC_ONLY), ports: [443, 9443] };
    for (const port of [443, 9443]) expect(refusedEndpoint('1.1.1.1', port, under)).toBeUndefined();
    for (const port of [80, 8443]) expect(refusedEndpoint('1.1.1.1', port, under)).toBe('port');
    expect(ruleFor('https://example.com:9443/', under)).toBeUndefined();
    expect(ruleFor('https://example.com:8443/', under)).toBe('port');
  });

  test('localhost means those loopback addresses that are open', () => {
    expect(localhostAddresses(policy(PUBLIC_ONLY))).toEqual([]);
    expect(localhostAddresses(policy(DEVELOPMENT))).toEqual(['127.0.0.1', '::1']);
    expect(localhostAddresses(policy(PUBLIC_ONLY, '127.0.0.0/8'))).toEqual(['127.0.0.1']);
    expect(localhostAddresses(policy(PUBLIC_ONLY, '::1'))).toEqual(['::1']);
  });

  test.each([
    '',
    'abc',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10/8',
    '10.0.0.0/8/8',
    '::/129',
    '0x0a.0.0.0/8',
  ])('%j is not taken for a network', (text) => expect(() => readNetwork(text)).toThrow('is not a network'));
});

describe('URLs', () => {
  test.each([
    ['https://hooks.example.com/in?a=1', 'https://hooks.example.com/in?a=1'],
    ['  HTTPS://Hooks.Example.COM:443 ', 'https://hooks.example.com/'],
    ['https://hooks.example.com./in', 'https://hooks.example.com/in'],
    ['https://bücher.example/', 'https://xn--bcher-kva.example/'],
    ['https://ｅｘａｍｐｌｅ.com:8443/', 'https://example.com:8443/'],
    ['https://my_hook.example.com/', 'https://my_hook.example.com/'],
    ['https://1.1.1.1/', 'https://1.1.1.1/'],
    ['https://[2606:4700:0:0::1111]/', 'https://[2606:4700::1111]/'],
    ['http://example.com:80/', 'http://example.com/'],
  ])('%s is accepted as %s', (text, normalised) => {
    const verdict = judgeUrl(text, policy(HTTP_TOO));
    expect('url' in verdict ? verdict.url.href : verdict.refusal).toBe(normalised);
  });

  test.each([
    ['https://127.0.0.1/', 'loopback'],
    ['https://127.0.0.1./', 'loopback'],
    ['https://2130706433/', 'loopback'],
    ['https://0x7f000001/', 'loopback'],
    ['https://0x7f.1/', 'loopback'],
    ['https://0177.0.0.1/', 'loopback'],
    ['https://017700000001/', 'loopback'],
    ['https://127.1/', 'loopback'],
    ['https://127.0.1/', 'loopback'],
    ['https://１２７.０.０.１/', 'loopback'],
    ['https://①②⑦.0.0.1/', 'loopback'],
    ['https://127。0。0。1/', 'loopback'],
    ['https://%31%32%37.0.0.1/', 'loopback'],
    ['https://127.1../', 'loopback'],
    ['https://[::1]/', 'loopback'],
    ['https://[0:0:0:0:0:0:0:1]/', 'loopback'],
    ['https://0/', 'this_network'],
    ['https://0.0.0.0/', 'this_network'],
    ['https://[::]/', 'unspecified'],
    ['https://[::127.0.0.1]/', 'embedded_ipv4'],
    ['https://[::ffff:127.0.0.1]/', 'embedded_ipv4'],
    ['https://[::ffff:7f00:1]/', 'embedded_ipv4'],
    ['https://[64:ff9b::127.0.0.1]/', 'embedded_ipv4'],
    ['https://[2002:7f00:1::]/', 'embedded_ipv4'],
    ['https://[::ffff:1.1.1.1]/', 'embedded_ipv4'],
    ['https://169.254.169.254/latest/meta-data/', 'metadata'],
    ['https://2852039166/', 'metadata'],
    ['https://[fd00:ec2::254]/', 'metadata'],
    ['https://10.0.0.1/', 'private'],
    ['https://[fd00::1]/', 'unique_local'],
    ['https://[fe80::1%25eth0]/', 'url_invalid'],
    ['https://localhost/', 'localhost'],
    ['https://LOCALHOST./', 'localhost'],
    ['https://ｌｏｃａｌｈｏｓｔ/', 'localhost'],
    ['https://app.localhost/', 'localhost'],
    ['https://app.localhost./', 'localhost'],
    ['https://printer.local/', 'special_use_name'],
    ['https://printer.local./', 'special_use_name'],
    ['https://metadata.google.internal/', 'special_use_name'],
    ['https://nas.home.arpa/', 'special_use_name'],
    ['https://1.0.0.127.in-addr.arpa./', 'special_use_name'],
    ['https://internal/', 'special_use_name'],
    ['https://redis/', 'single_label_name'],
    ['https://redis./', 'single_label_name'],
    ['https://a..b.example/', 'hostname_invalid'],
    ['https://example.com../', 'hostname_invalid'],
    ['https://./', 'hostname_invalid'],
    ['https://-a.example/', 'hostname_invalid'],
    [`https://${'a'.repeat(64)}.example/`, 'hostname_invalid'],
    [`https://${'a.'.repeat(127)}example/`, 'hostname_invalid'],
    ['https://user@example.com/', 'userinfo'],
    ['https://user:pass@example.com/', 'userinfo'],
    ['https://:pass@example.com/', 'userinfo'],
    ['https://example.com@127.0.0.1/', 'userinfo'],
    ['https://example.com/#part', 'fragment'],
    ['https://example.com/#', 'fragment'],
    ['https://example.com:22/', 'port'],
    ['https://example.com:0/', 'port'],
    ['http://1.1.1.1:6379/', 'port'],
    ['https://example.com:65536/', 'url_invalid'],
    ['ftp://example.com/', 'scheme'],
    ['file:///etc/passwd', 'scheme'],
    ['gopher://127.0.0.1:6379/_x', 'scheme'],
    ['javascript:alert(1)', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['blob:https://example.com/1', 'scheme'],
    ['example.com/in', 'url_invalid'],
    ['//example.com/in', 'url_invalid'],
    ['https://', 'url_invalid'],
    ['', 'url_invalid'],
  ])('%s is refused as %s', (text, rule) => {
    expect(ruleFor(text)).toBe(rule);
  });

  test('an umlaut is still accepted when the parser is hot', () => {
    // URL.canParse on Node 20.20 turns false for Latin-1 letters after some ten thousand calls.
    for (let turn = 0; turn < 50_000; turn += 1) ruleFor(`https://a${turn}.example.com/`);
    expect(ruleFor('https://bücher.example/')).toBeUndefined();
  });

  test('plain http needs reach.http', () => {
    expect(ruleFor('http://example.com/', policy(PUBLIC_ONLY))).toBe('https_required');
    expect(ruleFor('http://example.com/', policy(HTTP_TOO))).toBeUndefined();
  });

  test('a URL of 2048 characters is accepted, a longer one refused, also when escaping makes it longer', () => {
    const start = 'https://example.com/';
    expect(ruleFor(start.padEnd(2048, 'a'))).toBeUndefined();
    expect(ruleFor(start.padEnd(2049, 'a'))).toBe('url_too_long');
    expect(ruleFor(start.padEnd(2048, 'é'))).toBe('url_too_long');
  });

  test('single-label names are accepted once the operator opens any network, the other names stay refused', () => {
    const under = policy(HTTP_TOO, '10.0.0.0/8');
    expect(ruleFor('http://hook-sink:9000/', under)).toBeUndefined();
    expect(ruleFor('http://printer.local:9000/', under)).toBe('special_use_name');
    expect(ruleFor('http://localhost:9000/', under)).toBe('localhost');
    expect(ruleFor('http://localhost:9000/', policy(HTTP_TOO, '127.0.0.1/32'))).toBeUndefined();
  });

  test('a port is judged at once for literals, and for names only while nothing is opened', () => {
    expect(ruleFor('https://example.com:9000/', policy(DEVELOPMENT))).toBeUndefined();
    expect(ruleFor('https://example.com:9000/', policy(PUBLIC_ONLY, '10.0.0.0/8'))).toBeUndefined();
    expect(ruleFor('https://1.1.1.1:9000/', policy(DEVELOPMENT, '10.0.0.0/8'))).toBe('port');
    expect(ruleFor('http://127.0.0.1:9000/', policy(DEVELOPMENT))).toBeUndefined();
    expect(ruleFor('http://localhost:9000/', policy(DEVELOPMENT))).toBeUndefined();
  });

  test.each([
    ['https://verify.example.com', 'https://verify.example.com/in', 'own_host'],
    ['https://verify.example.com', 'https://VERIFY.example.com.:8443/', 'own_host'],
    ['https://verify.example.com', 'https://verify.example.com:22/', 'own_host'],
    ['https://bücher.example', 'https://xn--bcher-kva.example/', 'own_host'],
    ['https://verify.example.com', 'https://api.verify.example.com/', undefined],
    ['https://verify.example.com', 'https://example.com/', undefined],
    ['http://countersign:3000', 'http://countersign:9000/', 'own_host'],
    ['https://1.1.1.1', 'https://1.1.1.1/', 'own_host'],
    ['https://1.1.1.1', 'https://16843009/', 'own_host'],
    ['https://1.1.1.1', 'https://1.1.1.1:8443/', undefined],
    ['https://[2606:4700::1111]', 'https://[2606:4700:0::1111]/', 'own_host'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000/', 'own_host'],
    ['http://127.0.0.1:3000', 'http://localhost:3000/', 'own_host'],
    ['http://localhost:3000', 'http://127.0.0.1:3000/', 'own_host'],
    ['http://localhost:3000', 'http://[::1]:3000/', 'own_host'],
    ['http://0.0.0.0:3000', 'http://app.localhost:3000/', 'own_host'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3001/', undefined],
    ['http://localhost:3000', 'http://localhost:3001/', undefined],
    ['http://10.1.2.3:3000', 'http://10.1.2.3:3000/', 'own_host'],
    ['http://10.1.2.3:3000', 'http://10.1.2.3:3001/', undefined],
    ['http://10.1.2.3:3000', 'http://127.0.0.1:3000/', undefined],
  ])('of a server at %s, %s is %s', (own, url, rule) => {
    expect(ruleFor(url, { ...policy(DEVELOPMENT, '10.0.0.0/8'), own: ownOf(own) })).toBe(rule);
  });

  test('when names are resolved elsewhere, no name may hope for an opened address', () => {
    const under = { ...policy(DEVELOPMENT, '10.0.0.0/8'), namesUnseen: true };
    expect(ruleFor('https://example.com:9000/', under)).toBe('port');
    expect(ruleFor('https://example.com/', under)).toBeUndefined();
    expect(ruleFor('http://10.0.0.1:9000/', under)).toBeUndefined();
  });

  test('the host of a literal comes without brackets', () => {
    expect(hostOf(new URL('https://[2606:4700::1]:8443/'))).toBe('2606:4700::1');
  });
});
