import fc from 'fast-check';
import { KEYS, LIMIT_BYTES, NEARLY, NUMBERS, WHOLES, WORDS } from './odd.ts';

/** One change to a body. Places are any numbers and count modulo what is there, so that every edit fits every body. */
export type Edit =
  | { kind: 'flip'; at: number; mask: number }
  | { kind: 'insert'; at: number; bytes: Uint8Array }
  | { kind: 'delete' | 'repeat'; at: number; length: number }
  | { kind: 'cut'; at: number }
  | { kind: 'pad'; bytes: number }
  | { kind: 'whole'; text: string }
  | { kind: 'value' | 'twice'; at: number; value: Value }
  | { kind: 'drop'; at: number }
  | { kind: 'rename'; at: number; name: string }
  | { kind: 'swap'; at: number; with: number }
  | { kind: 'wrap'; at: number; name: string };
/** A JSON value, a number by its digits, an id of another run, or nearly what stands there. */
export type Value = { json: unknown } | { number: string } | { other: keyof Ids } | { nearly: string };
export type Ids = { challengeId: string; sessionId: string; attemptId: string };

/** As fc.record, printed as one would write it. */
export function record<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(fields, { noNullPrototype: true });
}

/** An arbitrary that comes so often in `fc.oneof`. */
export function often<T>(weight: number, arbitrary: fc.Arbitrary<T>) {
  return { weight, arbitrary };
}

const at = fc.nat(100_000);
const kind = <K extends string>(...kinds: K[]) => fc.constantFrom(...kinds);

const value: fc.Arbitrary<Value> = fc.oneof(
  often(4, record({ json: fc.constantFrom(...WORDS) })),
  often(4, record({ nearly: fc.constantFrom(...Object.keys(NEARLY)) })),
  often(2, record({ number: fc.constantFrom(...NUMBERS) })),
  often(2, record({ other: kind('challengeId', 'sessionId', 'attemptId') })),
  often(1, record({ json: fc.jsonValue({ maxDepth: 2, stringUnit: 'binary' }) })),
);

/** Changes to the bytes of a body, whatever it holds. */
export const byteEdit: fc.Arbitrary<Edit> = fc.oneof(
  often(6, record({ kind: kind('flip'), at, mask: fc.integer({ min: 1, max: 255 }) })),
  often(3, record({ kind: kind('insert'), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }) })),
  often(4, record({ kind: kind('delete', 'repeat'), at, length: fc.integer({ min: 1, max: 200 }) })),
  often(3, record({ kind: kind('cut'), at })),
);

/** Changes to the JSON of a body. */
export const jsonEdit: fc.Arbitrary<Edit> = fc.oneof(
  often(8, record({ kind: kind('value', 'twice'), at, value })),
  often(3, record({ kind: kind('drop'), at })),
  often(3, record({ kind: kind('rename'), at, name: fc.constantFrom(...KEYS) })),
  often(2, record({ kind: kind('swap'), at, with: at })),
  often(2, record({ kind: kind('wrap'), at, name: fc.constantFrom('[]', ...KEYS) })),
);

/** What takes more time than all others. */
export const bigEdit: fc.Arbitrary<Edit> = fc.oneof(
  record({
    kind: kind('pad'),
    bytes: fc.constantFrom(LIMIT_BYTES - 1, LIMIT_BYTES, LIMIT_BYTES + 1, 2 * LIMIT_BYTES),
  }),
  record({ kind: kind('whole'), text: fc.constantFrom(...WHOLES) }),
);
