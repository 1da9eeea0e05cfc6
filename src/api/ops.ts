import { readFileSync } from 'node:fs';
import { Router } from 'express';
import type { Db } from '../db/database.ts';
import { answers } from '../db/health.ts';
import { allow } from '../web/allow.ts';

const SPEC = new URL('../../openapi.yaml', import.meta.url);

/** For operators and load balancers: is the process up, can it work, and what is the contract. */
export function opsRoutes({ db, publicUrl }: { db: Db; publicUrl: string }): Router {
  const spec = readFileSync(SPEC, 'utf8');
  const router = Router();
  router.get('/', (_req, res) => {
    res.type('text/plain').send(`Countersign is running.\nThe contract: ${publicUrl}/openapi.yaml\n`);
  });
  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });
  router.get('/readyz', async (_req, res) => {
    const ready = await answers(db);
    res.status(ready ? 200 : 503).json({ status: ready ? 'ok' : 'database unavailable' });
  });
  router.get('/openapi.yaml', (_req, res) => {
    res.type('application/yaml').send(spec);
  });
  for (const path of ['/', '/healthz', '/readyz', '/openapi.yaml']) router.all(path, allow('GET'));
  return router;
}
