import type { Settings } from '../../../src/providers/provider.ts';
import type { Ids } from './edits.ts';

/** A webhook as it goes out. */
export type Wire = { headers: [name: string, value: string][]; body: Buffer };
/** What a body may do to a challenge at most, were it signed: read with other code than the server's. */
export type Claim = {
  to: 'verified' | 'failed' | 'expired';
  session: string | undefined;
  attempt: string | undefined;
  /** our id as it came back; undefined where there is none */
  echo: unknown;
};
/** An authentic body; `hook` says whose secret seals it, where there are several. */
export type Sample = { text: string; hook: string };
/** How an authentic webhook is spoiled; `at` is any number, for ways that have a place. */
export type Forgery = (sealed: Wire, sample: Sample, at: number) => Wire;

/** What the fuzzer knows of a provider: the vendor's part, and what must come of it. */
export type Vendor = {
  name: string;
  settings: Settings;
  /** a share of all webhooks */
  weight: number;
  /** everything that is sent about a run; the first one decides that the person is verified */
  samples(ids: Ids): Sample[];
  /** makes a body authentic, now */
  seal(body: Buffer, sample: Sample): Wire;
  forgeries: { [name: string]: Forgery };
  /** the text of a webhook that must be let in; undefined for all others */
  accepts(wire: Wire): string | undefined;
  /** how it may end a challenge; undefined: it may not */
  claims(text: string): Claim | undefined;
};

/** Changes one header's value, or takes it away. */
export function withHeader(wire: Wire, name: string, change: (value: string) => string | undefined): Wire {
  const headers = wire.headers.flatMap(([key, old]): Wire['headers'] => {
    const value = key === name ? change(old) : old;
    return value === undefined ? [] : [[key, value]];
  });
  return { ...wire, headers };
}

/** A header as a server sees it: names in any case, several of a name joined, spaces around it gone. */
export function headerOf({ headers }: Wire, name: string): string | undefined {
  const values = headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value.trim());
  return values.length > 0 ? values.join(', ') : undefined;
}

/** Ways to spoil a signature in hexadecimal digits. */
export const hexSpoilers: { [name: string]: (hex: string, at: number) => string | undefined } = {
  missing: () => undefined,
  empty: () => '',
  'one digit': (hex, at) => changedAt(hex, at),
  short: (hex, at) => hex.slice(0, at % hex.length),
  long: (hex) => `${hex}0`,
  zeros: (hex) => '0'.repeat(hex.length),
  'no digits': (hex) => 'z'.repeat(hex.length),
  base64: (hex) => Buffer.from(hex, 'hex').toString('base64'),
  prefixed: (hex) => `sha256=${hex}`,
  list: (hex) => `${hex}, ${hex}`,
  reversed: (hex) => hex.split('').reverse().join(''),
  'not ASCII': (hex) => `${hex.slice(1)}é`,
  huge: (hex) => hex.repeat(50),
};

function changedAt(hex: string, at: number): string {
  const digit = Number.parseInt(hex[at % hex.length] ?? '0', 16);
  return `${hex.slice(0, at % hex.length)}${((digit + 1) % 16).toString(16)}${hex.slice((at % hex.length) + 1)}`;
}
