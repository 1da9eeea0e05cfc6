import type { Config } from '../config.ts';
import type { Store } from '../db/open.ts';
import { createReach } from '../reach.ts';
import type { Finding } from '../signin/method.ts';
import { listIdps } from '../signin/store.ts';
import type { Idp } from '../signin/store.ts';
import { printable } from './desk.ts';
import { findingsOf } from './idp-findings.ts';
import type { Found } from './idp-findings.ts';

/** What the tests of every tenant's IdPs found, in a line: the worst of it, and how to see the rest. */
export async function checkIdps(store: Store, config: Config): Promise<Finding> {
  const { outbound, reachOf } = createReach(config, store.bundled);
  try {
    const tested = await Promise.all(
      (await listIdps(store.db)).map(async (idp) => {
        const http = { outbound, reach: reachOf(idp.mode) };
        return { idp, findings: await findingsOf(store, idp, { publicUrl: config.publicUrl, http }) };
      }),
    );
    return summaryOf(tested);
  } finally {
    await outbound.close();
  }
}

function summaryOf(tested: { idp: Idp; findings: Found[] }[]): Finding {
  const name = 'sign-in';
  if (tested.length === 0) return { state: 'ok', name, detail: 'no IdP is set up' };
  const wrong = tested.flatMap(({ idp, findings }) =>
    findings.filter(({ state }) => state !== 'ok').map((finding) => ({ idp, finding })),
  );
  const worst = wrong.find(({ finding }) => finding.state === 'fail') ?? wrong[0];
  if (!worst) return { state: 'ok', name, detail: `${tested.length} IdP(s), and nothing wrong with them` };
  const { idp, finding } = worst;
  const others = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
  const what = `"${printable(idp.name)}" in ${idp.mode} mode: ${finding.name}: ${finding.detail.replace(/\.$/, '')}${others}`;
  return {
    state: finding.state,
    name,
    detail: `${what}; see \`countersign idp test ${idp.kind} --mode ${idp.mode}\``,
  };
}
