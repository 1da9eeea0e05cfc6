import { spawnSync } from 'node:child_process';
import { constants, createPublicKey, generateKeyPairSync, publicDecrypt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { linkFor, parameterOf, publicKeyOf } from '../../src/providers/passbase-link.ts';
import { passbase } from '../../src/providers/passbase.ts';
import { CHALLENGE_ID, KEY, link, SECRET } from '../fixtures/passbase/vectors.ts';
import { commandFor } from '../support/tools.ts';

let settings: Record<string, string>;
beforeAll(() => {
  const private_key = passbase.fields.private_key?.generate?.() ?? '';
  settings = {
    ...{ api_key: 'key', webhook_secret: SECRET, slug: 'acme', private_key },
    ...{ base_url: 'https://api.passbase.com/verification/v2', verify_url: 'https://verify.passbase.com' },
  };
});

/** What a link carries behind `p`. */
function carried(url: string): { metadata: string } {
  const p = new URL(url).searchParams.get('p') ?? '';
  return JSON.parse(Buffer.from(p, 'base64').toString()) as { metadata: string };
}

describe('the link', () => {
  test('carries what Passbase’s own example does', () => {
    expect(parameterOf(link.content)).toBe(link.parameter);
  });

  test('tells challenge and run to those who hold the public key', () => {
    const { metadata, ...more } = carried(linkFor(CHALLENGE_ID, settings, KEY));
    expect(more).toEqual({});
    const bytes = Buffer.from(metadata, 'base64');
    expect(bytes).toHaveLength(512);
    const key = createPublicKey(publicKeyOf(settings.private_key ?? ''));
    const opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, bytes);
    expect(JSON.parse(opened.toString())).toEqual({ challenge_id: CHALLENGE_ID, run_id: KEY });
  });

  test('is read by other tools than ours', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'passbase-'));
    const file = join(folder, 'public.pem');
    await writeFile(file, publicKeyOf(settings.private_key ?? ''));
    const input = Buffer.from(carried(linkFor(CHALLENGE_ID, settings)).metadata, 'base64');
    const args = ['pkeyutl', '-verifyrecover', '-pubin', '-inkey', file];
    const { stdout } = spawnSync(commandFor('openssl'), args, { input });
    await rm(folder, { recursive: true });
    expect(stdout.toString()).toBe(`{"challenge_id":"${CHALLENGE_ID}"}`);
  });

  test('survives as an address: nothing in it means anything else there', () => {
    for (let i = 0; i < 20; i += 1) {
      const url = linkFor(`${CHALLENGE_ID}-${i}`, settings);
      expect(url).toMatch(/^https:\/\/verify\.passbase\.com\/acme\?p=[\w%]+$/);
      expect(url.length).toBeLessThan(2_000);
    }
  });

  test('is the same however the address of the hosted step ends', () => {
    const at = (verify_url: string) => linkFor(CHALLENGE_ID, { ...settings, verify_url });
    expect(at('https://verify.example/in/')).toBe(at('https://verify.example/in'));
    expect(at('https://verify.example/in')).toMatch(/^https:\/\/verify\.example\/in\/acme\?p=/);
  });

  test('is all there is to starting: Passbase is not called and names no session yet', async () => {
    const outbound = createOutbound({ allowedCidrs: [], userAgent: 'test' });
    await outbound.close(); // a call would fail
    const http = { outbound, reach: { http: false, loopback: false } };
    const run = { challengeId: CHALLENGE_ID, returnUrl: 'https://id.example/result' };
    expect(await passbase.startSession(run, settings, http)).toEqual({
      sessionId: undefined,
      url: linkFor(CHALLENGE_ID, settings),
    });
  });
});

describe('settings', () => {
  const check = (change: Record<string, string>, mode: 'test' | 'live' = 'live') =>
    passbase.checkSettings?.({ ...settings, ...change }, mode);
  const pem = (type: 'rsa' | 'rsa-pss' | 'ed25519', form: object = {}) => {
    const { privateKey } = generateKeyPairSync(type as 'rsa', { modulusLength: 2_048 });
    return privateKey.export({ type: 'pkcs8', format: 'pem', ...form }).toString();
  };

  test('that are right pass, in both modes', () => {
    expect(() => check({})).not.toThrow();
    expect(() => check({}, 'test')).not.toThrow();
    expect(() => check({ verify_url: 'http://127.0.0.1:4000' }, 'test')).not.toThrow();
    expect(() => check({ private_key: pem('rsa') })).not.toThrow();
    expect(() => check({ private_key: pem('rsa', { type: 'pkcs1' }) })).not.toThrow();
  });

  test.each([
    ['webhook_secret', SECRET.slice(1), /31 bytes.*exactly 32/],
    ['webhook_secret', `${SECRET}0`, /33 bytes/],
    ['webhook_secret', `${SECRET.slice(1)}é`, /33 bytes/],
    ['webhook_secret', '', /0 bytes/],
    ['api_key', '', /API key/],
    ['api_key', 'two\nlines', /API key/],
    ['api_key', 'ключ', /API key/],
    ['slug', '', /last part/],
    ['slug', 'https://verify.passbase.com/acme', /last part/],
    ['slug', 'a/b', /last part/],
    ['slug', '..', /last part/],
    ['slug', 'acme?p=1', /last part/],
    ['verify_url', '', /complete address/],
    ['verify_url', 'verify.passbase.com', /complete address/],
    ['verify_url', 'http://verify.passbase.com', /complete address/],
    ['verify_url', 'javascript:alert(1)', /complete address/],
    ['verify_url', 'https://me:you@verify.passbase.com', /complete address/],
    ['verify_url', 'https://verify.passbase.com/?x=1', /complete address/],
    ['verify_url', 'https://verify.passbase.com/#', /complete address/],
    ['private_key', '', /RSA private key/],
    ['private_key', 'a key', /RSA private key/],
  ])('with %s "%s" are refused by name', (field, value, message) => {
    expect(() => check({ [field]: value })).toThrow(
      expect.objectContaining({ code: 'invalid', field, message: expect.stringMatching(message) }),
    );
  });

  test('with a key of another kind, a short one or a locked one are refused without showing it', () => {
    const locked = pem('rsa', { cipher: 'aes-256-cbc', passphrase: 'x' });
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1_024 });
    const short = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const halves = [publicKeyOf(settings.private_key ?? ''), pem('ed25519'), pem('rsa-pss'), short, locked];
    for (const private_key of halves) {
      expect(() => check({ private_key })).toThrow(
        expect.objectContaining({ field: 'private_key', message: expect.not.stringContaining('-----') }),
      );
    }
  });

  test('need no more than what stands at Passbase: the rest is made or known', () => {
    const required = Object.entries(passbase.fields)
      .filter(([, { fallback, generate }]) => fallback === undefined && !generate)
      .map(([field]) => field);
    expect(required).toEqual(['api_key', 'webhook_secret', 'slug']);
    const { fields } = passbase;
    const fallbacks = {
      base_url: fields.base_url?.fallback ?? '',
      verify_url: fields.verify_url?.fallback ?? '',
    };
    expect(() => check(fallbacks)).not.toThrow();
  });

  test('are followed by what to do at Passbase, with the public key and no secret', () => {
    const lines = passbase.setUp('https://id.example/webhooks/passbase/1', settings);
    const text = lines.join('\n');
    expect(lines).toContain('  https://id.example/webhooks/passbase/1');
    expect(text).toContain(publicKeyOf(settings.private_key ?? ''));
    expect(text).toMatch(/Switch encryption on/);
    expect(lines.every((line) => !line.includes('\n'))).toBe(true);
    expect(text).not.toMatch(/PRIVATE KEY/);
    expect(text).not.toContain(SECRET);
  });
});
