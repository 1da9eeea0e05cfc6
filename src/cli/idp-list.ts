import { isoTime } from '../challenges/present.ts';
import type { Store } from '../db/open.ts';
import { openIdp } from '../signin/idp.ts';
import { methods } from '../signin/index.ts';
import { findNewestOutcomes, listIdpsOf } from '../signin/store.ts';
import type { Idp } from '../signin/store.ts';
import { withTenant } from './command.ts';
import type { Command } from './command.ts';
import { printable } from './desk.ts';
import { shownSettings } from './idp-settings.ts';
import { optionName } from './provider-settings.ts';
import { defaultProvider } from './provider-text.ts';

/** Longer values, such as metadata, are shown by their length. */
const MAX_SHOWN = 200;

type Shown = Awaited<ReturnType<typeof present>>;

/** `idp list`: every IdP of both modes without its secrets, and how sign-ins there ended last. */
export const idpList: Command = {
  name: 'idp list',
  summary: 'Show the IdPs that are set up, and how the last sign-ins there ended',
  options: {},
  run: (config) =>
    withTenant(config, async (store, tenant_id) => {
      const chosen = {
        test: await defaultProvider(store.db, { tenant_id, mode: 'test' }),
        live: await defaultProvider(store.db, { tenant_id, mode: 'live' }),
      };
      const idps: Shown[] = [];
      for (const idp of await listIdpsOf(store.db, tenant_id))
        idps.push(await present(store, idp, chosen[idp.mode]));
      const none = 'No IdP is set up; see `countersign idp set --help`.';
      return { json: { idps }, text: idps.length > 0 ? idps.map(shown).join('\n\n') : none };
    }),
};

async function present({ db, sealer }: Store, idp: Idp, chosen: string | null) {
  const { id, kind, mode, name, created_at, updated_at } = idp;
  const { verified, refused } = await findNewestOutcomes(db, id);
  return {
    ...{ idp_id: id, kind, mode, name, is_default: chosen === kind },
    settings: shownSettings(methods[kind], openIdp(sealer, idp).settings),
    ...{ created_at: isoTime(created_at), updated_at: isoTime(updated_at) },
    last_verified_at: isoTime(verified?.ended_at ?? null),
    last_refused_at: isoTime(refused?.ended_at ?? null),
    last_refused_reason: refused?.outcome ?? null,
  };
}

function shown({ kind, mode, name, is_default, settings, ...idp }: Shown): string {
  const line = (label: string, text: string) => `  ${label.padEnd(18)} ${printable(text)}`;
  const { last_verified_at, last_refused_at, last_refused_reason } = idp;
  return [
    `${kind}, ${mode} mode${is_default ? ' (default)' : ''}`,
    line('name', name),
    ...Object.entries(settings)
      .filter(([, value]) => value !== '')
      .map(([field, value]) =>
        line(optionName(field), value.length > MAX_SHOWN ? `${value.length} characters` : value),
      ),
    line('last verified', last_verified_at ?? 'none yet'),
    ...(last_refused_at ? [line('last refused', `${last_refused_at}  ${last_refused_reason}`)] : []),
  ].join('\n');
}
