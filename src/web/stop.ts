import { AppError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { Brand } from '../tenants/brand-store.ts';
import { en } from './texts/en.ts';

/** What a person may run into, and what it is to programs. */
const CODES = {
  not_a_link: 'not_found',
  other_browser: 'forbidden',
  no_cookies: 'forbidden',
  not_framable: 'forbidden',
  foreign_site: 'forbidden',
  no_click: 'invalid',
  not_set_up: 'unavailable',
  idp_away: 'unavailable',
  too_many: 'too_many_requests',
  sign_in_unknown: 'not_found',
  sandbox_only: 'not_found',
} as const satisfies { [kind: string]: ErrorCode };

export type StopKind = keyof typeof CODES;

/** A person cannot go on: the kind chooses the words, in their language, and the brand whose page says them. */
export class Stop extends AppError {
  readonly kind: StopKind;
  readonly brand: Brand | undefined;

  constructor(kind: StopKind, brand?: Brand) {
    super(CODES[kind], `${en.stops[kind].title}. ${en.stops[kind].text}`);
    this.name = 'Stop';
    this.kind = kind;
    this.brand = brand;
  }
}

/** Shorthand for throwing one. */
export function stop(kind: StopKind, brand?: Brand): Stop {
  return new Stop(kind, brand);
}
