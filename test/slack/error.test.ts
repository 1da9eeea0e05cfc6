import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/kernel/errors.ts';
import { OutboundError } from '../../src/kernel/outbound.ts';
import { asUnavailable, limited, SlackError, slackErrorOf, unreachable } from '../../src/slack/error.ts';

const SECRET = 'xoxb-secret';
const platform = (data: object) => slackErrorOf({ code: 'slack_webapi_platform_error', data });
const kindOf = ({ kind, code }: SlackError) => [kind, code];

describe('what the client throws', () => {
  test.each(['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout'])(
    '%s is Slack’s own trouble, which passes',
    (error) => expect(kindOf(platform({ ok: false, error }))).toEqual(['unavailable', error]),
  );

  test.each(['ratelimited', 'rate_limited', 'message_limit_exceeded'])('%s is a limit', (error) => {
    const { kind, about } = platform({ ok: false, error });
    expect([kind, about.retryAfterS]).toEqual(['limited', 30]);
  });

  test.each(['invalid_auth', 'channel_not_found', 'restricted_action_read_only_channel'])(
    '%s is a refusal for good',
    (error) => expect(kindOf(platform({ ok: false, error }))).toEqual(['refused', error]),
  );

  test.each(['', '<html>', 'a b', 'xoxb-1-SECRET', 'x'.repeat(81), 7, null, undefined, {}])(
    '%j is no word of Slack’s, and so no refusal',
    (error) => expect(kindOf(platform({ ok: false, error }))).toEqual(['unavailable', 'bad_answer']),
  );

  test('a status is no refusal either', () => {
    const error = slackErrorOf({ code: 'slack_webapi_http_error', statusCode: 503, body: SECRET });
    expect([error.kind, error.code, error.about]).toEqual(['unavailable', 'http_503', { statusCode: 503 }]);
  });

  test('what our own way out says is kept, and nothing else of the error', () => {
    const original = new OutboundError('ssrf_refused', 'Private addresses are not called.', {
      rule: 'private',
    });
    const error = slackErrorOf({ code: 'slack_webapi_request_error', original, headers: SECRET });
    expect(kindOf(error)).toEqual(['unavailable', 'ssrf_refused']);
    expect(error.message).toBe('Slack cannot be reached: Private addresses are not called');
    expect(error.about.rule).toBe('private');
    expect(error.cause).toBeUndefined();
  });

  test.each([new TypeError(SECRET), SECRET, null, undefined, { code: 'other' }])(
    'anything else (%p) is no answer, and is not repeated',
    (thrown) => {
      for (const error of [slackErrorOf(thrown), unreachable(thrown)]) {
        expect(kindOf(error)).toEqual(['unavailable', 'bad_answer']);
        expect(error.message).not.toContain(SECRET);
      }
    },
  );

  test('what is one already stays as it is', () => {
    const limit = limited(3);
    expect(slackErrorOf({ code: 'slack_webapi_request_error', original: limit })).toBe(limit);
  });
});

test.each([
  [7, 7],
  [undefined, 30],
  [0, 30],
  [-1, 30],
  [1.5, 30],
  [NaN, 30],
  [Infinity, 30],
])('Slack that asks to wait %p seconds is left alone for %i', (seconds, waited) => {
  expect(limited(seconds).about.retryAfterS).toBe(waited);
});

describe('a program is told', () => {
  const told = (error: unknown) => asUnavailable(error) as AppError;

  test.each<[SlackError, string]>([
    [new SlackError('refused', 'invalid_auth', 'x'), 'x; see `countersign slack test`'],
    [
      new SlackError('unavailable', 'ssrf_refused', 'x', { rule: 'https' }),
      'x; see `countersign slack test`',
    ],
    [new SlackError('unavailable', 'http_500', 'x', { statusCode: 500 }), 'x; try again'],
    [limited(7), 'Slack asks to wait 7 s; try again'],
  ])('what to do about %s', (error, message) => {
    expect([told(error).code, told(error).message]).toEqual(['unavailable', message]);
  });

  test('what is none of Slack’s doing as it is', () => {
    const error = new AppError('invalid', 'nobody');
    expect(asUnavailable(error)).toBe(error);
  });
});
