import * as address from './address.ts';
import type { Policy, Reach } from './address.ts';
import { createAgent, isStale } from './outbound-agent.ts';
import type { Wire } from './outbound-agent.ts';
import { guardedConnect } from './outbound-connector.ts';
import { classify, OutboundError } from './outbound-errors.ts';
import { exchange, OUT_OF_TIME } from './outbound-exchange.ts';
import { createResolve, rememberNames } from './outbound-resolve.ts';
import type { Resolve } from './outbound-resolve.ts';
import { acceptedUrl, createTargets } from './outbound-target.ts';
import { ownOf } from './outbound-url.ts';

export type { Reach } from './address.ts';
export { OutboundError } from './outbound-errors.ts';
export type { ErrorClass } from './outbound-errors.ts';

const PORTS = [80, 443, 8443];

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
  const ways = new Map<string, ReturnType<typeof createWay>>();
  let closing: Promise<unknown> | undefined;

  // One way per reach: a socket opened under a wide reach must not serve a request with a narrow one.
  function wayFor(reach: Reach) {
    if (closing) throw new OutboundError('internal', 'The outbound client is closed.');
    const key = `http=${reach.http} loopback=${reach.loopback}`;
    const way = ways.get(key) ?? createWay({ reach, ...rules }, resolve);
    ways.set(key, way);
    return way;
  }

  async function attempt(request: OutboundRequest, wire: Wire, timeoutMs: number): Promise<OutboundAnswer> {
    const way = wayFor(request.reach);
    const { origin, path } = way.targetOf(request.url);
    const headers = headersFor(request.headers, options.userAgent);
    const { method, body = null, maxBytes } = request;
    const answer = await exchange(
      way.agent,
      { origin, path, method, headers, body, wire },
      { timeoutMs, maxBytes },
    );
    return { ...answer, remoteAddress: wire.connection?.peer };
  }

  return {
    check: (url, reach) => acceptedUrl(url, { reach, ...rules }),
    async request(request) {
      const began = performance.now();
      const wire: Wire = {};
      try {
        return await attempt(request, wire, request.timeoutMs);
      } catch (error) {
        const failure = failureOf(error, request, wire);
        if (failure.errorClass !== 'reset' || !isStale(wire)) throw failure;
      }
      const again: Wire = {};
      const leftMs = Math.max(request.timeoutMs - (performance.now() - began), 1);
      return await attempt(request, again, leftMs).catch((error: unknown) => {
        throw failureOf(error, request, again);
      });
    },
    async close() {
      closing ??= Promise.all([...ways.values()].map(({ agent }) => agent.close()));
      await closing;
    },
  };
}

function createWay(policy: Policy, resolve: Resolve) {
  return { targetOf: createTargets(policy), agent: createAgent(guardedConnect(policy, resolve)) };
}

/** The caller's headers as given, but Host stays that of the URL and User-Agent stays ours (delivery.md §8). */
function headersFor(given: Record<string, string>, userAgent: string): string[] {
  const headers = ['user-agent', userAgent];
  for (const name of Object.keys(given)) {
    const lower = name.toLowerCase();
    if (lower === 'host') throw new OutboundError('internal', 'The Host header cannot be set.');
    if (lower !== 'user-agent') headers.push(name, given[name] ?? '');
  }
  return headers;
}

function failureOf(error: unknown, { timeoutMs }: OutboundRequest, { connection }: Wire): OutboundError {
  if (error !== OUT_OF_TIME) return classify(error);
  return connection
    ? new OutboundError('timeout', `No complete answer within ${timeoutMs} ms.`)
    : new OutboundError('connect_timeout', `No connection within ${timeoutMs} ms.`);
}
