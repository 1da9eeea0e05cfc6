import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/kernel/errors.ts';
import { hmacHex } from '../../src/kernel/crypto.ts';
import { berbix } from '../../src/providers/berbix.ts';
import type { Settings } from '../../src/providers/provider.ts';
import { signatureHeader } from '../../src/simulators/berbix-webhooks.ts';
import {
  BODY_ALONE_SIGNATURE,
  finished,
  progress,
  SECRET,
  SIGNED_AT,
  statusChanged,
  UNENDED_SIGNATURE,
  vendorSample,
} from '../fixtures/berbix/vectors.ts';

const OTHERS: Settings = { finished_secret: 'of-1', status_secret: 'of-2', progress_secret: 'of-3' };
const ofFinished: Settings = { ...OTHERS, finished_secret: SECRET };
const ofStatus: Settings = { ...OTHERS, status_secret: SECRET };
const ofProgress: Settings = { ...OTHERS, progress_secret: SECRET };
const at = (seconds: number) => new Date(seconds * 1_000);
const NOW = at(SIGNED_AT);

function headerOf(signature: string, time: number | string = SIGNED_AT): string {
  return `v0,${time},${signature}`;
}

function open(
  body: Buffer | string,
  header: string | string[] | undefined,
  settings: Settings = ofFinished,
  now = NOW,
): string {
  const headers = header === undefined ? {} : { 'x-berbix-signature': header };
  return berbix.openWebhook({ headers, body: Buffer.from(body) }, settings, now);
}

function expectRefused(...request: Parameters<typeof open>): void {
  expect(() => open(...request)).toThrow(new AppError('unauthorized', 'Invalid signature'));
}

describe('a webhook is opened', () => {
  test.each([
    [finished, ofFinished, 190],
    [statusChanged, ofStatus, 124],
    [progress, ofProgress, 175],
  ])('when the secret of its hook signed it: $name', ({ body, signature }, settings, length) => {
    expect(body).toHaveLength(length);
    expect(open(body, headerOf(signature), settings)).toBe(body.toString('utf8'));
  });

  test('when it is what Berbix’s own library is tested with', () => {
    const { secret, body, signedAt, header } = vendorSample;
    const text = open(body, header, { ...OTHERS, finished_secret: secret }, at(signedAt));
    expect(berbix.readWebhook(text)).toMatchObject({ kind: 'finished', sessionId: '1234123412341234' });
  });

  test('with the signature in upper case', () => {
    const { body, signature } = finished;
    expect(open(body, headerOf(signature.toUpperCase()))).toBe(body.toString());
  });

  test('five minutes late and five minutes early, and not a second more', () => {
    const { body, signature } = finished;
    const opened = (now: number) => open(body, headerOf(signature), ofFinished, at(now));
    expect(opened(1_767_261_900)).toBe(body.toString());
    expect(opened(1_767_261_300)).toBe(body.toString());
    expectRefused(body, headerOf(signature), ofFinished, at(1_767_261_901));
    expectRefused(body, headerOf(signature), ofFinished, at(1_767_261_299));
  });

  test('with the bytes that were signed: letters beyond ASCII and bytes that are no text', () => {
    const odd = Buffer.concat([Buffer.from('{"ä":"–✓"}'), Buffer.from([0xff, 0x00, 0x0a])]);
    expect(open(odd, signatureHeader(SECRET, odd, NOW))).toBe(odd.toString('utf8'));
  });

  test('whichever hook signed it, when its shape is not known', () => {
    const body = '{"hello":"Berbix"}\n';
    for (const settings of [ofFinished, ofStatus, ofProgress]) {
      expect(open(body, signatureHeader(SECRET, body, NOW), settings)).toBe(body);
    }
  });
});

describe('a webhook is refused', () => {
  const { body, signature } = finished;
  const unended = body.subarray(0, -1);
  const flipped = Buffer.from(body);
  flipped[100] = (flipped[100] ?? 0) ^ 1;

  test.each<[string, Buffer, string | string[] | undefined]>([
    ['without its line feed', unended, headerOf(signature)],
    ['with the signature that it would have without its line feed', body, headerOf(UNENDED_SIGNATURE)],
    [
      'with a carriage return before its line feed',
      Buffer.concat([unended, Buffer.from('\r\n')]),
      headerOf(signature),
    ],
    ['with one bit changed', flipped, headerOf(signature)],
    ['empty', Buffer.alloc(0), headerOf(signature)],
    ['signed over the body alone', body, headerOf(BODY_ALONE_SIGNATURE)],
    ['signed without the secret in it', body, headerOf(hmacHex(SECRET, `${SIGNED_AT},${body.toString()}`))],
    ['signed with another secret', body, signatureHeader(`${SECRET}0`, body, NOW)],
    ['with another time before the signature', body, headerOf(signature, SIGNED_AT + 1)],
    ['with the same time in other words', body, headerOf(signature, `0${SIGNED_AT}`)],
    ['without the header', body, undefined],
    ['with an empty header', body, ''],
    ['with the header twice', body, `${headerOf(signature)}, ${headerOf(signature)}`],
    ['with a list for a header', body, [headerOf(signature)]],
    ['with version 1', body, `v1,${SIGNED_AT},${signature}`],
    ['with a capital version', body, `V0,${SIGNED_AT},${signature}`],
    ['without a version', body, `${SIGNED_AT},${signature}`],
    ['without a time', body, `v0,${signature}`],
    ['with an empty time', body, `v0,,${signature}`],
    ['with two parts', body, `v0,${SIGNED_AT}`],
    ['with four parts', body, `${headerOf(signature)},`],
    ['with a part before', body, `,${headerOf(signature)}`],
    ['with spaces between the parts', body, `v0, ${SIGNED_AT}, ${signature}`],
    ['with semicolons', body, headerOf(signature).replaceAll(',', ';')],
    ['with a line end behind', body, `${headerOf(signature)}\n`],
    ['with half a signature', body, headerOf(signature.slice(0, 32))],
    ['with an empty signature', body, headerOf('')],
    ['with something behind the signature', body, headerOf(`${signature}00`)],
    ['with letters that are no hex digits', body, headerOf('z'.repeat(64))],
    ['with the signature in base64', body, headerOf(Buffer.from(signature, 'hex').toString('base64'))],
  ])('%s', (_, bytes, header) => {
    expectRefused(bytes, header);
  });

  test.each([
    'NaN',
    'now',
    '1e9',
    '0x69569f60',
    '-1767261600',
    '+1767261600',
    '1767261600.0',
    '9'.repeat(13),
    ' ',
  ])('with the time "%s", though it was signed', (time) => {
    const signed = hmacHex(SECRET, `${time},${SECRET},${body.toString()}`);
    expectRefused(body, `v0,${time},${signed}`);
  });

  test('when it is sent again later', () => {
    expectRefused(body, headerOf(signature), ofFinished, at(SIGNED_AT + 3_600));
  });

  test('from the future, though it was signed', () => {
    expectRefused(body, signatureHeader(SECRET, body, at(SIGNED_AT + 301)));
  });

  test.each([
    ['finished, by the status hook', finished, ofStatus],
    ['finished, by the progress hook', finished, ofProgress],
    ['status changed, by the finished hook', statusChanged, ofFinished],
    ['status changed, by the progress hook', statusChanged, ofProgress],
    ['progress, by the finished hook', progress, ofFinished],
    ['progress, by the status hook', progress, ofStatus],
  ])('when another hook’s secret signed it: %s', (_, vector, settings) => {
    expectRefused(vector.body, headerOf(vector.signature), settings);
  });

  test('when no secret is there that could have signed it: nothing may pass as its absence', () => {
    const signedWithNothing = signatureHeader('', body, NOW);
    expectRefused(body, signedWithNothing, {});
    expectRefused(body, signedWithNothing, { finished_secret: '', status_secret: '', progress_secret: '' });
    const changed = statusChanged.body;
    expectRefused(changed, signatureHeader('', changed, NOW), { ...ofFinished, status_secret: '' });
    expectRefused(changed, signatureHeader('undefined', changed, NOW), { finished_secret: SECRET });
  });
});

describe('settings', () => {
  const check = (settings: Settings, mode: 'test' | 'live') => berbix.checkSettings?.(settings, mode);
  const right: Settings = {
    api_secret: 'secret_test_x',
    template_key: 'tk',
    finished_secret: SECRET,
    status_secret: '',
    progress_secret: '',
  };

  test('are taken when they are of the mode', () => {
    check(right, 'test');
    check({ ...right, status_secret: 'whs_test_1', progress_secret: 'whs_test_2' }, 'test');
    check({ ...right, api_secret: 'secret_live_x', finished_secret: 'whs_live_1' }, 'live');
    expect(() => check(right, 'live')).toThrow();
  });

  test.each<[string, Settings, 'test' | 'live', string, RegExp]>([
    ['an API secret of live mode', { api_secret: 'secret_live_x' }, 'test', 'api_secret', /secret_test_/],
    ['an API secret of test mode', { api_secret: 'secret_test_x' }, 'live', 'api_secret', /secret_live_/],
    ['a hook secret for an API secret', { api_secret: 'whs_test_x' }, 'test', 'api_secret', /secret_test_/],
    ['no API secret', { api_secret: '' }, 'test', 'api_secret', /secret_test_/],
    ['a hook secret of live mode', { status_secret: 'whs_live_x' }, 'test', 'status_secret', /live/],
    ['an API secret of two words', { api_secret: 'secret_test_x y' }, 'test', 'api_secret', /without spaces/],
    ['a template key with a line end', { template_key: 'tk\n' }, 'test', 'template_key', /without spaces/],
    ['a hook secret with a space', { finished_secret: ' berbix-hook' }, 'test', 'finished_secret', /spaces/],
    ['an optional one of two words', { progress_secret: 'a b' }, 'test', 'progress_secret', /without spaces/],
    ['one hook secret twice', { progress_secret: SECRET }, 'test', 'progress_secret', /finished_secret/],
  ])('with %s are refused', (_, change, mode, field, words) => {
    const refusal = () => check({ ...right, ...change }, mode);
    expect(refusal).toThrow(words);
    expect(refusal).toThrow(expect.objectContaining({ code: 'invalid', field }));
    // What was entered is a secret, even where it is the wrong one.
    expect(refusal).not.toThrow(/secret_(test|live)_x|whs_\w+_x|berbix-hook/);
  });

  test('come with Berbix’s addresses and with what to do there', () => {
    expect(new Set(berbix.addresses).size).toBe(8);
    const lines = berbix.setUp('https://id.example/webhooks/berbix/1', right).join('\n');
    for (const word of [
      'https://id.example/webhooks/berbix/1',
      'Verification finished: --finished-secret',
      'Verification status changed: --status-secret (not entered',
      'Verification progress (beta): --progress-secret (not entered',
    ]) {
      expect(lines).toContain(word);
    }
    expect(
      berbix.setUp('https://x', { ...right, status_secret: 'a', progress_secret: 'b' }).join(),
    ).not.toContain('not entered');
    expect(lines).not.toContain(SECRET);
  });
});
