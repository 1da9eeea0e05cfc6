import { describe, expect, test } from '@jest/globals';
import { deviceFacts } from '../../src/verify/device.ts';

const IP = '203.0.113.7';
const CHROME = 'AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0';
const SAFARI = 'AppleWebKit/605.1.15 (KHTML, like Gecko) Version';
const AGENTS = {
  windowsChrome: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36`,
  windowsEdge: `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${CHROME} Safari/537.36 Edg/120.0.0.0`,
  windowsFirefox: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0',
  windows7: 'Mozilla/5.0 (Windows NT 6.1; Win64; x64; rv:109.0) Gecko/20100101 Firefox/115.0',
  macSafari: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${SAFARI}/17.2 Safari/605.1.15`,
  macChrome: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${CHROME} Safari/537.36`,
  oldMac: `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_14_6) ${SAFARI}/14.1 Safari/605.1.15`,
  iphone: `Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) ${SAFARI}/17.2 Mobile/15E148 Safari/604.1`,
  newIphone: `Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) ${SAFARI}/26.3 Mobile/15E148 Safari/604.1`,
  androidChrome: `Mozilla/5.0 (Linux; Android 10; K) ${CHROME} Mobile Safari/537.36`,
  androidFirefox: 'Mozilla/5.0 (Android 14; Mobile; rv:121.0) Gecko/121.0 Firefox/121.0',
  linux: 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0',
  chromebook: `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${CHROME} Safari/537.36`,
};
type Named = keyof typeof AGENTS;

const named = (agent: Named, report = {}) => {
  const { browser, os } = deviceFacts(AGENTS[agent], IP, report);
  return { browser, os };
};

test.each<[Named, string, string]>([
  ['windowsChrome', 'Chrome 120.0', 'Windows 10 or 11'],
  ['windowsEdge', 'Microsoft Edge 120.0', 'Windows 10 or 11'],
  ['windowsFirefox', 'Firefox 121.0', 'Windows 10 or 11'],
  ['windows7', 'Firefox 115.0', 'Windows 7'],
  ['macSafari', 'Safari 17.2', 'macOS'],
  ['macChrome', 'Chrome 120.0', 'macOS'],
  ['oldMac', 'Safari 14.1', 'macOS 10.14.6'],
  ['iphone', 'Safari 17.2', 'iOS 17.2'],
  ['newIphone', 'Safari 26.3', 'iOS 26.3'],
  ['androidChrome', 'Chrome 120.0', 'Android'],
  ['androidFirefox', 'Firefox 121.0', 'Android 14'],
  ['linux', 'Firefox 121.0', 'Linux'],
  ['chromebook', 'Chrome 120.0', 'Chrome OS'],
])('the user agent of %s says no more than it knows', (agent, browser, os) => {
  expect(named(agent)).toEqual({ browser, os });
});

test.each<[Named, string, string, string]>([
  ['windowsChrome', 'Windows', '15.0.0', 'Windows 11'],
  ['windowsEdge', 'Windows', '13.0.0', 'Windows 11'],
  ['windowsChrome', 'Windows', '10.0.0', 'Windows 10'],
  ['windowsChrome', 'Windows', '0.3.0', 'Windows 10 or 11'],
  ['macChrome', 'macOS', '14.5.0', 'macOS 14.5'],
  ['macChrome', 'macOS', '15.0.0', 'macOS 15'],
  ['macSafari', 'iPadOS', '', 'iPadOS'],
  ['androidChrome', 'Android', '14.0.0', 'Android 14'],
  ['linux', 'Windows', '15.0.0', 'Linux'],
  ['windowsChrome', 'Windows', '15; DROP', 'Windows 10 or 11'],
  ['windowsChrome', 'macOS', '15.0.0', 'Windows 10 or 11'],
])('%s with the client hints %s and "%s" is %s', (agent, platform, platform_version, os) => {
  expect(named(agent, { platform, platform_version }).os).toBe(os);
});

test('the facts have the documented names in the documented order', () => {
  const report = { screen: '1920x1080', timezone: 'Europe/Berlin', language: 'de-AT', more: 'ignored' };
  expect(Object.entries(deviceFacts(AGENTS.linux, IP, report))).toEqual([
    ['browser', 'Firefox 121.0'],
    ['os', 'Linux'],
    ['screen', '1920x1080'],
    ['timezone', 'Europe/Berlin'],
    ['ip', IP],
    ['user_agent', AGENTS.linux],
    ['language', 'de-AT'],
  ]);
});

describe('what is wrong is left out, and the rest is kept', () => {
  const SCRIPT = '<script>alert(1)</script>';
  const WRONG: [field: 'screen' | 'timezone' | 'language', values: unknown[]][] = [
    ['screen', ['1x1', '123456x1', '1920 x 1080', '1920x1080\n', '-1920x1080', 1920, ['1920x1080']]],
    ['timezone', ['Mars/Olympus', '+01:00', 'Europe/Berlin ', 'a'.repeat(65), {}, 'Europe/\u0000Berlin']],
    ['language', ['no_such', 'de-', 'a', `de-${'x'.repeat(40)}`, 'de\u202EAT', 7, null]],
  ];
  test.each(WRONG)('%s', (field, values) => {
    const right = { screen: '390x844', timezone: 'UTC', language: 'en' };
    for (const value of [...values, SCRIPT, '', undefined]) {
      const { screen, timezone, language } = deviceFacts(AGENTS.iphone, IP, { ...right, [field]: value });
      expect({ screen, timezone, language }).toEqual({ ...right, [field]: null });
    }
  });

  test('the body says nothing about the user agent, the address or the names made of them', () => {
    const report = { user_agent: 'x', ip: '::1', browser: 'x', os: 'x', platform: 7, platform_version: 15 };
    expect(deviceFacts(AGENTS.windowsChrome, IP, report)).toMatchObject({
      ...{ user_agent: AGENTS.windowsChrome, ip: IP, browser: 'Chrome 120.0', os: 'Windows 10 or 11' },
    });
  });

  test('a user agent may be missing, strange, long or not plain text', () => {
    expect(deviceFacts(undefined, IP)).toMatchObject({ user_agent: null, browser: null, os: null, ip: IP });
    expect(deviceFacts('', IP)).toMatchObject({ user_agent: null, browser: null, os: null });
    expect(deviceFacts('curl/8.1', IP)).toMatchObject({ user_agent: 'curl/8.1' });
    expect(deviceFacts('a\u0000b\u009Fc\té', IP).user_agent).toBe('abc');
    expect(deviceFacts('x/1 '.repeat(5_000), IP).user_agent).toHaveLength(500);
    const { browser, os } = deviceFacts(`${'b'.repeat(400)}/${'9'.repeat(90)} x`, IP);
    for (const text of [browser, os]) expect((text ?? '').length).toBeLessThanOrEqual(60);
  });

  test.each([undefined, '', 'unknown', SCRIPT, '999.1.1.1'])('an address that is none: %s', (ip) => {
    expect(deviceFacts(AGENTS.linux, ip).ip).toBeNull();
  });
});
