import type { Request, Response } from 'express';
import { asOf } from '../challenges/challenge.ts';
import { mayTell } from '../challenges/device.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { findAnyChallenge } from '../challenges/store.ts';
import { safeEqual, sha256 } from '../kernel/crypto.ts';
import { isUuid } from '../kernel/id.ts';
import { findBrand, findOnlyBrand } from '../tenants/brand-store.ts';
import { frameSources } from '../tenants/domains.ts';
import { findTenantMode } from '../tenants/modes-store.ts';
import { frameOf } from '../web/language.ts';
import { letFrame } from '../web/security.ts';
import { stop } from '../web/stop.ts';
import type { Stop, StopKind } from '../web/stop.ts';
import type { Bound, Browsers } from './browser.ts';
import { isEmbeddedBy, isFramed, isFromOutside, isNavigation } from './frame.ts';
import { refused } from './guard.ts';
import type { GuardDeps } from './guard.ts';
import type { View } from './pages.tsx';

export type VisitDeps = GuardDeps & { browsers: Browsers };
/** Somebody who may see a challenge's pages, what its pages need, and the tenant's allowed domains as they are now. */
export type Visit = View & { domains: string[]; browser: (Bound & { framed: boolean }) | undefined };
/** The same, by the browser that pressed Continue last. */
export type BoundVisit = Visit & { browser: Bound };
export type On = { req: Request<{ id: string }>; res: Response };

/** What all links are about that no challenge belongs to. */
const NOTHING = 'nothing';

/** Whoever holds the link: id and token must both be right. */
export async function byLink(deps: VisitDeps, on: On, token: string): Promise<Visit> {
  const { req } = on;
  const challenge = await find(deps, req.params.id);
  const about = challenge?.id ?? NOTHING;
  await refuseGuesser(deps, on, about);
  if (challenge && safeEqual(sha256(token), challenge.verification_token_hash))
    return enter(deps, on, challenge);
  // The same answer as for an id that does not exist.
  if (challenge) await refused(deps, req, challenge, 'wrong_token');
  // What another page loads as a picture or a script tells whoever sends it nothing, but could lock its visitors out.
  if (isNavigation(req)) await deps.guesses.count(req.ip, about);
  throw await stopOfNobody(deps, isFromOutside(req) ? 'not_framable' : 'not_a_link');
}

/** Whoever pressed Continue last. */
export async function byBrowser(deps: VisitDeps, on: On): Promise<BoundVisit> {
  const { req } = on;
  const challenge = await find(deps, req.params.id);
  const browser = challenge && deps.browsers.find(req, challenge);
  if (browser) return { ...(await enter(deps, on, challenge)), browser };
  if (isFromOutside(req)) throw await stopOfNobody(deps, 'not_framable');
  if (!challenge) throw await stopOfNobody(deps, 'not_a_link');
  throw await stopOfNobody(deps, isFramed(req) ? 'no_cookies' : 'other_browser');
}

/** What somebody is told whom nothing shows to belong to a tenant: with contacts only where there is but one tenant. */
export async function stopOfNobody({ db }: Pick<VisitDeps, 'db'>, kind: StopKind): Promise<Stop> {
  return stop(kind, await findOnlyBrand(db));
}

/** Lets the page carry the script that tells of the device, until it has told. */
export function withDevice<V extends Visit>(visit: V): V {
  const { challenge, frame } = visit;
  if (!mayTell(challenge, visit.now)) return visit;
  return { ...visit, frame: { ...frame, device: `/challenge/${challenge.id}/device` } };
}

/**
 * Lets the tenant's sites frame the answer. Whoever began in a frame may come back to it from the provider: the cookie
 * is given back only under the site it was set under.
 */
async function enter(deps: VisitDeps, { req, res }: On, challenge: Challenge): Promise<Visit> {
  const browser = deps.browsers.find(req, challenge);
  const { allowed_domains: domains } = await findTenantMode(deps.db, challenge.tenant_id, challenge.mode);
  if (isFromOutside(req) && !browser?.framed && !isEmbeddedBy(req, domains)) {
    await refused(deps, req, challenge, 'framed');
    throw await stopOfNobody(deps, 'not_framable');
  }
  letFrame(req, res, frameSources(domains));
  const frame = frameOf(req, res, await findBrand(deps.db, challenge.tenant_id));
  return { frame, challenge, now: deps.now(), domains, browser };
}

/** Of one address, for this one challenge: a whole office may share it. */
async function refuseGuesser(deps: VisitDeps, { req, res }: On, about: string): Promise<void> {
  const waitS = await deps.guesses.waitFor(req.ip, about);
  if (waitS === undefined) return;
  res.set('Retry-After', String(waitS));
  throw await stopOfNobody(deps, 'too_many');
}

async function find({ db, now }: VisitDeps, id: string): Promise<Challenge | undefined> {
  const challenge = isUuid(id) ? await findAnyChallenge(db, id) : undefined;
  return challenge && asOf(challenge, now());
}
