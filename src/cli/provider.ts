import { providers } from '../providers/index.ts';
import type { Provider } from '../providers/provider.ts';
import { saveAccount, sealContext } from '../providers/store.ts';
import { createReach } from '../reach.ts';
import { MODE_OPTION, modeOf, textOf, withTenant } from './command.ts';
import type { Command, Option } from './command.ts';
import { untilServersNoticed } from './rotation.ts';

/** `provider set …`, one command per provider in the registry. */
export const providerCommands: Command[] = Object.entries(providers).map(([name, provider]) =>
  providerSet(name, provider),
);

function providerSet(name: string, provider: Provider): Command {
  return {
    name: `provider set ${name}`,
    summary: `Let people prove who they are through ${provider.label}; prints the webhook URL to enter there`,
    options: { ...optionsOf(provider), mode: MODE_OPTION },
    run: (config, values) =>
      withTenant(config, async (store, tenant_id) => {
        const mode = modeOf(values);
        const settings = Object.fromEntries(
          Object.keys(provider.fields).map((field) => [field, textOf(values, optionName(field)) ?? '']),
        );
        const reach = createReach(config, store.bundled);
        if (settings.base_url) reach.checkCallbackUrl(settings.base_url, mode, '--base-url');
        await reach.outbound.close();
        const seal = (id: string) => store.sealer.seal(JSON.stringify(settings), sealContext.settings(id));
        const accountId = await saveAccount(store.db, { tenant_id, provider: name, mode }, seal);
        await untilServersNoticed();
        const webhook_url = `${config.publicUrl}/webhooks/${name}/${accountId}`;
        return {
          json: { provider: name, mode, account_id: accountId, webhook_url },
          text: [
            `${provider.label} is set up for ${mode} mode. New challenges use it.`,
            `Enter this as the webhook URL at ${provider.label}:`,
            `  ${webhook_url}`,
            ...(webhook_url.startsWith('https:')
              ? []
              : [
                  `${provider.label} calls https addresses only: set PUBLIC_URL to the name the internet knows this server by.`,
                ]),
          ].join('\n'),
        };
      }),
  };
}

function optionsOf(provider: Provider): { [name: string]: Option } {
  return Object.fromEntries(
    Object.entries(provider.fields).map(([field, help]) => [
      optionName(field),
      { type: 'string', value: field.toUpperCase(), required: true, help } satisfies Option,
    ]),
  );
}

function optionName(field: string): string {
  return field.replaceAll('_', '-');
}
