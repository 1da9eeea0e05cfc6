import { chooseProvider } from '../challenges/choice.ts';
import type { Db } from '../db/database.ts';
import { readNetwork } from '../kernel/address.ts';
import type { Provider, Settings } from '../providers/provider.ts';
import type { Place } from '../providers/store.ts';
import { findTenantMode } from '../tenants/modes-store.ts';
import { listProviders } from '../tenants/providers-store.ts';
import { UsageError } from './command.ts';

const MAX_NETWORKS = 100;

/** The networks that `--allowed-ips` names; undefined when it was left out, so that the list stays as it is. */
export function allowedIpsOf(text: string | undefined, { addresses, label }: Provider): string[] | undefined {
  if (text === undefined) return undefined;
  if (text === 'any') return [];
  if (text === 'published') {
    if (addresses.length > 0) return [...addresses];
    throw new UsageError(`${label} publishes no addresses; name the networks yourself`);
  }
  const networks = text.split(',').map((part) => part.trim());
  if (networks.length > MAX_NETWORKS)
    throw new UsageError(`--allowed-ips takes at most ${MAX_NETWORKS} networks`);
  for (const network of networks) {
    try {
      readNetwork(network);
      if (/^::ffff:/i.test(network)) throw new Error(`write "${network}" as the IPv4 network it is`);
    } catch (error) {
      throw new UsageError(`--allowed-ips: ${(error as Error).message}`);
    }
  }
  return networks;
}

/** The tenant's provider or sign-in service for challenges of a mode that name none. */
export async function defaultProvider(
  db: Db,
  { tenant_id, mode }: Pick<Place, 'tenant_id' | 'mode'>,
): Promise<string | null> {
  const providers = await listProviders(db, tenant_id, mode);
  const { default_provider } = await findTenantMode(db, tenant_id, mode);
  return chooseProvider({ providers, default_provider, mode });
}

/** What the operator reads after an account was set up, and has to do next. */
export async function setUpText(
  db: Db,
  place: Place,
  about: { provider: Provider; settings: Settings; webhookUrl: string; previousUntil: Date | undefined },
): Promise<string> {
  const { provider, settings, webhookUrl, previousUntil } = about;
  const chosen = await defaultProvider(db, place);
  return [
    chosen === place.provider
      ? `${provider.label} is set up for ${place.mode} mode. New challenges use it.`
      : `${provider.label} is set up for ${place.mode} mode. Challenges with "provider": "${place.provider}" use it; others use ${chosen} (see \`countersign tenant set-provider\`).`,
    ...(previousUntil
      ? [`Webhooks under the settings before these are taken until ${previousUntil.toISOString()}.`]
      : []),
    ...provider.setUp(webhookUrl, settings),
    ...(webhookUrl.startsWith('https:')
      ? []
      : [
          `${provider.label} calls https addresses only: set PUBLIC_URL to the name the internet knows this server by.`,
        ]),
  ].join('\n');
}
