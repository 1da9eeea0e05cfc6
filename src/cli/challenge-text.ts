import { isTerminal } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import { isKind } from '../signin/index.ts';
import type { ChallengeDetail } from './challenge-detail.ts';
import { printable } from './desk.ts';

type Run = ChallengeDetail['runs'][number];
type SignIn = ChallengeDetail['sign_ins'][number];
type Cells = readonly string[];

/** A challenge as an operator reads it: how it stands, then its runs, findings, steps and audit trail. */
export function challengeShown(detail: ChallengeDetail): string {
  const { challenge_id: id, runs, sign_ins, provider_signals, progress, audit_trail } = detail;
  const none = isAwaitingRun(detail) ? 'None: the person has not been sent to a provider.' : undefined;
  return [
    ...headOf(detail),
    ...section(`Runs (at most ${detail.provider_attempts})`, runs.map(runCells), none),
    ...section('Sign-ins', sign_ins.map(signInCells)),
    ...section('Findings of the provider', (provider_signals as Finding[]).map(findingCells)),
    ...section(
      'Progress at the provider',
      progress.map(({ at, type, message }) => [at, type, message]),
    ),
    ...section(
      'Audit trail',
      audit_trail.map(({ at, actor, action, detail: about }) => [at, actor, action, factsText(about)]),
    ),
    '',
    `Its webhooks: countersign webhook list --challenge ${id}`,
    `Its callbacks${detail.slack_instance_id === null ? '' : ' and messages in Slack'}: countersign delivery list --challenge ${id}`,
  ].join('\n');
}

type Finding = { provider: string; kind: string; at: string; facts: unknown };

function headOf(detail: ChallengeDetail): string[] {
  const lines: [string, string | null][] = [
    ['Challenge', `${detail.challenge_id} (${detail.mode} mode)`],
    ['Status', statusOf(detail)],
    ['Target', targetOf(detail)],
    ['Requester', [detail.requester_id, detail.requester_email].filter(Boolean).join(', ')],
    ['Integration', detail.integration_id],
    ['In Slack', detail.slack_instance_id],
    ['Context', detail.context],
    ['Ticket', detail.ticket],
    ['Code', detail.verification_code],
    ['Response', detail.target_response],
    ['Provider', providerOf(detail)],
    ['Proved by', detail.auth_method],
    ['Signed in', signedInOf(detail)],
    ['Device', deviceOf(detail)],
    ['Made', detail.created_at],
    ['Started', detail.started_at],
    ['Deadline', detail.expires_at],
    ['Ended', detail.completed_at],
    ['Valid until', detail.valid_until],
    ['Consumed', detail.consumed_at],
    ['Incident', incidentOf(detail)],
    ['Erased', detail.erased_at],
  ];
  return lines
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(13)}${printable(value ?? '')}`);
}

/** Whether a document-and-face provider is still to be gone to. */
function isAwaitingRun({ status, provider, mode }: ChallengeDetail): boolean {
  const method = provider ?? (mode === 'test' ? SANDBOX : null);
  return !isTerminal(status) && method !== SANDBOX && !isKind(method);
}

function statusOf({ status, failure_reason, disputed, incident }: ChallengeDetail): string {
  if (disputed) return `${status}, DISPUTED at ${incident?.reported_at}`;
  return failure_reason === null ? status : `${status} (${failure_reason})`;
}

function targetOf({ target_user_email, target_user_id }: ChallengeDetail): string {
  return [target_user_email, target_user_id].filter((one) => one !== null).join(', ') || 'erased';
}

function providerOf({ provider, provider_status }: ChallengeDetail): string {
  if (provider === null) return 'none';
  return provider_status === null ? provider : `${provider}, newest word: ${provider_status}`;
}

function signedInOf({ subject, subject_match, auth_time, acr, amr }: ChallengeDetail): string | null {
  if (!subject) return null;
  const how = [acr, ...(amr ?? [])].filter((one) => one !== null).join(', ');
  const who = `${subject.email ?? subject.id} at ${auth_time}, the target by ${subject_match}`;
  return how === '' ? who : `${who} (${how})`;
}

/** Without the user agent, which browser and system were read from. */
function deviceOf({ device_fingerprint, device_fingerprint_status }: ChallengeDetail): string {
  if (!device_fingerprint) return device_fingerprint_status;
  const { user_agent: _, ...facts } = device_fingerprint;
  const told = Object.values(facts).filter((fact) => fact !== null);
  return `${device_fingerprint_status}: ${told.join(', ')}`;
}

function incidentOf({ incident, disputed }: ChallengeDetail): string | null {
  if (!incident) return null;
  const when = `${incident.reported_at}${disputed ? ', after it was verified' : ''}`;
  return incident.comment === null ? when : `${when}: ${incident.comment}`;
}

function runCells({ number, state, word, began_at, decided_at, next_check_at, ...run }: Run): Cells {
  const newest = word === null ? 'no word yet' : `${word}${decided_at ? ` at ${decided_at}` : ''}`;
  return [
    String(number),
    run.provider,
    state,
    `began ${began_at}`,
    newest,
    `session ${run.session_id ?? 'not known yet'}`,
    next_check_at === null ? '' : `is asked about at ${next_check_at}`,
  ];
}

function signInCells({ number, kind, name, state, outcome, began_at, ...attempt }: SignIn): Cells {
  const ended = attempt.ended_at === null ? '' : ` at ${attempt.ended_at}`;
  return [
    ...[String(number), kind, name, `began ${began_at}`, outcome === null ? state : `${outcome}${ended}`],
    ...[attempt.address === null ? '' : `from ${attempt.address}`],
    ...[attempt.browser === null ? '' : `browser ${attempt.browser}`],
  ];
}

function findingCells({ at, kind, facts }: Finding): Cells {
  return [at, kind, factsText(facts)];
}

/** Facts as `name: value`; what is nested stays JSON. */
function factsText(facts: unknown): string {
  if (typeof facts !== 'object' || facts === null) return '';
  return Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}

/** A heading and lines below it with their cells below each other; without lines only what `none` says, if anything. */
function section(title: string, rows: readonly Cells[], none?: string): string[] {
  if (rows.length === 0) return none === undefined ? [] : ['', title, `  ${none}`];
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const lines = cells.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd(),
  );
  return ['', title, ...lines];
}
