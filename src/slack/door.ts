import express from 'express';
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { AppError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { SlackDeps } from './deps.ts';
import { findForgery } from './signature.ts';
import { openWorkspace } from './workspace.ts';
import type { Workspace } from './workspace.ts';
import { findWorkspace } from './workspaces-store.ts';
import type { WorkspaceRow } from './workspaces-store.ts';

export type SlackDoorDeps = SlackDeps & { log: Log; metrics: Pick<Metrics, 'slackRequestsTotal'> };
/** A door for what Slack sends: who may come in, and what is written down about the others. */
type SlackDoor = {
  /** Stands before what takes the request: finds the workspace, and reads the body byte for byte. Answers 404, 413, 415. */
  enter: (RequestHandler | ErrorRequestHandler)[];
  /** What Slack sent, and to which workspace, once it is certain that it did. Throws unauthorized. */
  open(req: Request): { form: URLSearchParams; workspace: Workspace };
  /** Throws forbidden for what comes from another workspace than the door is for. */
  checkTeam(workspace: Workspace, team: string | null): void;
  /** What to throw for what cannot be understood. */
  malformed(workspace: Workspace): AppError;
  /** Counts what became of a request. */
  count(outcome: string): void;
};

const MAX_BODY_BYTES = 256 * 1_024;
const REFUSED = {
  bad_signature: ['unauthorized', 'Invalid signature'],
  old: ['unauthorized', 'The request is not of the last five minutes'],
  other_team: ['forbidden', 'This address is for another Slack workspace'],
  malformed: ['invalid', 'The request is malformed'],
} satisfies Record<string, [ErrorCode, string]>;

/** One for each kind of request; the address names the workspace, because each has a signing secret of its own. */
export function createDoor(deps: SlackDoorDeps, kind: 'commands' | 'interactions'): SlackDoor {
  const { sealer, log, metrics, now } = deps;
  const admitted = new WeakMap<Request, Workspace>();
  const raw = express.raw({ type: () => true, limit: MAX_BODY_BYTES, inflate: false });

  const admit: RequestHandler = async (req, _res, next) => {
    const workspace = openWorkspace(sealer, await getWorkspace(deps, req));
    if (!workspace) throw notFound();
    admitted.set(req, workspace);
    next();
  };
  const note = ({ id }: Workspace, reason: string) => {
    metrics.slackRequestsTotal.inc({ kind, outcome: reason });
    log.warn({ kind, instance: id, reason }, 'a request to the address of a Slack workspace was refused');
  };
  const noteBody: ErrorRequestHandler = (error, req, _res, next) => {
    const [workspace, reason] = [admitted.get(req), complaintOf(error)];
    if (workspace && reason) note(workspace, reason);
    next(error);
  };
  const refusal = (workspace: Workspace, reason: keyof typeof REFUSED): AppError => {
    note(workspace, reason);
    const [code, message] = REFUSED[reason];
    return new AppError(code, message);
  };

  return {
    enter: [admit, raw, noteBody],
    open(req) {
      const workspace = admitted.get(req)!;
      const body = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
      const timestamp = req.get('x-slack-request-timestamp') ?? '';
      const signature = req.get('x-slack-signature') ?? '';
      const forgery = findForgery(workspace.signing_secret, { timestamp, signature, body }, now());
      if (forgery) throw refusal(workspace, forgery);
      return { form: new URLSearchParams(body.toString()), workspace };
    },
    checkTeam(workspace, team) {
      if (team !== workspace.team_id) throw refusal(workspace, 'other_team');
    },
    malformed: (workspace) => refusal(workspace, 'malformed'),
    count: (outcome) => metrics.slackRequestsTotal.inc({ kind, outcome }),
  };
}

/** The workspace that a path names, connected or not. Throws not_found. */
export async function getWorkspace({ db }: SlackDoorDeps, { params }: Request): Promise<WorkspaceRow> {
  const { instance } = params;
  const row =
    typeof instance === 'string' && isUuid(instance) ? await findWorkspace(db, instance) : undefined;
  if (!row) throw notFound();
  return row;
}

function notFound(): AppError {
  return new AppError('not_found', 'No such Slack workspace');
}

/** What the body parser complains about. */
function complaintOf(error: unknown): string | undefined {
  const { type, status = 0 } = (error ?? {}) as { type?: string; status?: number };
  if (type === 'entity.too.large') return 'too_large';
  if (type === 'encoding.unsupported') return 'compressed';
  return status >= 400 && status < 500 ? 'malformed' : undefined;
}
