import type { Socket } from 'node:net';
import { Agent, Client, Pool } from 'undici';
import type { buildConnector, Dispatcher } from 'undici';
import { HEADERS_MAX_BYTES } from './outbound-errors.ts';
import type { Timings } from './outbound-errors.ts';

const KEEP_ALIVE_MAX_MS = 30_000; // an open socket keeps an old verdict, so it may neither idle nor live longer

/** A connection that stands; `peer` is the address at its far end, unknown when a proxy has chosen it. */
export type Connection = { socket: Socket; peer: string | undefined };

/** What one request has under it; no connection means that it was not sent. */
export type Wire = {
  line?: Line;
  connection?: Connection;
  wasUsed?: boolean;
  bytesBefore?: number;
  /** ends the connect that is under way for this request */
  giveUp?: (() => void) | undefined;
  /** waiting for a proxy and not for the receiver */
  isAtProxy?: boolean;
  onSent?: ((reused: boolean) => void) | undefined;
  timings?: Timings;
};

/** Opens a connection for the request of this wire; rejects with whatever node threw. */
export type Connect = (target: buildConnector.Options, wire: Wire) => Promise<Connection>;

/** A request as undici takes it, and the wire it goes by. */
export type Outgoing = Dispatcher.DispatchOptions & { wire: Wire };

/** One client of undici's holds one connection after another, each for one request at a time. */
type Line = { connection?: Connection; isUsed: boolean };

/** Pools of connections per origin; every one of them is opened by `connect`. */
export function createAgent(connect: Connect): Agent {
  return new Agent({
    factory: (origin, shared) =>
      new Pool(origin, {
        ...(shared as Pool.Options),
        factory: (url, options) => createClient(url, options, connect),
      }),
    pipelining: 1,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    clientTtl: KEEP_ALIVE_MAX_MS,
    maxHeaderSize: HEADERS_MAX_BYTES,
    headersTimeout: 0, // these two only count the gaps between packets; the exchange has one time limit over all
    bodyTimeout: 0,
  });
}

/** undici does not say which connection carries a request, but its clients are ours to make. */
function createClient(origin: URL, options: Client.Options, connect: Connect): Client {
  const line: Line = { isUsed: false };
  let latest: Wire = {}; // with pipelining 1, a connection is opened for the request that came last
  const client = new Client(origin, {
    ...options,
    connect: (target, callback) => {
      connect(target, latest).then(
        (connection) => {
          Object.assign(line, { connection, isUsed: false } satisfies Line);
          callback(null, connection.socket);
        },
        (error: Error) => callback(error, null),
      );
    },
  });
  const dispatch = client.dispatch.bind(client);
  client.dispatch = (outgoing, handler) => {
    latest = (outgoing as Outgoing).wire;
    latest.line = line;
    return dispatch(outgoing, handler);
  };
  return client;
}

/** Notes the connection that a request is being written on. */
export function markSent(wire: Wire): void {
  const { line } = wire;
  if (!line?.connection) return;
  wire.connection = line.connection;
  wire.bytesBefore = line.connection.socket.bytesRead;
  wire.wasUsed = line.isUsed;
  line.isUsed = true;
  wire.onSent?.(wire.wasUsed);
}

/** The server closed an idle connection just as we wrote on it: RFC 9112 §9.3.1, nothing of an answer was read. */
export function isStale({ connection, wasUsed, bytesBefore }: Wire): boolean {
  return connection !== undefined && wasUsed === true && connection.socket.bytesRead === bytesBefore;
}
