import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Router } from 'express';
import { allow } from './allow.ts';

const require = createRequire(import.meta.url);
/** The stylesheets by the name pages use; nothing comes from another site. */
const FILES = {
  'pico.css': require.resolve('@picocss/pico/css/pico.min.css'),
  'countersign.css': fileURLToPath(new URL('../../assets/countersign.css', import.meta.url)),
};
const MAX_AGE_MS = 3_600_000;

/** Serves the stylesheets of the pages. */
export function assetRoutes(): Router {
  const router = Router();
  for (const [name, file] of Object.entries(FILES)) {
    router.get(`/${name}`, (_req, res) => {
      res.sendFile(file, { maxAge: MAX_AGE_MS, dotfiles: 'allow' });
    });
    router.all(`/${name}`, allow('GET'));
  }
  return router;
}
