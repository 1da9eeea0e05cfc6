const HEADERS_MAX = 20;
const HEADERS_MAX_BYTES = 8 * 1024;
const LINE_BYTES = ': \r\n'.length;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // RFC 9110 §5.6.2
const PRINTABLE = /^[\t\x20-\x7e\xa0-\xff]*$/;

// What frames the message, what belongs to one connection, what a sender of callbacks has no use for, and what we sign or name ourselves by.
const REFUSED: ReadonlySet<string> = new Set(
  'host content-length content-type content-encoding transfer-encoding connection keep-alive te trailer upgrade expect cookie user-agent x-webhook-signature traceparent tracestate'.split(
    ' ',
  ),
);
const REFUSED_START = /^(proxy|webhook|countersign)-/;

/** Throws Error with the cure when these may not be sent along with every callback; values are never named, they hold secrets. */
export function checkExtraHeaders(headers: Record<string, string>): void {
  const names = Object.keys(headers);
  if (names.length > HEADERS_MAX) throw new Error(`Use at most ${HEADERS_MAX} headers.`);
  const seen = new Set<string>();
  let bytes = 0;
  for (const name of names) {
    const value = headers[name];
    checkHeader(name, value);
    const lower = name.toLowerCase();
    if (seen.has(lower)) throw new Error(`The header ${name} is given twice. Keep one of them.`);
    seen.add(lower);
    bytes += name.length + value.length + LINE_BYTES;
  }
  if (bytes > HEADERS_MAX_BYTES)
    throw new Error(`The headers have ${bytes} bytes together. Use at most ${HEADERS_MAX_BYTES}.`);
}

function checkHeader(name: string, value: unknown): asserts value is string {
  if (!TOKEN.test(name)) {
    const shown = JSON.stringify(name.slice(0, 100));
    throw new Error(`${shown} is not a header name. Use letters, digits and hyphens, like X-Tenant-Id.`);
  }
  if (isRefused(name.toLowerCase()))
    throw new Error(`The header ${name} cannot be set: callbacks have their own. Leave it out.`);
  if (typeof value !== 'string' || !PRINTABLE.test(value))
    throw new Error(
      `The value of ${name} has characters that no header can carry. Use printable Latin-1 on one line.`,
    );
}

function isRefused(lower: string): boolean {
  return REFUSED.has(lower) || REFUSED_START.test(lower);
}

/** Names and values in turn, as undici takes them. Ours win: of the extra ones, what is refused or also ours is left out. */
export function headersFor(
  userAgent: string,
  ours: Record<string, string>,
  extra?: Record<string, string>,
): string[] {
  const sent = ['user-agent', userAgent];
  for (const name of Object.keys(ours)) {
    const lower = name.toLowerCase();
    if (lower === 'host') throw new Error('The Host header cannot be set.');
    if (lower !== 'user-agent') sent.push(name, ours[name] ?? '');
  }
  if (extra) sent.push(...allowedOf(extra, ours));
  return sent;
}

function allowedOf(extra: Record<string, string>, ours: Record<string, string>): string[] {
  const taken = new Set(Object.keys(ours).map((name) => name.toLowerCase()));
  return Object.entries(extra)
    .filter(([name]) => !isRefused(name.toLowerCase()) && !taken.has(name.toLowerCase()))
    .flat();
}
