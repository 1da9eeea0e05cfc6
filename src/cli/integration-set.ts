import type { Selectable } from 'kysely';
import { recordAudit } from '../challenges/store.ts';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import type { Store } from '../db/open.ts';
import { CHALLENGE_EVENTS } from '../deliveries/event-types.ts';
import type { Integrations } from '../generated/database.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { createReach } from '../reach.ts';
import { lockIntegration, updateIntegration } from '../tenants/integrations-store.ts';
import { openHeaders, openTls, sealHeaders, sealTls } from '../tenants/sending.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { SENDING_OPTIONS, givenOf, sendingOf } from './integration-options.ts';
import { SEALED_OPTIONS, headersAfter, tlsAfter } from './integration-sealed.ts';
import { linesOf, shownOf } from './integration-shown.ts';
import { INTEGRATION_OPTION, integrationOf, untilServersNoticed } from './rotation.ts';

type Row = Selectable<Integrations>;
type Change = Partial<Row>;

const ONE_BY_ONE =
  '--in-flight-cap cannot be changed for a Slack workspace: one call follows the other, so that no message overtakes another';

export const integrationSet: Command = {
  name: 'integration set',
  summary: 'Change where an integration’s callbacks go, which events it hears of, and how they are sent',
  options: {
    integration: INTEGRATION_OPTION,
    'callback-url': {
      type: 'string',
      value: 'URL|none',
      help: 'Where callbacks go unless a request names another place',
    },
    ...SENDING_OPTIONS,
    ...SEALED_OPTIONS,
  },
  run: (config, values) =>
    withTenant(config, async (store, tenantId) => {
      const { id, name, mode, kind } = await integrationOf(store, tenantId, values);
      if (kind === 'slack' && values['in-flight-cap'] !== undefined) throw new UsageError(ONE_BY_ONE);
      const plain = { ...sendingOf(values), ...(await callbackUrlOf(config, store, mode, values)) };
      const { row, warnings } = await store.db
        .transaction()
        .execute((tx) => change(tx, store.sealer, id, plain, values));
      await untilServersNoticed();
      const shown = shownOf(store.sealer, row);
      return {
        json: { integration_id: id, name, mode, ...shown, warnings },
        text: [
          `Integration "${name}" (${mode} mode) now:`,
          ...linesOf(shown).map((line) => `  ${line}`),
          ...warnings.map((warning) => `Note: ${warning}`),
        ].join('\n'),
      };
    }),
};

/** The URL after the guard, which is the same that looks at it before each attempt. */
async function callbackUrlOf(
  config: Config,
  store: Store,
  mode: Row['mode'],
  values: Values,
): Promise<Pick<Change, 'callback_url'>> {
  const url = givenOf(values, 'callback-url');
  if (url === undefined) return {};
  if (url === 'none') return { callback_url: null };
  const reach = createReach(config, store.bundled);
  try {
    reach.checkCallbackUrl(url, mode, '--callback-url');
  } finally {
    await reach.outbound.close();
  }
  return { callback_url: url };
}

/** Under the integration's lock, so that of two commands at once neither forgets the other's header. */
async function change(tx: Db, sealer: Sealer, id: string, plain: Change, values: Values) {
  const before = await lockIntegration(tx, id);
  const headers = headersAfter(values, () => openHeaders(sealer, id, before.headers_sealed));
  const tls = tlsAfter(values, () => openTls(sealer, id, before.tls_sealed) ?? {});
  const made: Change = {
    ...plain,
    ...(headers && { headers_sealed: sealHeaders(sealer, id, headers) }),
    ...(tls && { tls_sealed: sealTls(sealer, id, tls.tls) }),
  };
  if (Object.keys(made).length === 0)
    throw new UsageError('nothing to change was named; see `countersign integration set --help`');
  await updateIntegration(tx, id, made);
  await recordAudit(tx, {
    tenant_id: before.tenant_id,
    ...{ at: new Date(), actor: 'cli', action: 'integration_changed' },
    detail: JSON.stringify({ integration_id: id, ...plain, ...namesOf(headers, tls) }),
  });
  const row = { ...before, ...made };
  return { row, warnings: [...warningsOf(before, row), ...(tls?.warnings ?? [])] };
}

/** For the audit trail: that they changed, and no values. */
function namesOf(headers: object | undefined, tls: { tls: object } | undefined) {
  return { ...(headers && { headers: Object.keys(headers) }), ...(tls && { tls: Object.keys(tls.tls) }) };
}

function warningsOf(before: Row, { callback_url, events, tls_sealed }: Row): string[] {
  const found = [];
  if (callback_url !== before.callback_url)
    found.push('challenges already created keep the callback URL they have; new ones get this.');
  if (!callback_url && events.some((type) => !CHALLENGE_EVENTS.some((known) => known === type)))
    found.push('events about endpoints, deliveries and secrets go to the callback URL, and there is none.');
  if (tls_sealed && callback_url?.startsWith('http:'))
    found.push('the callback URL starts with http:, so certificates are not used.');
  return found;
}
