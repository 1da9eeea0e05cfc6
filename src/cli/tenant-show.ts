import { DEFAULT_EXPIRY_MINUTES } from '../challenges/challenge.ts';
import { SANDBOX } from '../challenges/choice.ts';
import type { Db } from '../db/database.ts';
import { findBrand } from '../tenants/brand-store.ts';
import { findTenantMode } from '../tenants/modes-store.ts';
import { findFirstTenant } from '../tenants/store.ts';
import { withTenant } from './command.ts';
import type { Command } from './command.ts';
import { defaultProvider } from './provider-text.ts';
import { contactLines } from './tenant-brand.ts';

type Shown = Awaited<ReturnType<typeof present>>;
type Mode = 'test' | 'live';

/** `tenant show`: all that a tenant decided, for people and for its challenges. */
export const tenantShow: Command = {
  name: 'tenant show',
  summary: 'Show what people see of the tenant, and what it decided for new challenges',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }, tenantId) => {
      const json = await present(db, tenantId);
      return { json, text: shown(json) };
    }),
};

async function present(db: Db, tenantId: string) {
  const tenant = await findFirstTenant(db);
  return {
    ...(await findBrand(db, tenantId)),
    default_expiry_minutes: tenant?.default_expiry_minutes ?? null,
    test: await presentMode(db, tenantId, 'test'),
    live: await presentMode(db, tenantId, 'live'),
  };
}

async function presentMode(db: Db, tenant_id: string, mode: Mode) {
  const { default_provider, provider_attempts } = await findTenantMode(db, tenant_id, mode);
  const provider = await defaultProvider(db, { tenant_id, mode });
  return { default_provider, provider: provider ?? (mode === 'test' ? SANDBOX : null), provider_attempts };
}

function shown({ id, name, logo, support, default_expiry_minutes, test, live }: Shown): string {
  const expiry = default_expiry_minutes ?? `${DEFAULT_EXPIRY_MINUTES} (default)`;
  return [
    `id: ${id}`,
    `name: ${name ?? '(none: see `countersign tenant set-name`)'}`,
    `logo: ${logo === null ? '(none)' : `/assets/logo/${id}/${logo}`}`,
    'people may ask:',
    ...contactLines(support),
    `minutes until challenges expire: ${expiry}`,
    `test mode: ${modeText(test)}`,
    `live mode: ${modeText(live)}`,
  ].join('\n');
}

function modeText({ default_provider, provider, provider_attempts }: Shown[Mode]): string {
  const how = default_provider === null ? '' : ' (chosen)';
  const runs = provider_attempts === 1 ? '1 attempt' : `up to ${provider_attempts} attempts`;
  return `${provider ?? 'no provider is set up'}${how}, ${runs}`;
}
