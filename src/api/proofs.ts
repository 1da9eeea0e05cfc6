import { Router } from 'express';
import { listPublicKeys } from '../challenges/proof-keys.ts';
import type { Db } from '../db/database.ts';
import { allow } from '../web/allow.ts';

const PATH = '/jwks.json';
/** Far less than the day by which a key is published before it signs. */
const KEPT_SECONDS = 3_600;

/** What whoever checks a proof needs, below `/.well-known`: for programs and pages anywhere, without a key. */
export function proofKeyRoutes({ db }: { db: Db }): Router {
  const router = Router();

  router.get(PATH, async (_req, res) => {
    const keys = await listPublicKeys(db);
    res.set({ 'Access-Control-Allow-Origin': '*', 'Cache-Control': `public, max-age=${KEPT_SECONDS}` });
    res.json({ keys });
  });

  router.all(PATH, allow('GET'));
  return router;
}
