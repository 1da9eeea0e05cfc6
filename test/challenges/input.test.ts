import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCreateChallenge, parseIdempotencyKey } from '../../src/challenges/input.ts';
import { cursorOf, parseListQuery } from '../../src/challenges/list-input.ts';
import { AppError } from '../../src/kernel/errors.ts';

const CREATE_FIELDS = [
  ...['target_user_id', 'target_user_email', 'context', 'callback_url'],
  ...['requester_id', 'expiry_minutes', 'integration_type', 'metadata'],
];
const SLACK_FIELDS = ['slack_instance_id', 'slack_user_id', 'requester_email'];
const LIST_FIELDS = ['status', 'target', 'requester', 'created_after', 'created_before', 'limit', 'cursor'];
/** Text without what the server refuses, trimmed, not empty. */
const plain = (maxLength: number) =>
  fc
    .string({ unit: fc.constantFrom(...Array.from('aZ09 .-_@/?\'"<>&%é漢字👍🏽')), minLength: 1, maxLength })
    .map((text) => text.trim())
    .filter(Boolean);
const anyText = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ maxLength: 3_000 }));

/** Runs a parser; what it throws must be a 400 that says something about a field, or about the whole. */
function outcomeOf<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    const { code, message, field } = error as AppError;
    expect(code).toBe('invalid');
    expect(message.length).toBeGreaterThan(10);
    expect(message.length).toBeLessThan(300);
    if (field === undefined) expect(message).toBe('the request body must be a JSON object');
    else expect(field).not.toBe('');
    return undefined;
  }
}

describe('a create', () => {
  test('of any JSON is read or refused, never anything else', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }),
        (body) => void outcomeOf(() => parseCreateChallenge(body)),
      ),
      { numRuns: 1_000 },
    );
  });

  test('with any values in its fields is read or refused, and what is read is within the limits', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      anyText,
      fc.integer(),
      fc.double(),
      fc.constant('ada@example.com'),
    );
    const metadata = fc.dictionary(fc.oneof(fc.constantFrom('a', '__proto__', 'b.c'), fc.string()), value);
    const body = fc.dictionary(
      fc.constantFrom(...CREATE_FIELDS, '__proto__', 'other'),
      fc.oneof(value, metadata),
    );
    fc.assert(
      fc.property(body, (asked) => {
        const read = outcomeOf(() => parseCreateChallenge(asked));
        if (!read) return;
        const { input, warnings } = read;
        expect(input.target_user_id ?? input.target_user_email).toBeTruthy();
        expect(input.requester_id).not.toBe('');
        for (const text of [...Object.values(input), ...Object.values(input.metadata)]) {
          if (typeof text !== 'string') continue;
          expect(text).not.toMatch(/[\u0000-\u0008\u202e\p{Surrogate}]/u);
          expect(Array.from(text).length).toBeLessThanOrEqual(2_048);
        }
        expect(input.expiryMinutes === undefined || Number.isInteger(input.expiryMinutes)).toBe(true);
        expect(warnings).toHaveLength(
          Object.keys(asked).filter((name) => !CREATE_FIELDS.includes(name)).length,
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is right comes through unchanged', () => {
    const email = fc.emailAddress().filter((address) => address.length <= 254);
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });
    const body = fc
      .record({
        target_user_id: optional(plain(255)),
        target_user_email: optional(email),
        context: optional(plain(2_000)),
        ticket: optional(plain(100)),
        callback_url: optional(fc.webUrl()),
        requester_id: optional(plain(255)),
        expiry_minutes: optional(fc.integer({ min: 1, max: 10_080 })),
        integration_type: fc.constantFrom('webhook', null),
        metadata: fc.dictionary(
          fc.stringMatching(/^[\w.-]{1,40}$/),
          fc.oneof(plain(500), fc.constantFrom('', ' as it is \n')),
          { maxKeys: 20 },
        ),
        provider: optional(fc.stringMatching(/^[a-z]{1,20}$/)),
        return_url: optional(fc.webUrl({ size: 'small' })),
      })
      .filter((asked) => asked.target_user_id !== null || asked.target_user_email !== null);
    fc.assert(
      fc.property(body, ({ expiry_minutes, integration_type, ...asked }) => {
        const whole = { ...asked, expiry_minutes, integration_type };
        expect(parseCreateChallenge(JSON.parse(JSON.stringify(whole)))).toEqual({
          input: {
            ...asked,
            requester_id: asked.requester_id ?? 'webhook',
            expiryMinutes: expiry_minutes ?? undefined,
          },
          warnings: [],
        });
        // What is null may as well be left out.
        const sparse = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== null));
        expect(parseCreateChallenge(sparse)).toEqual(parseCreateChallenge(whole));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a create in Slack', () => {
  const slackId = fc.stringMatching(/^[UW][A-Z0-9]{1,30}$/);

  test('with any values in its fields is read or refused, and ids that are read are ids', () => {
    const value = fc.oneof(fc.jsonValue(), anyText, slackId, fc.constant('ada@example.com'));
    const named = fc.constantFrom('target_user_id', 'target_user_email', ...SLACK_FIELDS);
    fc.assert(
      fc.property(fc.dictionary(named, value), (asked) => {
        const read = outcomeOf(() => parseCreateChallenge({ ...asked, integration_type: 'slack' }));
        if (!read) return;
        const { target_user_id, slack } = read.input;
        for (const id of [target_user_id, slack?.requester_user_id ?? null])
          expect(id === null || /^[UW][A-Z0-9]{1,30}$/.test(id)).toBe(true);
        expect(slack?.requester_email ?? 'a@b').toMatch(/^[^\s@]+@[^\s@]+$/);
        expect(read.warnings).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('that is right comes through unchanged, and without Slack is that of nobody in Slack', () => {
    const body = fc.record({
      target_user_id: slackId,
      slack_instance_id: fc.option(fc.uuid()),
      slack_user_id: fc.option(slackId),
      requester_email: fc.option(fc.emailAddress()),
    });
    fc.assert(
      fc.property(body, (asked) => {
        const { slack_instance_id, slack_user_id, requester_email } = asked;
        const { input } = parseCreateChallenge({ ...asked, integration_type: 'slack' });
        const slack = { instance_id: slack_instance_id, requester_user_id: slack_user_id, requester_email };
        expect(input).toMatchObject({ target_user_id: asked.target_user_id, slack });
        const plainly = parseCreateChallenge(asked);
        expect(plainly.input).not.toHaveProperty('slack');
        const { target_user_id: _, ...forSlack } = asked;
        const given = Object.values(forSlack).filter((value) => value !== null);
        expect(plainly.warnings).toHaveLength(given.length);
      }),
    );
  });
});

describe('a list', () => {
  test('with any query is read or refused', () => {
    const value = fc.oneof(
      anyText,
      fc.array(fc.string()),
      fc.constantFrom('5', '2026-01-31', 'failed', '2026-02-31'),
    );
    const query = fc.dictionary(
      fc.oneof(fc.constantFrom(...LIST_FIELDS), fc.string({ maxLength: 5 })),
      value,
    );
    fc.assert(
      fc.property(query, (asked) => {
        // Only a parameter with an empty name has no better name than that.
        fc.pre(!Object.hasOwn(asked, ''));
        const read = outcomeOf(() => parseListQuery(asked));
        if (!read) return;
        expect(read.limit).toBeGreaterThanOrEqual(1);
        expect(read.limit).toBeLessThanOrEqual(100);
        for (const time of [read.createdAfter, read.createdBefore]) expect(time?.getTime()).not.toBeNaN();
      }),
      { numRuns: 2_000 },
    );
  });

  test('goes on where its cursor points', () => {
    fc.assert(
      fc.property(fc.uuid(), (id) => expect(parseListQuery({ cursor: cursorOf(id) }).after).toBe(id)),
    );
  });

  test('takes any moment as it is meant', () => {
    const moment = fc.date({ min: new Date('0001-01-02'), max: new Date('9998-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(moment, (time) => {
        const written = time.toISOString();
        expect(parseListQuery({ created_after: written }).createdAfter).toEqual(time);
        const day = written.slice(0, 10);
        expect(parseListQuery({ created_before: day }).createdBefore).toEqual(new Date(`${day}T00:00:00Z`));
      }),
    );
  });
});

test('an idempotency key of any text is taken as it is or refused', () => {
  fc.assert(
    fc.property(anyText, (key) => {
      const read = outcomeOf(() => parseIdempotencyKey(key));
      expect(read).toBe(/^[!-~]{1,255}$/.test(key) ? key : undefined);
    }),
  );
  expect(parseIdempotencyKey(undefined)).toBeUndefined();
});
