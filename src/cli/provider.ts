import type { Store } from '../db/open.ts';
import { providers } from '../providers/index.ts';
import { openAccount } from '../providers/account.ts';
import { webhookUrlOf } from '../providers/log.ts';
import type { Provider, Settings } from '../providers/provider.ts';
import { findAccountOf, saveAccount, sealContext } from '../providers/store.ts';
import type { Account } from '../providers/store.ts';
import { createReach } from '../reach.ts';
import { MODE_OPTION, modeOf, textOf, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { checkOtherMode, optionName, otherOf, readSettings, settingsOptions } from './provider-settings.ts';
import { allowedIpsOf, setUpText } from './provider-text.ts';
import { overlapMs, overlapOption, untilServersNoticed } from './rotation.ts';

/** `provider set …`, one command per provider in the registry. */
export const providerCommands: Command[] = Object.entries(providers).map(([name, provider]) =>
  providerSet(name, provider),
);

function providerSet(name: string, provider: Provider): Command {
  return {
    name: `provider set ${name}`,
    summary: `Let people prove who they are through ${provider.label}; prints the webhook URL to enter there`,
    options: {
      ...settingsOptions(provider),
      mode: MODE_OPTION,
      'allowed-ips': {
        type: 'string',
        value: 'LIST',
        help: `Networks its webhooks may come from, separated by commas; "any"${provider.addresses.length > 0 ? `, or "published" for the list of ${provider.label}` : ''}`,
      },
      overlap: overlapOption('24h'),
    },
    run: (config, values) =>
      withTenant(config, async (store, tenant_id) => {
        const mode = modeOf(values);
        const place = { tenant_id, provider: name, mode };
        const allowed_ips = allowedIpsOf(textOf(values, 'allowed-ips'), provider);
        const existing = await findAccountOf(store.db, place);
        const known = settingsOf(store, existing);
        const settings = readSettings(provider, values, known);
        const previousUntil = overlapOf(values, known, settings);
        const reach = createReach(config, store.bundled);
        for (const [field, { called }] of Object.entries(provider.fields))
          if (called && settings[field])
            reach.checkCallbackUrl(settings[field], mode, `--${optionName(field)}`);
        await reach.outbound.close();
        provider.checkSettings?.(settings, mode);
        const twin = await findAccountOf(store.db, { ...place, mode: otherOf(mode) });
        checkOtherMode(provider, settings, mode, settingsOf(store, twin));
        const seal = (id: string) => store.sealer.seal(JSON.stringify(settings), sealContext.settings(id));
        const accountId = await saveAccount(store.db, place, seal, { allowed_ips, previousUntil });
        await untilServersNoticed();
        const until = previousUntil === 'kept' ? (existing?.previous_until ?? undefined) : previousUntil;
        const webhook_url = webhookUrlOf(config.publicUrl, { provider: name, id: accountId });
        return {
          json: {
            ...{ provider: name, mode, account_id: accountId, webhook_url },
            previous_until: until ?? null,
          },
          text: await setUpText(store.db, place, {
            ...{ provider, settings, webhookUrl: webhook_url },
            previousUntil: until,
          }),
        };
      }),
  };
}

function settingsOf({ sealer }: Store, account: Account | undefined): Settings | undefined {
  return account && openAccount(sealer, account).settings;
}

/** Until when the settings replaced count on; where none are, for instance because only the list of addresses changes, all stays. */
function overlapOf(
  values: Values,
  known: Settings | undefined,
  settings: Settings,
): Date | 'kept' | undefined {
  const overlap = overlapMs(values);
  // Ends at once whatever was replaced before: a secret that leaked must not decide any more.
  if (overlap === 0) return undefined;
  return known === undefined || JSON.stringify(known) === JSON.stringify(settings)
    ? 'kept'
    : new Date(Date.now() + overlap);
}
