import { describe, expect, test } from '@jest/globals';
import { readNetwork } from '../../src/kernel/address.ts';
import { veriff } from '../../src/providers/veriff.ts';
import { API_KEY, SECRET } from '../fixtures/veriff/vectors.ts';

const settings = { api_key: API_KEY, shared_secret: SECRET, base_url: 'https://stationapi.veriff.com' };
const check = (change: Partial<typeof settings>, mode: 'test' | 'live' = 'live') =>
  veriff.checkSettings?.({ ...settings, ...change }, mode);

describe('an account at Veriff', () => {
  test.each([
    'https://stationapi.veriff.com',
    'https://api.veriff.example/',
    'https://api.veriff.example/v1',
  ])('takes what Veriff shows: %s', (base_url) => {
    expect(() => check({ base_url })).not.toThrow();
  });

  test.each([
    ['an address of the portal', { base_url: 'https://hub.veriff.com/integrations/x' }, 'base_url'],
    ['an address with more behind it', { base_url: 'https://stationapi.veriff.com/?x=1' }, 'base_url'],
    ['half an address', { base_url: 'stationapi.veriff.com' }, 'base_url'],
    ['the key twice', { shared_secret: API_KEY }, 'shared_secret'],
    ['a key with a line end', { api_key: `${API_KEY}\n` }, 'api_key'],
    ['a secret with a space', { shared_secret: `${SECRET} ` }, 'shared_secret'],
    ['no secret', { shared_secret: '' }, 'shared_secret'],
  ])('refuses %s and names the field', (_, change, field) => {
    expect(() => check(change)).toThrow(expect.objectContaining({ code: 'invalid', field }));
    expect(() => check(change, 'test')).toThrow(new RegExp(`^${field} `));
  });

  test('is told where the one webhook URL goes', () => {
    const url = 'https://verify.example.com/webhooks/veriff/x';
    const text = veriff.setUp(url, settings).join('\n');
    expect(text).toContain(url);
    for (const type of ['decisions', 'events', 'watchlist', 'full auto', 'INE', 'CURP', 'user-defined'])
      expect(text).toContain(type);
    expect(text).not.toContain(SECRET);
  });
});

test('the published addresses are networks', () => {
  expect(veriff.addresses).toHaveLength(11);
  for (const address of veriff.addresses) expect(() => readNetwork(address)).not.toThrow();
});
