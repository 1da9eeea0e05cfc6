import { readFileSync } from 'node:fs';
import { checkExtraHeaders } from '../kernel/outbound-headers.ts';
import { checkTls } from '../kernel/outbound-tls.ts';
import type { Headers, Tls } from '../tenants/sending.ts';
import { UsageError, textsOf } from './command.ts';
import type { Option, Values } from './command.ts';
import { givenOf } from './integration-options.ts';

export const SEALED_OPTIONS: { [name: string]: Option } = {
  header: {
    type: 'string',
    multiple: true,
    value: '"NAME: VALUE"',
    help: 'A header to send along, added or replaced; may be given several times',
  },
  'remove-header': {
    type: 'string',
    multiple: true,
    value: 'NAME|all',
    help: 'A header not to send any more; may be given several times',
  },
  ca: { type: 'string', value: 'FILE|none', help: 'Certificates (PEM) to trust instead of the public ones' },
  'client-cert': { type: 'string', value: 'FILE|none', help: 'Certificate (PEM) to show to receivers' },
  'client-key': { type: 'string', value: 'FILE|none', help: 'Its key (PEM), without a passphrase' },
};

const ALL = 'all';
const NONE = 'none';

/** The headers after what the options ask for; undefined when they ask for nothing. `current` is only called when it matters. */
export function headersAfter(values: Values, current: () => Headers): Headers | undefined {
  const removed = textsOf(values, 'remove-header');
  const added = textsOf(values, 'header').map(readHeader);
  if (removed.length === 0 && added.length === 0) return undefined;
  const headers = removed.includes(ALL) ? {} : withoutThese(current(), removed);
  for (const [name, value] of added) {
    deleteHeader(headers, name);
    headers[name] = value;
  }
  refuseTwice(added.map(([name]) => name));
  explained('--header', () => checkExtraHeaders(headers));
  return headers;
}

/** The TLS after what the options ask for, and what is doubtful about it; undefined when they ask for nothing. */
export function tlsAfter(values: Values, current: () => Tls): { tls: Tls; warnings: string[] } | undefined {
  const [ca, cert, key] = ['ca', 'client-cert', 'client-key'].map((name) => givenOf(values, name));
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined && (cert === NONE) !== (key === NONE))
    throw new UsageError('--client-cert and --client-key belong together; give both files, or none for both');
  const isClientGone = cert === NONE || key === NONE;
  const before = ca !== undefined && (isClientGone || (cert && key)) ? {} : current();
  const tls = textsOnly({
    ca: ca === undefined ? before.ca : readPem('ca', ca),
    cert: isClientGone ? undefined : cert === undefined ? before.cert : readPem('client-cert', cert),
    key: isClientGone ? undefined : key === undefined ? before.key : readPem('client-key', key),
  });
  return { tls, warnings: explained('--ca, --client-cert, --client-key', () => checkTls(tls)) };
}

function readHeader(text: string): [name: string, value: string] {
  const at = text.indexOf(':');
  // Never the text itself: it may be a password.
  if (at < 1) throw new UsageError('--header takes a name, a colon and a value, such as "X-Tenant: acme"');
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (value === '')
    throw new UsageError(`--header ${name} has no value; to remove it, use --remove-header ${name}`);
  return [name, value];
}

function withoutThese(headers: Headers, names: string[]): Headers {
  const left = { ...headers };
  for (const name of names) {
    if (!deleteHeader(left, name)) {
      const known = Object.keys(headers).join(', ') || 'it has none';
      throw new UsageError(`--remove-header: there is no header ${name}; headers now: ${known}`);
    }
  }
  return left;
}

function deleteHeader(headers: Headers, name: string): boolean {
  const known = Object.keys(headers).find((one) => one.toLowerCase() === name.toLowerCase());
  return known !== undefined && delete headers[known];
}

function refuseTwice(names: string[]): void {
  const lower = names.map((name) => name.toLowerCase());
  const twice = names.find((_, index) => lower.indexOf(lower[index] ?? '') !== index);
  if (twice !== undefined) throw new UsageError(`--header: ${twice} is given twice; keep one of them`);
}

function readPem(option: string, file: string): string | undefined {
  if (file === NONE) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new UsageError(`--${option}: ${file} cannot be read (${code}); give a PEM file, or none`);
  }
}

function textsOnly(tls: { [part in keyof Tls]: string | undefined }): Tls {
  return Object.fromEntries(Object.entries(tls).filter(([, text]) => text !== undefined));
}

function explained<T>(option: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new UsageError(`${option}: ${(error as Error).message}`);
  }
}
