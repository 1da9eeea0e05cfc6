import { createReach } from '../reach.ts';
import type { Kind } from '../signin/store.ts';
import { MODE_OPTION, modeOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { findingsOf } from './idp-findings.ts';
import type { Found } from './idp-findings.ts';
import { getIdp } from './idp-settings.ts';

/** Spaces between columns. */
const GAP = 2;

/** `idp test …`: what can be tried without a person. */
export function idpTest(kind: Kind): Command {
  return {
    name: `idp test ${kind}`,
    summary: 'Try out an IdP as far as that goes without a person; says what to do about what is wrong',
    options: { mode: MODE_OPTION },
    run: (config, values) =>
      withTenant(config, async (store, tenant_id) => {
        const mode = modeOf(values);
        const idp = await getIdp(store.db, { tenant_id, kind, mode });
        const { outbound, reachOf } = createReach(config, store.bundled);
        try {
          const http = { outbound, reach: reachOf(mode) };
          const findings = await findingsOf(store, idp, { publicUrl: config.publicUrl, http });
          const failed = findings.some(({ state }) => state === 'fail');
          const { name } = idp;
          return { json: { kind, mode, name, ok: !failed, findings }, text: textOf(findings), failed };
        } finally {
          await outbound.close();
        }
      }),
  };
}

function textOf(findings: readonly Found[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length)) + GAP;
  return findings
    .map(({ state, name, detail }) => `${state.padEnd(5)}${name.padEnd(width)}${detail}`)
    .join('\n');
}
