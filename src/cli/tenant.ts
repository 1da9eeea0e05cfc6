import { DEFAULT_EXPIRY_MINUTES, MAX_EXPIRY_MINUTES, MIN_EXPIRY_MINUTES } from '../challenges/challenge.ts';
import { chooseProvider } from '../challenges/choice.ts';
import { saveTenantMode } from '../tenants/modes-store.ts';
import { listProviders } from '../tenants/providers-store.ts';
import { setDefaultExpiry } from '../tenants/store.ts';
import { MODE_OPTION, UsageError, modeOf, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { defaultProvider } from './provider-text.ts';
import { untilServersNoticed } from './rotation.ts';
import { brandCommands } from './tenant-brand.ts';
import { tenantShow } from './tenant-show.ts';

const MAX_ATTEMPTS = 10;

const setExpiry: Command = {
  name: 'tenant set-expiry',
  summary: 'Set how long new challenges live unless a request says otherwise',
  options: {
    minutes: {
      type: 'string',
      value: 'N|default',
      required: true,
      help: `${MIN_EXPIRY_MINUTES} to ${MAX_EXPIRY_MINUTES}, or "default" for the server's ${DEFAULT_EXPIRY_MINUTES}`,
    },
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const minutes = minutesOf(textOf(values, 'minutes') ?? '');
      await setDefaultExpiry(db, tenantId, minutes);
      await untilServersNoticed();
      return {
        json: { default_expiry_minutes: minutes },
        text: `New challenges live for ${minutes ?? DEFAULT_EXPIRY_MINUTES} minutes. Open ones keep their deadline.`,
      };
    }),
};

const setProvider: Command = {
  name: 'tenant set-provider',
  summary: 'Choose the provider of new challenges that name none',
  options: {
    provider: {
      type: 'string',
      value: 'NAME|default',
      required: true,
      help: 'A provider that is set up, oidc or saml with an IdP, in test mode also sandbox, or "default" for the one set up first',
    },
    mode: MODE_OPTION,
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenant_id) => {
      const mode = modeOf(values);
      const name = textOf(values, 'provider') ?? '';
      const chosen = name === 'default' ? null : name;
      const providers = await listProviders(db, tenant_id, mode);
      chooseProvider({ providers, default_provider: null, mode }, chosen);
      await saveTenantMode(db, tenant_id, mode, { default_provider: chosen });
      await untilServersNoticed();
      const provider = await defaultProvider(db, { tenant_id, mode });
      return {
        json: { mode, default_provider: chosen, provider },
        text: `New challenges in ${mode} mode use ${provider ?? 'no provider: none is set up'}. Open ones keep theirs.`,
      };
    }),
};

const setAttempts: Command = {
  name: 'tenant set-attempts',
  summary: 'Set how many runs at its provider a new challenge may take',
  options: {
    attempts: {
      type: 'string',
      value: 'N',
      required: true,
      help: `1 to ${MAX_ATTEMPTS}: after a run that was declined or abandoned the person may try again (default: 1)`,
    },
    mode: MODE_OPTION,
  },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const mode = modeOf(values);
      const text = textOf(values, 'attempts') ?? '';
      const provider_attempts = /^\d{1,2}$/.test(text) ? Number(text) : 0;
      if (provider_attempts < 1 || provider_attempts > MAX_ATTEMPTS)
        throw new UsageError(`--attempts must be a whole number from 1 to ${MAX_ATTEMPTS}`);
      await saveTenantMode(db, tenantId, mode, { provider_attempts });
      await untilServersNoticed();
      const runs = provider_attempts === 1 ? '1 attempt' : `up to ${provider_attempts} attempts`;
      return {
        json: { mode, provider_attempts },
        text: `New challenges in ${mode} mode take ${runs}. Open ones keep what they were created with.`,
      };
    }),
};

/** What a tenant decides for all its new challenges. */
export const tenantCommands: Command[] = [setExpiry, setProvider, setAttempts, ...brandCommands, tenantShow];

function minutesOf(text: string): number | null {
  if (text === 'default') return null;
  const minutes = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (minutes < MIN_EXPIRY_MINUTES || minutes > MAX_EXPIRY_MINUTES) {
    throw new UsageError(
      `--minutes must be a whole number from ${MIN_EXPIRY_MINUTES} to ${MAX_EXPIRY_MINUTES}, or "default"`,
    );
  }
  return minutes;
}
