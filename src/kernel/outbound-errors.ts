import type { Refusal } from './outbound-url.ts';

/** An answer with more than this in its headers is not read. */
export const HEADERS_MAX_BYTES = 16 * 1024;

/** Parts of a request in milliseconds: resolving the name, connecting with TLS (neither on a connection that stood), from sending to the first byte. */
export type Timings = { dnsMs?: number; connectMs?: number; firstByteMs?: number };

/** Why a request got no answer; stored and counted per attempt (delivery.md §8). */
export type ErrorClass =
  | 'dns'
  | 'ssrf_refused'
  | 'connect_refused'
  | 'connect_timeout'
  | 'tls'
  | 'reset'
  | 'timeout'
  | 'too_large'
  | 'proxy'
  | 'internal';

/** The only error of the outbound client; `rule` names the rule behind `ssrf_refused`. The message may be shown to the tenant. */
export class OutboundError extends Error {
  readonly errorClass: ErrorClass;
  readonly rule: string | undefined;
  /** as far as the request came */
  timings: Timings = {};

  constructor(errorClass: ErrorClass, message: string, details: { rule?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.name = 'OutboundError';
    this.errorClass = errorClass;
    this.rule = details.rule;
  }
}

/** A refusal of our own: no request was made. */
export function refused({ rule, message }: Refusal): OutboundError {
  return new OutboundError('ssrf_refused', message, { rule });
}

// Codes of node, of OpenSSL as node names them, of undici (UND_ERR_) and of its parser (HPE_). First match wins.
const CLASSES: readonly (readonly [RegExp, ErrorClass])[] = [
  [/^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW|UND_ERR_RES_EXCEEDED_MAX_SIZE)$/, 'too_large'],
  [/^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'connect_timeout'],
  [/^(UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, 'timeout'],
  [
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|EACCES|EPERM)$/,
    'connect_refused',
  ],
  // An answer that breaks off and one that is not HTTP are the same to us: the other side did not finish.
  [/^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|HPE_.*)$/, 'reset'],
  [
    /^(ERR_TLS_.*|ERR_SSL_.*|ERR_OSSL_.*|EPROTO|CERT_.*|CRL_.*|UNABLE_TO_.*|.*SELF_SIGNED.*|HOSTNAME_MISMATCH)$/,
    'tls',
  ],
  [/^(ERROR_IN_C.*|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|OUT_OF_MEM)$/, 'tls'],
];

// Instead of node's own words, which name addresses; those of a failed certificate check name what to repair.
const SENTENCES: Partial<Record<ErrorClass, string>> = {
  connect_refused: 'The connection was refused.',
  connect_timeout: 'No connection in time.',
  timeout: 'No complete answer in time.',
  reset: 'The connection broke off, or the answer was not complete HTTP.',
  too_large: `The answer has more than ${HEADERS_MAX_BYTES} bytes of headers.`,
};

/** Whatever node or undici threw, as an OutboundError. */
export function classify(error: unknown): OutboundError {
  if (error instanceof OutboundError) return error;
  const code = codeOf(error);
  const errorClass = CLASSES.find(([pattern]) => pattern.test(code))?.[1] ?? 'internal';
  const sentence = SENTENCES[errorClass] ?? (error instanceof Error ? error.message : String(error));
  return new OutboundError(errorClass, code ? `${sentence} (${code})` : sentence, { cause: error });
}

/** The code of a system error; empty if there is none. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  // undici 7 means to give these a code and gives undefined.
  return 'name' in error && error.name === 'HTTPParserError' ? 'HPE_UNKNOWN' : '';
}
