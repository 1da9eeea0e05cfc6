import express, { Router } from 'express';
import type { Request, Response } from 'express';
import { finishSignIn } from '../signin/finish.ts';
import type { Brought } from '../signin/finish.ts';
import { serviceMetadata } from '../signin/saml-metadata.ts';
import type { SignInDeps } from '../signin/begin.ts';
import { allow } from '../web/allow.ts';
import { textOf } from './form.ts';
import { stopOfNobody } from './visit.ts';

/** A signed response with many groups in it has some hundred kilobytes. */
const MAX_RESPONSE_BYTES = 262_144;

/** Where OpenID providers send the browser back to. */
export function oidcCallback(deps: SignInDeps): Router {
  const router = Router();
  const paths = ['/callback/oidc', '/callback/oidc/:idp'];
  // Whoever only looks must not use up an answer that counts once.
  router.head(paths, (_req, res) => void res.end());
  router.get(paths, async (req, res) => {
    const parameters = textsOf(req.query);
    await answer(deps, { req, res }, { state: parameters.state ?? '', parameters });
  });
  router.all(paths, allow('GET'));
  return router;
}

/** Where SAML IdPs send the browser back to, and what they are to know of this server. */
export function samlDoor(deps: SignInDeps): Router {
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: MAX_RESPONSE_BYTES, inflate: false });
  router.get('/metadata', (_req, res) => {
    res.type('application/samlmetadata+xml').send(serviceMetadata(deps.publicUrl));
  });
  router.post('/acs', form, async (req, res) => {
    const parameters = textsOf(req.body);
    await answer(deps, { req, res }, { state: parameters.RelayState ?? '', parameters });
  });
  router.all('/metadata', allow('GET'));
  router.all('/acs', allow('POST'));
  return router;
}

/** The browser's cookie is for the challenge's own paths, and comes with a GET alone: who signed in is settled there. */
async function answer(
  deps: SignInDeps,
  { req, res }: { req: Request; res: Response },
  brought: Pick<Brought, 'state' | 'parameters'>,
): Promise<void> {
  const callbackPath = `${req.baseUrl}${req.path}`;
  const finished = await finishSignIn(deps, { ...brought, callbackPath, address: req.ip ?? null });
  if (!finished) throw await stopOfNobody(deps, 'sign_in_unknown');
  const { challengeId, ticket } = finished;
  const path = ticket === undefined ? 'result' : `signed-in?${new URLSearchParams({ ticket }).toString()}`;
  res.redirect(303, `/challenge/${challengeId}/${path}`);
}

/** Parameters that came once; what comes twice is nothing that can be relied on. */
function textsOf(values: unknown): { [name: string]: string } {
  const entries = Object.entries((values ?? {}) as { [name: string]: unknown });
  return Object.fromEntries(
    entries.filter(([, value]) => typeof value === 'string').map(([name, value]) => [name, textOf(value)]),
  );
}
