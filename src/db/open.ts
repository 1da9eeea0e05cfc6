import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import type { DB } from '../generated/database.ts';
import { createSealer } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import { connectDatabase } from './database.ts';
import type { Connection } from './database.ts';
import type { Watch } from './embedded-watch.ts';

/** What everything that touches stored data needs. */
export type Store = {
  connection: Connection;
  db: Kysely<DB>;
  sealer: Sealer;
  /** a key of our own that never leaves the process, for signing what comes back to us */
  signingKey: Buffer;
  /** the bundled PostgreSQL runs: this is somebody's own machine */
  bundled: boolean;
  /** where the bundled PostgreSQL keeps its state */
  stateDir: string | undefined;
  close(): Promise<void>;
};

const KEY_FILE = 'encryption.key';
const KEY_BYTES = 32;

/**
 * Opens the operator's PostgreSQL, or the bundled one, which it starts or joins; with `watch`, again and again should
 * it die. Does not migrate.
 */
export async function openStore(
  config: Config,
  onError: (error: unknown) => void,
  watch?: Watch,
): Promise<Store> {
  if (config.databaseUrl) {
    const connection = { connectionString: config.databaseUrl };
    return storeOf(connection, config.encryptionKeys, onError, undefined);
  }
  // Loaded only here: with DATABASE_URL the binaries need not be there.
  const { startEmbedded } = await import('./embedded.ts');
  const { watchEmbedded } = await import('./embedded-watch.ts');
  const started = await startEmbedded(config.dataDir);
  const keys = config.encryptionKeys.length > 0 ? config.encryptionKeys : [ownKey(started.stateDir)];
  const postgres = watch ? watchEmbedded(config.dataDir, started, watch) : started;
  return storeOf(postgres.connection, keys, onError, postgres);
}

type Bundled = { stateDir: string; stop(): Promise<void> };

function storeOf(
  connection: Connection,
  keys: readonly Buffer[],
  onError: (error: unknown) => void,
  bundled: Bundled | undefined,
): Store {
  const [signingKey] = keys;
  if (!signingKey) throw new Error('an encryption key is needed');
  let closing = false;
  // Connections still on their way out when the bundled database stops would each be called broken.
  const { db } = connectDatabase(connection, (error) => closing || onError(error));
  return {
    connection,
    db,
    sealer: createSealer(keys),
    signingKey,
    bundled: bundled !== undefined,
    stateDir: bundled?.stateDir,
    async close() {
      closing = true;
      await db.destroy();
      await bundled?.stop();
    },
  };
}

/** The key beside the bundled database, made on first use; two first starts agree on one. */
function ownKey(stateDir: string): Buffer {
  const file = join(stateDir, KEY_FILE);
  const read = () => Buffer.from(readFileSync(file, 'utf8').trim(), 'hex');
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${randomBytes(KEY_BYTES).toString('hex')}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return read();
}
