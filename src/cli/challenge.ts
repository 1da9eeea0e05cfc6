import type { Challenge } from '../challenges/challenge.ts';
import { findTenantChallenge, listTrail } from '../challenges/trail-store.ts';
import type { Db } from '../db/database.ts';
import { AppError } from '../kernel/errors.ts';
import { isUuid } from '../kernel/id.ts';
import { listRuns } from '../providers/runs-store.ts';
import { listSignIns } from '../signin/trail-store.ts';
import { presentAll } from './challenge-detail.ts';
import { challengeShown } from './challenge-text.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';
import { ID_OPTION } from './desk.ts';

const show: Command = {
  name: 'challenge show',
  summary:
    'Show all that is known of one challenge, with its runs at the provider, its sign-ins and its audit trail',
  options: { id: ID_OPTION },
  run: (config, values) =>
    withTenant(config, async ({ db }, tenantId) => {
      const id = textOf(values, 'id') ?? '';
      if (!isUuid(id)) throw new UsageError('--id must be the challenge_id that the create answered');
      const challenge = await getTenantChallenge(db, tenantId, id);
      const told = {
        ...{ runs: await listRuns(db, id), signIns: await listSignIns(db, id) },
        trail: await listTrail(db, id),
      };
      const detail = presentAll(challenge, told, new Date());
      return { json: detail, text: challengeShown(detail) };
    }),
};

/** What happened to challenges. */
export const challengeCommands: Command[] = [show];

/** The tenant's challenge with this id, of either mode, or an error that says so. */
export async function getTenantChallenge(db: Db, tenantId: string, id: string): Promise<Challenge> {
  const challenge = await findTenantChallenge(db, tenantId, id);
  if (challenge) return challenge;
  throw new AppError('not_found', `There is no challenge ${id}, in test mode or in live mode`);
}
