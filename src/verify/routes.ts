import express, { Router } from 'express';
import type { Request } from 'express';
import { asOf, isDisputable, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { dispute } from '../challenges/dispute.ts';
import { parseIncidentComment } from '../challenges/input.ts';
import { INCIDENT_REPORTED, settle } from '../challenges/settle.ts';
import type { Change } from '../challenges/settle.ts';
import { findAnyChallenge } from '../challenges/store.ts';
import { safeEqual, sha256 } from '../kernel/crypto.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { findProvider } from '../providers/index.ts';
import { startSession } from '../providers/start.ts';
import type { StartDeps } from '../providers/start.ts';
import { allow } from '../web/allow.ts';
import type { Browsers } from './browser.ts';
import { deviceFacts } from './device.ts';
import { continuePage, sandboxPage, startPage } from './pages.tsx';
import { resultPage } from './result-page.tsx';

export type VerifyDeps = StartDeps & { browsers: Browsers };

/** Room for the longest comment, percent-encoded at up to 12 bytes a character. */
const MAX_FORM_BYTES = 8_192;
const WAIT_SECONDS = 3;
const SANDBOX = 'sandbox';
const NOT_A_LINK =
  'The link is incomplete or wrong. Open it again from the message you got, or ask for a new one.';

/** What the person can do in the sandbox, and what becomes of the challenge. */
const SANDBOX_CHANGES: { [decision: string]: (comment: string | null) => Pick<Change, 'to' | 'fields'> } = {
  approve: () => ({ to: 'verified', fields: { auth_method: SANDBOX } }),
  decline: () => ({ to: 'failed', fields: { auth_method: SANDBOX, failure_reason: 'declined' } }),
  report: (incident_comment) => ({
    to: 'failed',
    fields: { auth_method: SANDBOX, failure_reason: INCIDENT_REPORTED, incident_comment },
  }),
};

/** The target's door: `/challenge`. Only a click changes anything; scanners and previews may open every page. */
export function verifyRoutes(deps: VerifyDeps): Router {
  const { now, browsers } = deps;
  const router = Router();
  const form = express.urlencoded({ extended: false, limit: MAX_FORM_BYTES, inflate: false });

  router.get('/start/:id', async (req, res) => {
    const token = textOf((req.query as { token?: unknown }).token);
    const challenge = await byLink(deps, req.params.id, token);
    if (isTerminal(challenge.status)) {
      res.status(410).send(resultPage(challenge));
      return;
    }
    if (methodOf(challenge) === undefined) throw notSetUp();
    res.send(startPage(challenge, { token, label: labelOf(challenge), now: now() }));
  });

  router.post('/start/:id', form, async (req, res) => {
    refuseForeignSite(req);
    const challenge = await byLink(deps, req.params.id, formField(req, 'token'));
    if (isTerminal(challenge.status)) {
      res.status(410).send(resultPage(challenge));
      return;
    }
    if (methodOf(challenge) === undefined) throw notSetUp();
    const browser_hash = browsers.bind(res, challenge);
    const facts = deviceFacts(req.get('user-agent'), req.ip);
    const moved = await settle(deps, {
      challengeId: challenge.id,
      to: 'in-progress',
      actor: 'target',
      fields: { browser_hash, device_fingerprint: facts },
      detail: { ip: facts.ip },
    });
    if (moved && methodOf(moved) !== SANDBOX) await startSession(deps, moved);
    const next = !moved ? 'result' : methodOf(moved) === SANDBOX ? SANDBOX : 'continue';
    res.redirect(303, `/challenge/${challenge.id}/${next}`);
  });

  router.get('/:id/continue', async (req, res) => {
    const challenge = await byBrowser(deps, req);
    if (isTerminal(challenge.status) || methodOf(challenge) === SANDBOX) return res.redirect(303, 'result');
    const url = await startSession(deps, challenge);
    // A page of its own, because a redirect straight after the form would have to be allowed by form-action.
    res.set('Refresh', `1; url=${url}`).send(continuePage({ url, label: labelOf(challenge) }));
  });

  router.get('/:id/sandbox', async (req, res) => {
    const challenge = await sandboxOf(deps, req);
    if (isTerminal(challenge.status)) return res.redirect(303, 'result');
    res.send(sandboxPage(challenge, now()));
  });

  router.post('/:id/sandbox', form, async (req, res) => {
    refuseForeignSite(req);
    const challenge = await sandboxOf(deps, req);
    const decision = formField(req, 'decision');
    const changeFor = Object.hasOwn(SANDBOX_CHANGES, decision) ? SANDBOX_CHANGES[decision] : undefined;
    if (!changeFor) throw invalid('decision must be approve, decline or report', 'decision');
    const change = changeFor(parseIncidentComment(formField(req, 'comment')));
    await settle(deps, { challengeId: challenge.id, actor: 'target', ...change });
    res.redirect(303, 'result');
  });

  router.get('/:id/result', async (req, res) => {
    const challenge = await byBrowser(deps, req);
    if (!isTerminal(challenge.status)) res.set('Refresh', String(WAIT_SECONDS));
    res.send(resultPage(challenge, { mayReport: isDisputable(challenge, now()) }));
  });

  router.post('/:id/report', async (req, res) => {
    refuseForeignSite(req);
    const challenge = await byBrowser(deps, req);
    await dispute(deps, { challengeId: challenge.id, actor: 'target', detail: { ip: req.ip ?? null } });
    res.redirect(303, 'result');
  });

  router.all('/start/:id', allow('GET', 'POST'));
  router.all('/:id/sandbox', allow('GET', 'POST'));
  router.all('/:id/report', allow('POST'));
  for (const path of ['/:id/continue', '/:id/result']) router.all(path, allow('GET'));
  return router;
}

/** Whoever holds the link: id and token must both be right. */
async function byLink(deps: VerifyDeps, id: string, token: string): Promise<Challenge> {
  const challenge = await find(deps, id);
  // The same answer as for an id that does not exist.
  if (!safeEqual(sha256(token), challenge.verification_token_hash))
    throw new AppError('not_found', NOT_A_LINK);
  return challenge;
}

/** Whoever pressed Start last. */
async function byBrowser(deps: VerifyDeps, req: Request<{ id: string }>): Promise<Challenge> {
  const challenge = await find(deps, req.params.id);
  if (!deps.browsers.isBound(req, challenge)) {
    throw new AppError(
      'forbidden',
      'This was started in another browser. Go on there, or open the link again here.',
    );
  }
  return challenge;
}

async function sandboxOf(deps: VerifyDeps, req: Request<{ id: string }>): Promise<Challenge> {
  const challenge = await byBrowser(deps, req);
  if (methodOf(challenge) !== SANDBOX) throw new AppError('not_found', NOT_A_LINK);
  return challenge;
}

async function find({ db, now }: VerifyDeps, id: string): Promise<Challenge> {
  const challenge = isUuid(id) ? await findAnyChallenge(db, id) : undefined;
  if (!challenge) throw new AppError('not_found', NOT_A_LINK);
  return asOf(challenge, now());
}

/** How this person proves who they are: the provider frozen at create, else the sandbox in test mode, else there is no way. */
function methodOf({ provider, mode }: Challenge): string | undefined {
  return provider ?? (mode === 'test' ? SANDBOX : undefined);
}

function labelOf({ provider }: Challenge): string {
  return (provider ? findProvider(provider)?.label : undefined) ?? 'the sandbox';
}

function notSetUp(): AppError {
  return new AppError(
    'unavailable',
    'No identity provider is set up. Tell your help desk; this is not your mistake.',
  );
}

/** Browsers say when a form comes from another site. The Origin header would not help: our pages send no referrer. */
function refuseForeignSite(req: Request<{ id: string }>): void {
  const site = req.get('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new AppError('forbidden', 'This form was sent from another site.');
  }
}

function formField(req: Request<{ id: string }>, name: string): string {
  return textOf((req.body as { [name: string]: unknown } | undefined)?.[name]);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
