import { removeIdp } from '../signin/store.ts';
import type { Kind } from '../signin/store.ts';
import { MODE_OPTION, UsageError, modeOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { getIdp } from './idp-settings.ts';
import { defaultProvider } from './provider-text.ts';
import { untilServersNoticed } from './rotation.ts';

/** `idp remove …`: forgets an IdP and its secrets; refused while open challenges need it. */
export function idpRemove(kind: Kind): Command {
  return {
    name: `idp remove ${kind}`,
    summary: 'Forget an IdP and its secrets; open challenges that use it must have ended',
    options: { mode: MODE_OPTION },
    run: (config, values) =>
      withTenant(config, async ({ db }, tenant_id) => {
        const place = { tenant_id, kind, mode: modeOf(values) };
        const { name } = await getIdp(db, place);
        const open = await removeIdp(db, place, new Date());
        if (open > 0) {
          throw new UsageError(
            `${open} open challenge(s) of ${place.mode} mode use it; choose another with ` +
              '`countersign tenant set-provider`, then wait until they end or cancel them',
          );
        }
        await untilServersNoticed();
        const provider = await defaultProvider(db, place);
        const after = provider ?? (place.mode === 'test' ? 'the sandbox' : 'no provider: none is set up');
        return {
          json: { kind, mode: place.mode, name, provider },
          text: `"${name}" is removed from ${place.mode} mode. New challenges use ${after}.`,
        };
      }),
  };
}
