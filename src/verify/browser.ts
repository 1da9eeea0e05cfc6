import type { CookieOptions, Request, Response } from 'express';
import jwt from 'jsonwebtoken';
import { newToken, safeEqual, sha256 } from '../kernel/crypto.ts';
import { newId } from '../kernel/id.ts';
import { DISPUTE_WINDOW_MS } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { isFramed } from './frame.ts';

/** The result may be looked at, and disputed, long after the deadline; the person must not lose the browser's cookie before. */
const AFTERGLOW_MS = DISPUTE_WINDOW_MS;

/** Binds a challenge to the browser that pressed Continue, by a signed cookie; the row keeps a hash of what is in it. */
export type Browsers = {
  /**
   * Sets the cookie, the same again where there is one, so that two clicks at once are one browser's. Says what to store:
   * the hash of what is in it, and the name the browser keeps.
   */
  bind(req: Request, res: Response, challenge: Challenge): Bound;
  /** The browser that pressed Continue last, if it is this one, and whether it did so in a frame. */
  find(req: Request, challenge: Challenge): (Bound & { framed: boolean }) | undefined;
  /** Whether this is the first time; remembered by the browser alone. */
  isFirst(req: Request, res: Response, challenge: Challenge): boolean;
};

/** A browser as the challenge's row knows it, and the name it goes by among the challenge's browsers. */
export type Bound = { hash: string; name: string };

/** `key` signs the cookies (HS256). */
export function createBrowsers({
  key,
  secure,
  now,
}: {
  key: string;
  secure: boolean;
  now: () => Date;
}): Browsers {
  const cookieFor = (req: Request, challenge: Challenge): CookieOptions & { maxAge: number } => ({
    httpOnly: true,
    maxAge: challenge.expires_at.getTime() + AFTERGLOW_MS - now().getTime(),
    // By a name that begins so a browser takes it from this very host alone: no sibling of it can plant one.
    ...(secure ? { path: '/', secure } : { path: '/challenge' }),
    // In a frame of another site any other cookie would not come back. Partitioned: only under the site it was set under.
    ...(secure && isFramed(req)
      ? { sameSite: 'none', partitioned: true }
      : // The provider's page brings the browser back by a link of its own.
        { sameSite: 'lax' }),
  });
  /** What our own cookies for this challenge say, also of an earlier click. */
  const claimsOf = (req: Request, challenge: Challenge): Claims[] =>
    cookiesOf(req, nameOf(challenge, secure)).flatMap((token) => readClaims(token, key, challenge.id) ?? []);
  return {
    bind(req, res, challenge) {
      const known = claimsOf(req, challenge);
      // One of a tab is not for a frame: it would not say where the browser began.
      const nonce = known.find(({ framed }) => framed === isFramed(req))?.nonce ?? newToken();
      const name = known[0]?.name ?? newId();
      const options = cookieFor(req, challenge);
      const claims = { sub: challenge.id, nonce, name, framed: isFramed(req) };
      const token = jwt.sign(claims, key, { expiresIn: Math.ceil(options.maxAge / 1_000) });
      res.cookie(nameOf(challenge, secure), token, options);
      return { hash: sha256(nonce), name };
    },
    find(req, challenge) {
      const { browser_hash } = challenge;
      if (browser_hash === null) return undefined;
      const found = claimsOf(req, challenge).find(({ nonce }) => safeEqual(sha256(nonce), browser_hash));
      return found && { hash: browser_hash, name: found.name, framed: found.framed };
    },
    isFirst(req, res, challenge) {
      const name = `${nameOf(challenge, secure)}_seen`;
      const first = cookiesOf(req, name).length === 0;
      if (first) res.cookie(name, '1', cookieFor(req, challenge));
      return first;
    },
  };
}

type Claims = { nonce: string; name: string; framed: boolean };

function readClaims(token: string, key: string, challengeId: string): Claims | undefined {
  try {
    const payload = jwt.verify(token, key, { algorithms: ['HS256'], subject: challengeId });
    if (typeof payload !== 'object') return undefined;
    const { nonce, name, framed } = payload as { [claim: string]: unknown };
    if (typeof nonce !== 'string' || typeof name !== 'string') return undefined;
    return { nonce, name, framed: framed === true };
  } catch {
    // Forged, foreign or too old: the same as none.
    return undefined;
  }
}

function nameOf({ id }: Challenge, secure: boolean): string {
  return `${secure ? '__Host-' : ''}countersign_${id}`;
}

/** There may be two of a name: one of the frame, one of a tab. */
function cookiesOf(req: Request, name: string): string[] {
  const cookies = (req.get('cookie') ?? '').split(/; */);
  return cookies
    .filter((cookie) => cookie.startsWith(`${name}=`))
    .map((cookie) => cookie.slice(name.length + 1));
}
