import type { Request } from 'express';
import { recordAudit } from '../challenges/store.ts';
import type { Challenge } from '../challenges/challenge.ts';
import type { Db } from '../db/database.ts';
import { stop } from '../web/stop.ts';
import { formField } from './form.ts';
import type { Guesses } from './guesses.ts';

export type GuardDeps = { db: Db; now: () => Date; guesses: Guesses };
/** Why something that holds a valid link or cookie was still refused; stands in the audit trail. */
type RefusedFor = 'wrong_token' | 'foreign_site' | 'no_click' | 'framed';

/**
 * Lets a form through only if a person pressed its button on our own page. Pages send the button's name and value, which
 * a form submitted by a script or a scanner lacks; and browsers say where a form comes from and whether somebody clicked.
 */
export async function requireClick(
  deps: GuardDeps,
  req: Request<{ id: string }>,
  challenge: Challenge,
  button: { name: string; values: readonly string[] } = { name: 'go', values: ['yes'] },
): Promise<void> {
  await requireOwnSite(deps, req, challenge);
  if (button.values.includes(formField(req, button.name)) && !isScripted(req)) return;
  await refused(deps, req, challenge, 'no_click');
  throw stop('no_click');
}

/** Browsers say when a form comes from another site. The Origin header would not help: our pages send no referrer. */
export async function requireOwnSite(
  deps: GuardDeps,
  req: Request<{ id: string }>,
  challenge: Challenge,
): Promise<void> {
  const site = req.get('sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return;
  await refused(deps, req, challenge, 'foreign_site');
  throw stop('foreign_site');
}

/** Writes to the challenge's trail what was refused; of an erased one without the address. */
export async function refused(
  { db, now, guesses }: GuardDeps,
  req: Request,
  { id, tenant_id, erased_at }: Challenge,
  reason: RefusedFor,
): Promise<void> {
  if (!(await guesses.mayWrite(id))) return;
  await recordAudit(db, {
    ...{ tenant_id, challenge_id: id, at: now(), actor: 'visitor', action: 'request_refused' },
    detail: { reason, ...(erased_at ? {} : { ip: req.ip ?? null }) },
  });
}

/** Chromium alone says by a header of its own whether a person caused a navigation; others are believed. */
function isScripted(req: Request): boolean {
  return (
    req.get('sec-ch-ua') !== undefined &&
    req.get('sec-fetch-mode') === 'navigate' &&
    req.get('sec-fetch-user') !== '?1'
  );
}
