/** What can be wrong with a request, in words a program can branch on; http.ts maps each to a status. */
export type ErrorCode =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'gone'
  | 'idempotency_key_reused'
  | 'too_large'
  | 'too_many_requests'
  | 'unsupported_media_type'
  | 'unavailable';

/** An expected failure: the message is shown to the caller, `field` names the input that caused it. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  /** when to come again, in whole seconds, where that is known */
  readonly retryAfterS: number | undefined;

  constructor(code: ErrorCode, message: string, field?: string, retryAfterS?: number) {
    super(message);
    this.name = 'AppError';
    this.code = code;
    this.field = field;
    this.retryAfterS = retryAfterS;
  }
}

/** Shorthand for the commonest AppError: bad input in a named field. */
export function invalid(message: string, field?: string): AppError {
  return new AppError('invalid', message, field);
}
