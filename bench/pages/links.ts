import { insertChallenges } from '../../src/challenges/store.ts';
import { newToken, sha256 } from '../../src/kernel/crypto.ts';
import { newId } from '../../src/kernel/id.ts';
import type { Stage } from '../inbound/stage.ts';

const BATCH = 500;
const OPEN_MS = 3_600_000;

/** Creates challenges past the API, as many as links are wanted; their paths. */
export async function createLinks({ db, owner }: Stage, count: number): Promise<string[]> {
  const paths: string[] = [];
  while (paths.length < count) {
    const made = Array.from({ length: Math.min(BATCH, count - paths.length) }, () => {
      const [id, token, now] = [newId(), newToken(), Date.now()];
      paths.push(`/challenge/start/${id}?token=${token}`);
      const challenge = {
        ...{ id, tenant_id: owner.tenantId, integration_id: owner.integrationId, mode: 'test' as const },
        ...{
          status: 'initiated' as const,
          target_user_email: 'ada@example.com',
          requester_id: 'Service desk',
        },
        ...{ context: 'Password reset, ticket 4711\nYou called us at 10:32.', ticket: 'INC0004711' },
        ...{ metadata: {}, verification_code: '42', verification_token_hash: sha256(token) },
        ...{ provider_attempts: 1, created_at: new Date(now), expires_at: new Date(now + OPEN_MS) },
      };
      return { challenge, actor: 'bench' };
    });
    await insertChallenges(db, made);
  }
  return paths;
}
