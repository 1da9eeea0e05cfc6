import { expect, test } from '@jest/globals';
import { findForgery } from '../../src/slack/signature.ts';
import { signatureOf } from '../support/slack-requests.ts';

/** Slack's own example. docs: https://docs.slack.dev/authentication/verifying-requests-from-slack */
const SECRET = '8f742231b10e8888abcd99yyyzzz85a5';
const AT = 1_531_420_618;
const BODY = [
  'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V',
  '&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=',
  '&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN',
  '&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
].join('');
const example = {
  timestamp: String(AT),
  signature: 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
  body: Buffer.from(BODY),
};
const now = (seconds = 0) => new Date((AT + seconds) * 1_000);

test('the example of Slack’s documentation is taken for Slack’s', () => {
  expect(findForgery(SECRET, example, now())).toBeUndefined();
});

test('another byte, secret, time, version or no signature at all is none of Slack’s', () => {
  const changes = [
    { body: Buffer.from(BODY.replace('roadrunner', 'coyote')) },
    { timestamp: String(AT + 1) },
    { signature: example.signature.replace('v0', 'v1') },
    { signature: example.signature.toUpperCase() },
    { signature: `${example.signature}0` },
    { signature: '' },
    { timestamp: '' },
  ];
  for (const change of changes)
    expect(findForgery(SECRET, { ...example, ...change }, now())).toBe('bad_signature');
  expect(findForgery(`${SECRET}0`, example, now())).toBe('bad_signature');
});

test('what Slack signed more than five minutes ago is old, and so is what comes from the future', () => {
  for (const seconds of [300, -300]) expect(findForgery(SECRET, example, now(seconds))).toBeUndefined();
  for (const seconds of [301, -301, 86_400]) expect(findForgery(SECRET, example, now(seconds))).toBe('old');
});

test('a timestamp that is no plain number is refused, whatever signed it', () => {
  for (const timestamp of [`${AT}.0`, `+${AT}`, ` ${AT}`, '1e9', '0x5b47a30a', 'NaN', 'Infinity', '-1']) {
    const signature = signatureOf(SECRET, timestamp as unknown as number, BODY);
    expect(findForgery(SECRET, { ...example, timestamp, signature }, now())).toBe('bad_signature');
  }
});

test('bytes count, not characters: a body that is no UTF-8 is checked as it came', () => {
  const body = Buffer.from([0xff, 0xfe, 0x00]);
  const signature = signatureOf(SECRET, AT, body.toString());
  expect(findForgery(SECRET, { ...example, body, signature }, now())).toBe('bad_signature');
});
