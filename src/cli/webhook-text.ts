import type { presentInbound, presentPlaced } from '../providers/log.ts';
import { printable } from './desk.ts';

type Shown = ReturnType<typeof presentInbound>;
type Detail = ReturnType<typeof presentPlaced>;

const HEAD = ['TIME', 'KIND', 'OUTCOME', 'COPIES', 'ADDRESS', 'CHALLENGE', 'WEBHOOK'];

/** Webhooks as a table, a line each. */
export function inboundTable(webhooks: readonly Shown[]): string {
  const rows = [HEAD, ...webhooks.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** All that is known of a webhook, but for what it says. */
export function inboundShown(webhook: Detail): string {
  const { copies, last_received_at, session_id, attempt_id, challenge_id } = webhook;
  const again = copies > 1 ? ` (${copies} times, last ${last_received_at})` : '';
  return [
    `Webhook    ${webhook.webhook_id}`,
    `Account    ${webhook.account_id} (${webhook.provider}, ${webhook.mode} mode)`,
    `Kind       ${webhook.kind}`,
    `Came       ${webhook.received_at}${again}`,
    `From       ${printable(webhook.address ?? 'unknown')}`,
    `Outcome    ${outcomeOf(webhook)}${webhook.handled_at ? ` at ${webhook.handled_at}` : waiting(webhook)}`,
    ...(session_id ? [`Session    ${session_id}`] : []),
    ...(attempt_id ? [`Attempt    ${attempt_id}`] : []),
    ...(challenge_id ? [`Challenge  ${challenge_id}`] : []),
    ...(webhook.body_kept ? ['Body       kept, sealed; --body shows it'] : []),
  ].join('\n');
}

/** What the webhook says, or why that cannot be shown. */
export function bodyText({ outcome }: Shown, body: string | null): string {
  if (body !== null) return printable(body).trimEnd();
  if (outcome === 'refused') return 'There is no body: nothing is kept of what is refused.';
  return 'The body was deleted: its time is over (WEBHOOK_RETENTION_DAYS), or its challenge was erased.';
}

function cellsOf(webhook: Shown): string[] {
  const { received_at, kind, copies, address, challenge_id, webhook_id } = webhook;
  return [
    ...[received_at, kind, outcomeOf(webhook), String(copies)],
    ...[printable(address ?? '-'), challenge_id ?? '-', webhook_id],
  ];
}

function outcomeOf({ outcome, reason }: Shown): string {
  return reason === null ? outcome : `${outcome} (${reason})`;
}

function waiting({ tries, next_try_at }: Detail): string {
  return next_try_at === null ? '' : `, tried ${tries} times, next at ${next_try_at}`;
}
