import { Agent } from 'undici';
import * as address from './address.ts';
import type { Policy, Reach } from './address.ts';
import { guardedConnector } from './outbound-connector.ts';
import { classify, HEADERS_MAX_BYTES, OutboundError, refused } from './outbound-errors.ts';
import { createResolve, rejectOnAbort, rememberNames } from './outbound-resolve.ts';
import type { Resolve } from './outbound-resolve.ts';
import { judgeUrl, ownOf } from './outbound-url.ts';
import { isStale, watchWires } from './outbound-wires.ts';
import type { Wire } from './outbound-wires.ts';

export type { Reach } from './address.ts';
export { OutboundError } from './outbound-errors.ts';
export type { ErrorClass } from './outbound-errors.ts';

const PORTS = [80, 443, 8443];
const KEEP_ALIVE_MAX_MS = 30_000; // an open socket keeps an old verdict, so it may neither idle nor live longer

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

/** What the operator decides about the way out. */
export type OutboundOptions = {
  allowedCidrs: readonly string[];
  /** those that may be called on the public internet; 80, 443 and 8443 unless given */
  ports?: readonly number[];
  userAgent: string;
  /** the origin of this server, which is never called */
  ownUrl?: string;
  /** replaces DNS in tests */
  resolve?: Resolve;
};

/** Builds the client; throws Error when a CIDR cannot be read. */
export function createOutbound(options: OutboundOptions): Outbound {
  const rules = {
    allowed: options.allowedCidrs.map(address.readNetwork),
    ports: options.ports ?? PORTS,
    own: options.ownUrl === undefined ? undefined : ownOf(options.ownUrl),
  };
  const resolve = rememberNames(options.resolve ?? createResolve());
  const wires = watchWires();
  const agents = new Map<string, Agent>();
  let closing: Promise<unknown> | undefined;

  // One agent per reach: a socket opened under a wide reach must not serve a request with a narrow one.
  function agentFor(reach: Reach): Agent {
    if (closing) throw new OutboundError('internal', 'The outbound client is closed.');
    const key = `http=${reach.http} loopback=${reach.loopback}`;
    const agent = agents.get(key) ?? createAgent({ reach, ...rules }, resolve, wires.current);
    agents.set(key, agent);
    return agent;
  }

  function check(url: string, reach: Reach): URL {
    const verdict = judgeUrl(url, { reach, ...rules });
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

function timedOut({ timeoutMs }: OutboundRequest, { socket }: Wire): OutboundError {
  const [errorClass, what] = socket
    ? (['timeout', 'complete answer'] as const)
    : (['connect_timeout', 'connection'] as const);
  return new OutboundError(errorClass, `No ${what} within ${timeoutMs} ms.`);
}
