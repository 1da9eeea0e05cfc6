import type { Config } from '../config.ts';
import type { Store } from '../db/open.ts';
import type { Finding } from '../signin/method.ts';
import { listConnected } from '../slack/workspaces-store.ts';
import type { WorkspaceRow } from '../slack/workspaces-store.ts';
import type { Found } from './idp-findings.ts';
import { findingsOf } from './slack-findings.ts';
import { named, withHttp } from './slack-options.ts';

/** What the tests of every tenant's connected workspaces found, in a line: the worst of it, and how to see the rest. */
export async function checkSlack(store: Store, config: Config): Promise<Finding> {
  const rows = await listConnected(store.db);
  return withHttp(config, store, async (httpOf) => {
    const tested = await Promise.all(
      rows.map(async (row) => {
        const about = { publicUrl: config.publicUrl, http: httpOf(row.mode) };
        return { row, findings: await findingsOf(store.sealer, row, about) };
      }),
    );
    return summaryOf(tested);
  });
}

function summaryOf(tested: { row: WorkspaceRow; findings: Found[] }[]): Finding {
  const name = 'slack';
  if (tested.length === 0) return { state: 'ok', name, detail: 'no workspace is connected' };
  const wrong = tested.flatMap(({ row, findings }) =>
    findings.filter(({ state }) => state !== 'ok').map((finding) => ({ row, finding })),
  );
  const worst = wrong.find(({ finding }) => finding.state === 'fail') ?? wrong[0];
  if (!worst)
    return { state: 'ok', name, detail: `${tested.length} workspace(s), and nothing wrong with them` };
  const { row, finding } = worst;
  const others = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
  const what = `${named(row)}: ${finding.name}: ${finding.detail.replace(/\.$/, '')}${others}`;
  return { state: finding.state, name, detail: `${what}; see \`countersign slack test --id ${row.id}\`` };
}
