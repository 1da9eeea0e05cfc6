/** The largest body that is taken in. */
export const LIMIT_BYTES = 262_144;
const NESTED = 100_000;

const words = (text: string) => text.trim().split(/\s+/);

/** Fields that decide what a webhook is, what it says, and whom it is about: edits aim at them. */
export const DECISIVE = words(`
  verification status id attemptId sessionId vendorData eventType decision decisionTime action code type data
  transaction_id customer_uid message created_at event key updated checkType matchStatus`);

/** Names for keys, some of which mean something to JavaScript or to databases. */
export const KEYS = [
  ...DECISIVE,
  ...words('__proto__ constructor prototype toString hasOwnProperty length $ref Status'),
  ...['', 'status ', 'status\u0000'],
];

/** Values that mean something in another place, and values that nothing can be done with. */
export const WORDS: unknown[] = [
  ...words(
    'approved declined expired abandoned accept reject review pending event error fullauto curp_registry',
  ),
  ...words('VERIFICATION_COMPLETED AUTHENTICATION_X __proto__ constructor toString %00 {{7*7}}'),
  ...words(
    '9999-12-31T23:59:59.999999999Z 0000-01-01T00:00:00Z 2026-02-30T99:00:00Z 2026-01-15T10:05:00+99:99',
  ),
  ...['', '\ud800', '\udfff\ud83d', '\u0000', "'; drop table inbox; --"],
  ...['x'.repeat(200), 'x'.repeat(201), '✓'.repeat(5_000), 'x'.repeat(100_000)],
  ...[null, true, false, [], {}, [[]], ['approved'], { status: 'approved' }],
];

/** Numbers as JSON writes them, beyond what a double holds. */
export const NUMBERS = words(`
  0 -0 -1 1.5 9001 1e999 -1e999 1E-999 9007199254740993 123456789012.0 253402300800
  18446744073709551615 18446744073709551616 ${'1'.repeat(400)}`);

/** What nearly is the value that stands there. */
export const NEARLY: { [how: string]: (value: string) => string } = {
  upper: (value) => value.toUpperCase(),
  'first upper': (value) => value.slice(0, 1).toUpperCase() + value.slice(1),
  'space behind': (value) => `${value} `,
  'space before': (value) => ` ${value}`,
  'NUL behind': (value) => `${value}\u0000`,
  'line end': (value) => `${value}\n`,
  'no width': (value) => `${value}\u200b`,
  confusable: (value) => value.replace('a', 'а').replace('e', 'е'),
  twice: (value) => value + value,
  shorter: (value) => value.slice(0, -1),
};

/** Bodies that are none. */
export const WHOLES = [
  ...['', ' ', '\n', 'null', '[]', '{}', '""', '0', '{', '[{]', '\ufeff{}', 'NaN', '{"a":1,}', "{'a':1}"],
  ...['['.repeat(NESTED), '{"a":'.repeat(NESTED), `${'['.repeat(NESTED)}${']'.repeat(NESTED)}`],
  ...[
    '<xml/>',
    'action=accept',
    '{"__proto__":{"action":"accept"}}',
    '{"verification":{"status":"approved"}}',
  ],
];
