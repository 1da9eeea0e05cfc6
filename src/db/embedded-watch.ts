import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { every } from '../kernel/every.ts';
import { isAnswering } from './embedded-cluster.ts';
import { startEmbedded, type EmbeddedPostgres } from './embedded.ts';

/** Who hears what became of a bundled PostgreSQL that had stopped answering. */
export type Watch = { revived(): void; failed(error: unknown): void };

const LOOK_MS = 3_000;

/**
 * Keeps a bundled PostgreSQL alive: when it stops answering (killed for its memory, say), it is joined or started
 * again. Its connection stays the same, so pools find it by themselves. Every process using it may do so at once.
 */
export function watchEmbedded(dataDir: string, first: EmbeddedPostgres, watch: Watch): EmbeddedPostgres {
  const stopping = new AbortController();
  let current = first;
  const look = async () => {
    if (current.isCurrent() && (await isAnswering(current.connection))) return;
    // Whoever took the directory away (an unmounted disk) does not want an empty database in its place.
    const cluster = join(current.stateDir, 'cluster');
    if (!existsSync(cluster)) throw new Error(`${cluster} is gone`);
    const silent = current;
    current = await startEmbedded(dataDir, stopping.signal);
    await silent.stop(); // a mere hold on what is gone, or a second one on what is there
    watch.revived();
  };
  const stopLooking = every(LOOK_MS, look, (error) => stopping.signal.aborted || watch.failed(error));
  const stop = async () => {
    stopping.abort();
    await stopLooking();
    await current.stop();
  };
  return { ...first, stop };
}
