import { setTimeout as sleep } from 'node:timers/promises';
import type { Kysely } from 'kysely';
import { recordEvent } from '../../src/deliveries/outbox-store.ts';
import type { DB } from '../../src/generated/database.ts';
import { newId } from '../../src/kernel/id.ts';

const PER_SECOND = 200;
/** Events of one transaction, as a busy API commits them. */
const TOGETHER = 4;
const AT_ONCE = 8;
const TYPE = 'challenge.completed';

export type Owner = { tenantId: string; integrationId: string };

/**
 * Commits events through the outbox at a steady pace until it is stopped, for all URLs in turn. Transactions that fail
 * are not repeated; the ids of those that committed are in `committed`.
 */
export function startLoad(db: Kysely<DB>, owner: Owner, urls: readonly string[]) {
  const committed = new Set<string>();
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let [turn, failed] = [0, 0];

  async function commitSome(): Promise<void> {
    const ids = Array.from({ length: TOGETHER }, () => newId());
    await db.transaction().execute(async (tx) => {
      for (const id of ids) {
        const [mode, body] = ['test', JSON.stringify({ event_id: id })] as const;
        const event = { id, tenant_id: owner.tenantId, mode, type: TYPE, body, occurred_at: new Date() };
        turn += 1;
        await recordEvent(tx, event, { integration_id: owner.integrationId, url: urls[turn % urls.length]! });
      }
    });
    for (const id of ids) committed.add(id);
  }

  const loop = async () => {
    for (let next = performance.now(); !stopping.signal.aborted; next += (1_000 * TOGETHER) / PER_SECOND) {
      await sleep(Math.max(0, next - performance.now()));
      if (running.size >= AT_ONCE) continue;
      const one: Promise<void> = commitSome()
        .catch(() => void (failed += TOGETHER))
        .finally(() => running.delete(one));
      running.add(one);
    }
    await Promise.all(running);
  };
  const done = loop();
  return {
    committed,
    failed: () => failed,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

export type Load = ReturnType<typeof startLoad>;
