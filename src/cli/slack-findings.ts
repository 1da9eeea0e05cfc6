import type { Sealer } from '../kernel/crypto.ts';
import { createClient } from '../slack/client.ts';
import type { Http, Identity } from '../slack/client.ts';
import { SlackError } from '../slack/error.ts';
import { SCOPES } from '../slack/scopes.ts';
import { openWorkspace } from '../slack/workspace.ts';
import type { Workspace } from '../slack/workspace.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import { printable } from './desk.ts';
import type { Found } from './idp-findings.ts';
import { HTTPS_HINT } from './slack-options.ts';

type Scope = keyof typeof SCOPES;

/** What can be tried of a workspace without sending anybody a message, in the order in which it is to be put right. */
export async function findingsOf(
  sealer: Sealer,
  row: WorkspaceRow,
  { publicUrl, http }: { publicUrl: string; http: Http },
): Promise<Found[]> {
  const workspace = opened(sealer, row);
  if ('state' in workspace) return [workspace];
  const identity = await createClient(workspace, http)
    .identity()
    .catch((error: unknown) => refusal(error, row));
  return [
    ...('state' in identity ? [identity] : [belonging(workspace, identity), ...scopesOf(identity)]),
    addressFound(publicUrl),
  ];
}

/** The scopes that the app needs and was not granted. */
export function missingScopes(granted: readonly string[]): Scope[] {
  return (Object.keys(SCOPES) as Scope[]).filter((scope) => !granted.includes(scope));
}

function opened(sealer: Sealer, row: WorkspaceRow): Workspace | Found {
  const cure = `\`countersign slack connect --id ${row.id} --bot-token @FILE --signing-secret @FILE\``;
  try {
    const workspace = openWorkspace(sealer, row);
    return workspace ?? { state: 'fail', name: 'connection', detail: `It is not connected: ${cure}` };
  } catch (error) {
    const why = (error as Error).message;
    return { state: 'fail', name: 'connection', detail: `Its secrets do not open (${why}): ${cure}` };
  }
}

/** Slack's words for a token that is over. */
const OVER: ReadonlySet<string> = new Set([
  ...['invalid_auth', 'not_authed', 'token_revoked', 'token_expired', 'account_inactive'],
]);

function refusal(error: unknown, { id }: WorkspaceRow): Found {
  if (!(error instanceof SlackError)) throw error;
  const { kind, code } = error;
  const detail = printable(error.message);
  if (kind === 'limited')
    return { state: 'warn', name: 'token', detail: `${detail}; what is to be done waits.` };
  const cure = OVER.has(code)
    ? `install the app again, then \`countersign slack connect --id ${id} --bot-token @FILE\``
    : kind === 'unavailable'
      ? 'try again; if it stays so, look at firewalls and OUTBOUND_PROXY'
      : 'Slack’s documentation of auth.test says what it means';
  return { state: 'fail', name: 'token', detail: `${detail}; ${cure}.` };
}

function belonging(
  { id, team_id, bot_user_id }: Workspace,
  { user_id, team_id: now, team_name }: Identity,
): Found {
  const whose = `"${printable(team_name)}" (${printable(now)})`;
  if (now === team_id && user_id === bot_user_id)
    return { state: 'ok', name: 'token', detail: `Of the app in ${whose}.` };
  const was = `it was connected as ${bot_user_id} of ${team_id}`;
  const cure =
    now === team_id
      ? `\`countersign slack connect --id ${id} --replace\` takes it as it is now`
      : `enter a token of ${team_id} (\`countersign slack connect --id ${id} --bot-token @FILE\`), and add the other with \`countersign slack add\``;
  return {
    state: 'fail',
    name: 'token',
    detail: `Of ${printable(user_id)} in ${whose}, and ${was}; ${cure}.`,
  };
}

function scopesOf({ scopes }: Identity): Found[] {
  if (scopes === null)
    return [{ state: 'warn', name: 'scopes', detail: 'Slack does not say what the app may do.' }];
  const missing = missingScopes(scopes);
  if (missing.length === 0) return [{ state: 'ok', name: 'scopes', detail: 'All that are needed.' }];
  const reinstall =
    'Add what is missing under OAuth & Permissions → Bot Token Scopes (or paste the manifest anew), then reinstall the app; the token stays.';
  return [
    ...missing.map(
      (scope) => ({ state: 'fail', name: scope, detail: `Missing; it is needed ${SCOPES[scope]}.` }) as const,
    ),
    { state: 'fail', name: 'scopes', detail: reinstall },
  ];
}

function addressFound(publicUrl: string): Found {
  const name = 'public url';
  return publicUrl.startsWith('https:')
    ? { state: 'ok', name, detail: `${publicUrl}, where Slack sends commands and presses to.` }
    : { state: 'warn', name, detail: HTTPS_HINT };
}
