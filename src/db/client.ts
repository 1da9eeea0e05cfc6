import pg from 'pg';
import { unreachable } from '../kernel/unreachable.ts';

/** How to reach PostgreSQL: a URL, or the parts of a unix-socket connection. */
export type Connection =
  { connectionString: string } | { host: string; user: string; password: string; database: string };

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a connection may be quiet before the kernel asks whether the other side is still there. */
const KEEP_ALIVE_AFTER_MS = 10_000;
/** Longer than PostgreSQL lets a statement of ours run, so only a connection that fell silent gets here. */
const ANSWER_TIMEOUT_MS = 40_000;
const SILENT = 'Query read timeout';

/** What a pool needs so that no caller waits for ever: a failover may take the other side away without a word. */
export function poolSettings(connection: Connection, answerTimeoutMs = ANSWER_TIMEOUT_MS) {
  return {
    ...connection,
    Client: WatchedClient,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    query_timeout: answerTimeoutMs,
  };
}

/** Runs `work` on a connection of its own; an error while connecting names the place and the cure. */
export async function withClient<T>(
  connection: Connection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    ...connection,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  });
  client.on('error', () => undefined); // what breaks it also rejects its query
  await client.connect().catch((error: unknown) => {
    const setting = 'connectionString' in connection ? 'DATABASE_URL' : undefined;
    throw unreachable('PostgreSQL', `${client.host}:${client.port}`, setting, error);
  });
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/**
 * A pool's connection. It always has a listener, for one that breaks while checked out would else end the process; and
 * it ends itself when an answer is overdue, for pg itself hands it out again, and it would never answer anybody.
 */
class WatchedClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    this.on('error', () => undefined);
    const ask = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const answer = ask(...args);
      // Callers with a callback are pg's own pool, which drops a client that failed.
      if (answer instanceof Promise) answer.catch((reason: Error) => this.endIfSilent(reason));
      return answer;
    }) as typeof this.query;
  }

  private endIfSilent({ message }: Error): void {
    if (message === SILENT) this.end().catch(() => undefined);
  }
}
