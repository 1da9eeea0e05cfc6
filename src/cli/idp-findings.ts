import type { Store } from '../db/open.ts';
import { isoTime } from '../challenges/present.ts';
import type { Http } from '../providers/provider.ts';
import { openIdp } from '../signin/idp.ts';
import { methods } from '../signin/index.ts';
import type { Finding } from '../signin/method.ts';
import { findNewestOutcomes } from '../signin/store.ts';
import type { Idp } from '../signin/store.ts';
import { printable } from './desk.ts';

/** One thing that was found, as it may be printed: an IdP is quoted in it. */
export type Found = Omit<Finding, 'tentative'>;

/**
 * What can be tried of an IdP without a person. What only may be wrong is right once somebody was verified there with
 * the settings as they are.
 */
export async function findingsOf(
  { db, sealer }: Pick<Store, 'db' | 'sealer'>,
  idp: Idp,
  { publicUrl, http }: { publicUrl: string; http: Http },
): Promise<Found[]> {
  const findings = await methods[idp.kind].test(publicUrl, openIdp(sealer, idp), http);
  const { verified } = await findNewestOutcomes(db, idp.id);
  const at = verified?.ended_at ?? null;
  return findings.map((finding) => shown(finding, at !== null && at > idp.updated_at ? at : null));
}

function shown({ state, name, detail, tentative = false }: Finding, verifiedAt: Date | null): Found {
  const text = printable(detail);
  return tentative && verifiedAt
    ? { state: 'ok', name, detail: `${text} Somebody was verified all the same (${isoTime(verifiedAt)}).` }
    : { state, name, detail: text };
}
