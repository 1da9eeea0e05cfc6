import type { Request, Response } from 'express';
import { asOf } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { findAnyChallenge } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { safeEqual, sha256 } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { frameSources } from '../tenants/domains.ts';
import { findTenantMode } from '../tenants/modes-store.ts';
import { letFrame } from '../web/security.ts';
import type { Browsers } from './browser.ts';
import { isEmbeddedBy, isFramed, isFromOutside, notFramable } from './frame.ts';

export type VisitDeps = { db: Db; now: () => Date; browsers: Browsers };
/** Somebody who may see a challenge's pages, and the tenant's allowed domains as they are now. */
export type Visit = { challenge: Challenge; domains: string[] };
type On = { req: Request<{ id: string }>; res: Response };

export const NOT_A_LINK =
  'The link is incomplete or wrong. Open it again from the message you got, or ask for a new one.';
const OTHER_BROWSER = 'This was started in another browser. Go on there, or open the link again here.';
const NO_COOKIES =
  'Your browser does not remember you inside this page. Open your link in a tab of its own and go on there.';

/** Whoever holds the link: id and token must both be right. */
export async function byLink(deps: VisitDeps, on: On, token: string): Promise<Visit> {
  const challenge = await find(deps, on.req.params.id);
  // The same answer as for an id that does not exist.
  if (!challenge || !safeEqual(sha256(token), challenge.verification_token_hash))
    throw isFromOutside(on.req) ? notFramable() : new AppError('not_found', NOT_A_LINK);
  return enter(deps, on, challenge, false);
}

/** Whoever pressed Start last. */
export async function byBrowser(deps: VisitDeps, on: On): Promise<Visit> {
  const { req } = on;
  const challenge = await find(deps, req.params.id);
  const bound = challenge && deps.browsers.find(req, challenge);
  if (bound) return enter(deps, on, challenge, bound.framed);
  if (isFromOutside(req)) throw notFramable();
  if (!challenge) throw new AppError('not_found', NOT_A_LINK);
  throw new AppError('forbidden', isFramed(req) ? NO_COOKIES : OTHER_BROWSER);
}

/**
 * Lets the tenant's sites frame the answer. Whoever began in a frame may come back to it from the provider: the cookie
 * is given back only under the site it was set under.
 */
async function enter(
  { db }: VisitDeps,
  { req, res }: On,
  challenge: Challenge,
  beganFramed: boolean,
): Promise<Visit> {
  const { allowed_domains: domains } = await findTenantMode(db, challenge.tenant_id, challenge.mode);
  if (isFromOutside(req) && !beganFramed && !isEmbeddedBy(req, domains)) throw notFramable();
  letFrame(req, res, frameSources(domains));
  return { challenge, domains };
}

async function find({ db, now }: VisitDeps, id: string): Promise<Challenge | undefined> {
  const challenge = isUuid(id) ? await findAnyChallenge(db, id) : undefined;
  return challenge && asOf(challenge, now());
}
