import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { Agent, buildConnector } from 'undici';
import type { DiagnosticsChannel } from 'undici';
import * as address from './address.ts';
import type { Policy, Reach, Refusal } from './address.ts';

export type { Reach } from './address.ts';

const CONNECT_TIMEOUT_MS = 10_000; // a ceiling; the caller's timeoutMs usually ends a connect earlier
const CONNECT_ATTEMPT_MS = 1_000; // per address of one host, before the next address is tried beside it
const KEEP_ALIVE_MAX_MS = 30_000; // an open socket keeps an old verdict, so it may neither idle nor live longer
const HEADERS_MAX_BYTES = 16 * 1024;
const RESOLVE_BUDGET_MS = 2_000;
const RESOLVE_TRY_MS = 900;
const RESOLVED_KEPT_MS = 60_000;
const UNRESOLVED_KEPT_MS = 30_000;
const NAMES_KEPT_MAX = 1_000;

/** Why a request got no answer; stored and counted per attempt (delivery.md §8). */
export type ErrorClass =
  | 'dns'
  | 'ssrf_refused'
  | 'connect_refused'
  | 'connect_timeout'
  | 'tls'
  | 'reset'
  | 'timeout'
  | 'too_large'
  | 'internal';

/** The only error of this file; `rule` names the rule behind `ssrf_refused`. The message may be shown to the tenant. */
export class OutboundError extends Error {
  readonly errorClass: ErrorClass;
  readonly rule: string | undefined;

  constructor(errorClass: ErrorClass, message: string, details: { rule?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.name = 'OutboundError';
    this.errorClass = errorClass;
    this.rule = details.rule;
  }
}

/** One request; `timeoutMs` covers everything from DNS to the last byte, `maxBytes` counts raw body bytes. */
export type OutboundRequest = {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  body?: string | Buffer;
  reach: Reach;
  timeoutMs: number;
  maxBytes: number;
};

/** Whatever the other side said, never decompressed; `truncated` when the body went beyond maxBytes. */
export type OutboundAnswer = {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  truncated: boolean;
  remoteAddress: string | undefined;
};

/** The one way out of this server; everything here throws OutboundError and nothing else. */
export type Outbound = {
  /** Checks without DNS, for a friendly error when a URL is saved; returns the normalised URL. */
  check(url: string, reach: Reach): URL;
  /** Any status is an answer, 3xx included: redirects are never followed. */
  request(request: OutboundRequest): Promise<OutboundAnswer>;
  /** Waits for requests under way, each bounded by its own timeout, and closes all connections. */
  close(): Promise<void>;
};

type Resolve = (hostname: string) => Promise<string[]>;

/** Builds the client; throws Error when a CIDR cannot be read. `resolve` replaces DNS in tests. */
export function createOutbound(options: {
  allowedCidrs: readonly string[];
  userAgent: string;
  resolve?: Resolve;
}): Outbound {
  const allowed = options.allowedCidrs.map(address.readNetwork);
  const resolve = rememberNames(options.resolve ?? createResolve());
  const wires = watchWires();
  const agents = new Map<string, Agent>();
  let closing: Promise<unknown> | undefined;

  // One agent per reach: a socket opened under a wide reach must not serve a request with a narrow one.
  function agentFor(reach: Reach): Agent {
    if (closing) throw new OutboundError('internal', 'The outbound client is closed.');
    const key = `http=${reach.http} loopback=${reach.loopback}`;
    const agent = agents.get(key) ?? createAgent({ reach, allowed }, resolve, wires.current);
    agents.set(key, agent);
    return agent;
  }

  function check(url: string, reach: Reach): URL {
    const verdict = address.judgeUrl(url, { reach, allowed });
    if ('refusal' in verdict) throw refused(verdict.refusal);
    return verdict.url;
  }

  async function attempt(request: OutboundRequest, wire: Wire): Promise<OutboundAnswer> {
    const { origin, pathname, search } = check(request.url, request.reach);
    const headers = headersFor(request.headers, options.userAgent);
    const answer = await wires.watch(wire, () =>
      agentFor(request.reach).request({
        origin,
        path: pathname + search,
        method: request.method,
        headers,
        body: request.body ?? null,
        signal: wire.signal, // covers these two as well, which only count the gaps between packets
        headersTimeout: 0,
        bodyTimeout: 0,
      }),
    );
    answer.body.on('error', () => {}); // cutting an oversized body short emits one that nobody else hears
    const read = await readBody(answer.body as AsyncIterable<Buffer>, request.maxBytes);
    return { status: answer.statusCode, headers: flatten(answer.headers), ...read, remoteAddress: wire.peer };
  }

  return {
    check,
    async request(request) {
      const signal = AbortSignal.timeout(request.timeoutMs);
      // undici notices the signal only once a connection stands; DNS and connect need the race.
      const run = (wire: Wire) =>
        Promise.race([attempt(request, wire), rejectOnAbort(signal)]).catch((error: unknown) => {
          throw signal.aborted ? timedOut(request, wire) : classify(error);
        });
      const first: Wire = { signal };
      return await run(first).catch((error: OutboundError) => {
        if (error.errorClass === 'reset' && isStale(first)) return run({ signal });
        throw error;
      });
    },
    async close() {
      closing ??= Promise.all([...agents.values()].map((agent) => agent.close())).finally(() => wires.stop());
      await closing;
    },
  };
}

function createAgent(policy: Policy, resolve: Resolve, current: () => Wire | undefined): Agent {
  return new Agent({
    connect: guardedConnector(policy, resolve, current),
    pipelining: 1,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
    clientTtl: KEEP_ALIVE_MAX_MS,
    maxHeaderSize: HEADERS_MAX_BYTES,
  });
}

/** Vets every address of the host, connects to one of exactly those, and looks at the peer once more. */
function guardedConnector(
  policy: Policy,
  resolve: Resolve,
  current: () => Wire | undefined,
): buildConnector.connector {
  return (target, callback) => {
    const signal = current()?.signal;
    vettedAddresses(target, policy, resolve)
      .then((vetted) => openSocket(target, vetted, signal))
      .then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
  };
}

async function vettedAddresses(
  { hostname, port, protocol }: buildConnector.Options,
  policy: Policy,
  resolve: Resolve,
): Promise<string[]> {
  const addresses = await addressesOf(hostname, policy, resolve);
  for (const found of addresses) {
    const rule = address.refusedEndpoint(found, address.portOf({ port, protocol }), policy);
    if (rule !== undefined) throw refused(address.refusal(rule, hostname));
  }
  return addresses;
}

async function addressesOf(hostname: string, policy: Policy, resolve: Resolve): Promise<string[]> {
  if (isIP(hostname)) return [hostname]; // undici calls no lookup for literals, so they must be vetted here
  if (address.isLocalhost(hostname)) return address.localhostAddresses(policy); // not empty: check() came first
  try {
    const found = await resolve(hostname);
    return found.map((text) => address.canonicalAddress(text) ?? text);
  } catch (cause) {
    throw new OutboundError('dns', `${hostname} could not be resolved (${codeOf(cause) || 'no answer'}).`, {
      cause,
    });
  }
}

function openSocket(
  target: buildConnector.Options,
  vetted: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Socket> {
  // Ends the connect together with the request it is for, but never the socket once it is in the pool.
  const giveUp = new AbortController();
  const abandon = () => giveUp.abort();
  if (signal?.aborted) abandon();
  signal?.addEventListener('abort', abandon);

  const pinned = vetted.map((text) => ({ address: text, family: isIP(text) }));
  const lookup: LookupFunction = (_hostname, { all }, done) =>
    all ? done(null, pinned) : done(null, pinned[0]?.address ?? '', pinned[0]?.family);
  const connect = buildConnector({
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: CONNECT_ATTEMPT_MS,
    timeout: CONNECT_TIMEOUT_MS,
    minVersion: 'TLSv1.2',
    signal: giveUp.signal,
    rejectUnauthorized: true, // said aloud, or NODE_TLS_REJECT_UNAUTHORIZED=0 would switch it off
  });
  // Never the caller's idea of a server name: the certificate must be that of the host in the URL.
  const servername = isIP(target.hostname) ? '' : target.hostname;
  return new Promise((opened, failed) => {
    connect({ ...target, servername }, (error, socket) => {
      signal?.removeEventListener('abort', abandon);
      if (error) return failed(error);
      const peer = address.canonicalAddress(socket.remoteAddress ?? '');
      if (peer !== undefined && vetted.includes(peer)) return opened(socket);
      socket.destroy();
      failed(refused(address.refusal('peer_changed', target.hostname)));
    });
  });
}

/** c-ares, not getaddrinfo: that one runs on the four libuv threads, where a few slow names stall every worker. */
function createResolve(): Resolve {
  const resolver = new Resolver({ timeout: RESOLVE_TRY_MS, tries: 2 });
  return async (hostname) => {
    const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
    return [four, six].flatMap((found) => (found.status === 'fulfilled' ? found.value : []));
  };
}

/** Remembers answers and failures alike, gives each question its time budget, and asks once for simultaneous callers. */
function rememberNames(resolve: Resolve): Resolve {
  const known = new Map<string, { answer: Promise<string[]>; until: number }>();
  return (hostname) => {
    const remembered = known.get(hostname);
    if (remembered && remembered.until > Date.now()) return remembered.answer;
    const entry = { answer: withinBudget(resolve, hostname), until: Date.now() + RESOLVED_KEPT_MS };
    entry.answer.catch(() => (entry.until = Date.now() + UNRESOLVED_KEPT_MS));
    known.delete(hostname);
    known.set(hostname, entry);
    const [oldest] = known.keys();
    if (known.size > NAMES_KEPT_MAX && oldest !== undefined) known.delete(oldest);
    return entry.answer;
  };
}

async function withinBudget(resolve: Resolve, hostname: string): Promise<string[]> {
  const found = await Promise.race([
    resolve(hostname),
    rejectOnAbort(AbortSignal.timeout(RESOLVE_BUDGET_MS)),
  ]);
  if (found.length === 0) throw new Error('no addresses');
  return found;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, failed) => {
    if (signal.aborted) return failed(signal.reason);
    signal.addEventListener('abort', () => failed(signal.reason), { once: true });
  });
}

/** What one request had under it; no socket yet means that the connection never stood. */
type Wire = {
  signal: AbortSignal;
  socket?: Socket;
  peer?: string | undefined;
  wasUsed?: boolean;
  bytesBefore?: number;
};

/** undici tells about sockets only on these channels: a request is created while it is dispatched, and sent later. */
function watchWires() {
  const byRequest = new WeakMap<object, Wire>();
  const used = new WeakSet<Socket>();
  let dispatching: Wire | undefined;
  const onCreate = (message: unknown) => {
    if (dispatching) byRequest.set((message as DiagnosticsChannel.RequestCreateMessage).request, dispatching);
  };
  const onSend = (message: unknown) => {
    const { request, socket } = message as DiagnosticsChannel.ClientSendHeadersMessage;
    const wire = byRequest.get(request);
    if (!wire) return;
    const { remoteAddress: peer, bytesRead: bytesBefore } = socket;
    Object.assign(wire, { socket, peer, bytesBefore, wasUsed: used.has(socket) } satisfies Partial<Wire>);
    used.add(socket);
  };
  subscribe('undici:request:create', onCreate);
  subscribe('undici:client:sendHeaders', onSend);

  return {
    /** The request being dispatched: undici opens a connection for it within that call. */
    current: () => dispatching,
    watch<T>(wire: Wire, dispatch: () => T): T {
      dispatching = wire;
      try {
        return dispatch();
      } finally {
        dispatching = undefined;
      }
    },
    stop() {
      unsubscribe('undici:request:create', onCreate);
      unsubscribe('undici:client:sendHeaders', onSend);
    },
  };
}

/** The server closed an idle connection just as we wrote on it: RFC 9112 §9.3.1, nothing of an answer was read. */
function isStale({ socket, wasUsed, bytesBefore }: Wire): boolean {
  return socket !== undefined && wasUsed === true && socket.bytesRead === bytesBefore;
}

/** The caller's headers as given, but Host stays that of the URL and User-Agent stays ours (delivery.md §8). */
function headersFor(given: Record<string, string>, userAgent: string): Record<string, string> {
  const headers = Object.entries(given).filter(([name]) => name.toLowerCase() !== 'user-agent');
  if (headers.some(([name]) => name.toLowerCase() === 'host')) {
    throw new OutboundError('internal', 'The Host header cannot be set.');
  }
  return Object.fromEntries([...headers, ['user-agent', userAgent]]);
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value].flat().join(', ')]),
  );
}

async function readBody(stream: AsyncIterable<Buffer>, maxBytes: number) {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break; // leaving the loop destroys the stream and with it the connection
  }
  return { body: Buffer.concat(chunks, Math.min(size, maxBytes)), truncated: size > maxBytes };
}

function refused({ rule, message }: Refusal): OutboundError {
  return new OutboundError('ssrf_refused', message, { rule });
}

function timedOut({ timeoutMs }: OutboundRequest, { socket }: Wire): OutboundError {
  const [errorClass, what] = socket
    ? (['timeout', 'complete answer'] as const)
    : (['connect_timeout', 'connection'] as const);
  return new OutboundError(errorClass, `No ${what} within ${timeoutMs} ms.`);
}

// Codes of node, of OpenSSL as node names them, of undici (UND_ERR_) and of its parser (HPE_). First match wins.
const CLASSES: readonly (readonly [RegExp, ErrorClass])[] = [
  [/^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW|UND_ERR_RES_EXCEEDED_MAX_SIZE)$/, 'too_large'],
  [/^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, 'connect_timeout'],
  [/^(UND_ERR_HEADERS_TIMEOUT|UND_ERR_BODY_TIMEOUT)$/, 'timeout'],
  [
    /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|EACCES|EPERM)$/,
    'connect_refused',
  ],
  // An answer that breaks off and one that is not HTTP are the same to us: the other side did not finish.
  [/^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH|HPE_.*)$/, 'reset'],
  [/^(ERR_TLS_.*|ERR_SSL_.*|EPROTO|CERT_.*|CRL_.*|UNABLE_TO_.*|.*SELF_SIGNED.*|HOSTNAME_MISMATCH)$/, 'tls'],
  [/^(ERROR_IN_C.*|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|OUT_OF_MEM)$/, 'tls'],
];

// Instead of node's own words, which name addresses; those of a failed certificate check name what to repair.
const SENTENCES: Partial<Record<ErrorClass, string>> = {
  connect_refused: 'The connection was refused.',
  connect_timeout: 'No connection in time.',
  timeout: 'No complete answer in time.',
  reset: 'The connection broke off, or the answer was not complete HTTP.',
  too_large: `The answer has more than ${HEADERS_MAX_BYTES} bytes of headers.`,
};

function classify(error: unknown): OutboundError {
  if (error instanceof OutboundError) return error;
  const code = codeOf(error);
  const errorClass = CLASSES.find(([pattern]) => pattern.test(code))?.[1] ?? 'internal';
  const sentence = SENTENCES[errorClass] ?? (error instanceof Error ? error.message : String(error));
  return new OutboundError(errorClass, code ? `${sentence} (${code})` : sentence, { cause: error });
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  // undici 7 means to give these a code and gives undefined.
  return 'name' in error && error.name === 'HTTPParserError' ? 'HPE_UNKNOWN' : '';
}
