import type { Config } from '../config.ts';
import type { Store } from '../db/open.ts';
import type { Viewer } from '../deliveries/desk-store.ts';
import type { PreviewDeps } from '../deliveries/desk.ts';
import type { EnableDeps } from '../deliveries/enable.ts';
import type { TestDeps } from '../deliveries/test-event.ts';
import { isUuid } from '../kernel/id.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { createReach } from '../reach.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Option, Values } from './command.ts';

/** All that the delivery desk needs, and whose desk it is. */
export type Desk = PreviewDeps & EnableDeps & TestDeps & { store: Store; tenantId: string; viewer: Viewer };

/** Who did it, in the audit trail. */
export const ACTOR = 'cli';
export const ID_OPTION: Option = { type: 'string', value: 'ID', required: true, help: 'Its id' };

/** Runs `work` at the delivery desk of the first tenant, in both modes. It has no queue: a server finds by itself what is committed here. */
export function withDesk<T>(config: Config, work: (desk: Desk) => Promise<T>): Promise<T> {
  return withTenant(config, async (store, tenantId) => {
    const reach = createReach(config, store.bundled);
    const { db, sealer } = store;
    const desk = {
      ...{ db, sealer, ...reach, now: () => new Date(), wake: () => undefined, metrics: createMetrics() },
      ...{ store, tenantId, viewer: { tenant_id: tenantId, mode: null, only_of: null } },
    };
    try {
      return await work(desk);
    } finally {
      await reach.outbound.close();
    }
  });
}

/** The value of `--id`; what is no id is nobody's. */
export function idOf(values: Values, list: string): string {
  const id = textOf(values, 'id') ?? '';
  if (!isUuid(id)) throw new UsageError(`--id must be an id such as \`countersign ${list}\` shows`);
  return id;
}

/** Text from outside on one line, without what a terminal would take for commands. */
export function printable(text: string): string {
  return text.replaceAll(/\p{C}|[\u2028\u2029]/gu, ' ');
}
