import type { Request, Response } from 'express';
import jwt from 'jsonwebtoken';
import { newToken, safeEqual, sha256 } from '../kernel/crypto.ts';
import { DISPUTE_WINDOW_MS } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';

/** The result may be looked at, and disputed, long after the deadline; the person must not lose the browser's cookie before. */
const AFTERGLOW_MS = DISPUTE_WINDOW_MS;

/** Binds a challenge to the browser that pressed Start, by a signed cookie; the row keeps a hash of what is in it. */
export type Browsers = {
  /** Sets the cookie and returns the hash to store. */
  bind(res: Response, challenge: Challenge): string;
  /** Whether this browser was the last one to press Start. */
  isBound(req: Request, challenge: Challenge): boolean;
};

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
  return {
    bind(res, challenge) {
      const nonce = newToken();
      const maxAge = challenge.expires_at.getTime() + AFTERGLOW_MS - now().getTime();
      const token = jwt.sign({ sub: challenge.id, nonce }, key, { expiresIn: Math.ceil(maxAge / 1_000) });
      // Lax: the provider's page brings the browser back by a link of its own.
      res.cookie(cookieName(challenge), token, {
        ...{ httpOnly: true, sameSite: 'lax', secure, maxAge },
        path: `/challenge/${challenge.id}`,
      });
      return sha256(nonce);
    },
    isBound(req, challenge) {
      const nonce = readNonce(cookieOf(req, cookieName(challenge)), key, challenge.id);
      return (
        nonce !== undefined &&
        challenge.browser_hash !== null &&
        safeEqual(sha256(nonce), challenge.browser_hash)
      );
    },
  };
}

function readNonce(token: string | undefined, key: string, challengeId: string): string | undefined {
  if (token === undefined) return undefined;
  try {
    const payload = jwt.verify(token, key, { algorithms: ['HS256'], subject: challengeId });
    return typeof payload === 'object' && typeof payload.nonce === 'string' ? payload.nonce : undefined;
  } catch {
    // Forged, foreign or too old: the same as none.
    return undefined;
  }
}

function cookieName(challenge: Challenge): string {
  return `countersign_${challenge.id}`;
}

function cookieOf(req: Request, name: string): string | undefined {
  const cookies = (req.get('cookie') ?? '').split(/; */);
  return cookies.find((cookie) => cookie.startsWith(`${name}=`))?.slice(name.length + 1);
}
