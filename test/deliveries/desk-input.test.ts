import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cursorOf, parseEnable, parseListQuery, parseReplay, parseTest } from '../../src/deliveries/input.ts';
import { AppError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/id.ts';

const FIELDS = [
  ...['status', 'endpoint_id', 'integration_id', 'challenge_id', 'event_type', 'trigger', 'dead_reason'],
  ...['since', 'until', 'limit', 'cursor', 'filter', 'dry_run', 'rate_per_second', 'callback_url', 'replay'],
];
const MAX_SENTENCE = 400;

test('whatever is sent, it is read or refused with a short sentence, and never believed halfway', () => {
  const value = fc.oneof(fc.anything(), fc.string({ unit: 'binary' }), fc.constantFrom('dead', true, 5));
  const body = fc.oneof(
    fc.anything(),
    fc.dictionary(fc.constantFrom(...FIELDS), value),
    fc.record({ filter: fc.dictionary(fc.constantFrom(...FIELDS), value) }),
  );
  fc.assert(
    fc.property(body, (sent) => {
      for (const parse of [parseReplay, parseTest, parseEnable, parseListQuery]) {
        try {
          parse(sent as Record<string, unknown>);
        } catch (error) {
          expect(error).toBeInstanceOf(AppError);
          expect((error as AppError).code).toBe('invalid');
          expect((error as AppError).message.length).toBeLessThan(MAX_SENTENCE);
        }
      }
    }),
  );
});

test('only the word false in JSON makes a replay real', () => {
  expect(parseReplay({ dry_run: false }).dryRun).toBe(false);
  fc.assert(
    fc.property(fc.anything(), (dry_run) => {
      fc.pre(dry_run !== false);
      try {
        expect(parseReplay({ dry_run }).dryRun).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ field: 'dry_run' });
      }
    }),
  );
});

test('a cursor leads back to the id it was made of, and nothing else is one', () => {
  const id = newId();
  expect(parseListQuery({ cursor: cursorOf(id) }).after).toBe(id);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (cursor) => {
      expect(() => parseListQuery({ cursor })).toThrow('cursor must be the next_cursor of an earlier page');
    }),
  );
});

test('errors name what the caller calls the field', () => {
  const label = (field: string) => `--${field}`;
  expect(() => parseListQuery({ status: 'x' }, label)).toThrow('--status must be one of pending');
  expect(() => parseReplay({ limit: 0 }, label)).toThrow('--limit must be a whole number from 1 to 10000');
});
