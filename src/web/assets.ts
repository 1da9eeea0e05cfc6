import { brotliCompressSync, gzipSync } from 'node:zlib';
import { Router } from 'express';
import type { Request, Response } from 'express';
import type { Db } from '../db/database.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { findBrand, findLogo } from '../tenants/brand-store.ts';
import { allow } from './allow.ts';
import { ASSETS } from './files.ts';
import type { Asset } from './files.ts';

/** What is at an address with the right version never changes. */
const FOREVER = 'public, max-age=31536000, immutable';
/** Another version was asked for: of a server that is older or newer than this one. */
const FOR_NOW = 'no-cache';

/** Serves what pages load: style, script, icon, and the tenants' logos. */
export function assetRoutes({ db }: { db: Db }): Router {
  const router = Router();
  for (const asset of ASSETS) {
    router.get(`/${asset.name}`, serverOf(asset));
    router.all(`/${asset.name}`, allow('GET'));
  }
  router.get('/logo/:tenant/:version', (req, res) => sendLogo(db, req, res));
  router.all('/logo/:tenant/:version', allow('GET'));
  return router;
}

/** Compresses once, and answers with what the client takes. */
function serverOf({ type, bytes, version }: Asset) {
  const brotli = brotliCompressSync(bytes);
  const gzip = gzipSync(bytes, { level: 9 });
  return (req: Request, res: Response) => {
    const isThis = (req.query as { v?: unknown }).v === version;
    res.set({ 'Content-Type': type, 'Cache-Control': isThis ? FOREVER : FOR_NOW, Vary: 'Accept-Encoding' });
    if (req.acceptsEncodings('br')) return res.set('Content-Encoding', 'br').send(brotli);
    if (req.acceptsEncodings('gzip')) return res.set('Content-Encoding', 'gzip').send(gzip);
    return res.send(bytes);
  };
}

/** Somebody else's picture: it may be shown, and nothing else. */
async function sendLogo(
  db: Db,
  { params: { tenant, version } }: Request<{ tenant: string; version: string }>,
  res: Response,
): Promise<void> {
  const logo = isUuid(tenant) ? await findLogo(db, tenant) : undefined;
  if (!logo) throw new AppError('not_found', 'There is no logo here');
  const isThis = (await findBrand(db, tenant)).logo === version;
  res.set({
    'Content-Type': logo.type,
    'Cache-Control': isThis ? FOREVER : FOR_NOW,
    'Content-Security-Policy': "default-src 'none'",
  });
  res.send(logo.bytes);
}
