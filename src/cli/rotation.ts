import { setTimeout as sleep } from 'node:timers/promises';
import { CALLER_CACHE_MS } from '../api/authenticate.ts';
import type { Store } from '../db/open.ts';
import { invalid } from '../kernel/errors.ts';
import { parseDuration } from '../kernel/schedule.ts';
import { findIntegrations } from '../tenants/store.ts';
import { UsageError, textOf } from './command.ts';
import type { Option, Values } from './command.ts';

const MAX_OVERLAP_MS = 7 * 24 * 3_600_000;
const MAX_SECRET = 256;

export const INTEGRATION_OPTION: Option = {
  type: 'string',
  value: 'ID|NAME',
  required: true,
  help: 'The integration',
};

/** The option that says how long what is replaced stays valid. */
export function overlapOption(fallback: string): Option {
  const help = `How long the old one stays valid: 0, 30m, 24h, up to 7d (default: ${fallback})`;
  return { type: 'string', value: 'TIME', default: fallback, help };
}

/** When the overlap that was asked for ends. */
export function overlapEnd(values: Values): Date {
  return new Date(Date.now() + overlapMs(values));
}

/** How long the overlap that was asked for is. */
export function overlapMs(values: Values): number {
  const ms = durationOrNone(textOf(values, 'overlap') ?? '0');
  if (ms === undefined || ms > MAX_OVERLAP_MS) {
    throw new UsageError('--overlap must be 0 or a time such as 30m, 24h or 7d, at most 7d');
  }
  return ms;
}

/** The integration that `--integration` names; a name that several share is refused. */
export async function integrationOf({ db }: Store, tenantId: string, values: Values) {
  const idOrName = textOf(values, 'integration') ?? '';
  const [integration, ...others] = await findIntegrations(db, tenantId, idOrName);
  if (!integration) {
    throw new UsageError(`there is no integration "${idOrName}"; see \`countersign integration list\``);
  }
  if (others.length > 0) {
    const ids = [integration, ...others].map(({ id }) => id).join(', ');
    throw new UsageError(`several integrations are called "${idOrName}"; name one by its id: ${ids}`);
  }
  return integration;
}

/** A callback secret of the operator's own. A whsec_ one must decode, or Standard Webhooks would be keyed with rubbish. */
export function secretOf(values: Values): string | undefined {
  const secret = textOf(values, 'webhook-secret');
  if (secret === undefined) return undefined;
  if (secret.length > MAX_SECRET || !/^[\x21-\x7e]+$/.test(secret)) {
    throw invalid(`--webhook-secret must be 1 to ${MAX_SECRET} printable characters without spaces`);
  }
  if (secret.startsWith('whsec_') && !/^[A-Za-z0-9+/]{22,}={0,2}$/.test(secret.slice('whsec_'.length))) {
    throw invalid('--webhook-secret starts with whsec_ but does not go on with base64 of at least 16 bytes');
  }
  return secret;
}

/** Servers remember callers for a moment; when the command returns, the change holds everywhere. */
export function untilServersNoticed(): Promise<void> {
  return sleep(CALLER_CACHE_MS);
}

function durationOrNone(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
