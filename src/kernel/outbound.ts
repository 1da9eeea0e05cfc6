import * as address from './address.ts';
import type { Policy, Reach } from './address.ts';
import { isStale } from './outbound-agent.ts';
import type { Wire } from './outbound-agent.ts';
import { guardedConnect } from './outbound-connector.ts';
import { classify, OutboundError } from './outbound-errors.ts';
import type { Timings } from './outbound-errors.ts';
import { exchange, OUT_OF_TIME } from './outbound-exchange.ts';
import { headersFor } from './outbound-headers.ts';
import { createPools } from './outbound-pools.ts';
import { tunnelThrough } from './outbound-proxy.ts';
import type { Proxy } from './outbound-proxy.ts';
import { createResolve, rememberNames } from './outbound-resolve.ts';
import type { Resolve } from './outbound-resolve.ts';
import { acceptedUrl, createTargets } from './outbound-target.ts';
import type { Target } from './outbound-target.ts';
import { tlsIdentity } from './outbound-tls.ts';
import type { Tls } from './outbound-tls.ts';
import { ownOf } from './outbound-url.ts';

export type { Reach } from './address.ts';
export { OutboundError } from './outbound-errors.ts';
export type { ErrorClass, Timings } from './outbound-errors.ts';

const PORTS = [80, 443, 8443];

/** One request; `timeoutMs` covers everything from DNS to the last byte, `maxBytes` counts raw body bytes. */
export type OutboundRequest = {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers: Record<string, string>;
  /** what a tenant wants sent along; never wins over `headers`, nor over what checkExtraHeaders refuses */
  extraHeaders?: Record<string, string> | undefined;
  body?: string | Buffer;
  reach: Reach;
  tls?: Tls | undefined;
  timeoutMs: number;
  maxBytes: number;
  /** never written a second time, not even when the other side seems to have closed an idle connection just then */
  once?: boolean;
};

/** Whatever the other side said, never decompressed; `truncated` when the body went beyond maxBytes. */
export type OutboundAnswer = {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
  truncated: boolean;
  remoteAddress: string | undefined;
  timings: Timings;
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
  /** every connection tunnels through it */
  proxy?: Proxy | undefined;
  /** called for every request that is written on a connection, new or used before */
  onConnection?: ((reused: boolean) => void) | undefined;
  /** replaces DNS in tests */
  resolve?: Resolve;
};

/** All that follows from one reach. */
type View = { key: string; policy: Policy; targetOf: (url: string) => Target };

/** Builds the client; throws Error when a CIDR or the URL of the proxy cannot be read. */
export function createOutbound(options: OutboundOptions): Outbound {
  const rules = {
    allowed: options.allowedCidrs.map(address.readNetwork),
    ports: options.ports ?? PORTS,
    own: options.ownUrl === undefined ? undefined : ownOf(options.ownUrl),
    namesUnseen: options.proxy?.resolves ?? false,
  };
  const tunnel = options.proxy && tunnelThrough(options.proxy);
  const resolve = rememberNames(options.resolve ?? createResolve());
  const pools = createPools();
  const views = new Map<string, View>();
  let isClosed = false;

  function viewOf(reach: Reach): View {
    const key = `http=${reach.http} loopback=${reach.loopback}`;
    const known = views.get(key);
    if (known) return known;
    const policy = { reach: { ...reach }, ...rules };
    const view = { key, policy, targetOf: createTargets(policy) };
    views.set(key, view);
    return view;
  }

  // One agent per reach and TLS identity: a socket opened under a wide reach must not serve a request with a narrow one.
  function agentFor({ key, policy }: View, tls: Tls | undefined) {
    if (isClosed) throw new OutboundError('internal', 'The outbound client is closed.');
    const identity = tls ? key + tlsIdentity(tls) : key;
    return pools.agentFor(identity, () => guardedConnect({ policy, resolve, tls, tunnel }));
  }

  async function attempt(request: OutboundRequest, wire: Wire, timeoutMs: number): Promise<OutboundAnswer> {
    const view = viewOf(request.reach);
    const { origin, path } = view.targetOf(request.url);
    const { method, body = null, maxBytes } = request;
    const headers = headersFor(options.userAgent, request.headers, request.extraHeaders);
    const outgoing = { origin, path, method, headers, body, wire };
    const answer = await exchange(agentFor(view, request.tls), outgoing, { timeoutMs, maxBytes });
    return { ...answer, remoteAddress: wire.connection?.peer, timings: wire.timings ?? {} };
  }

  return {
    check: (url, reach) => acceptedUrl(url, viewOf(reach).policy),
    async request(request) {
      const began = performance.now();
      const wire: Wire = { onSent: options.onConnection };
      try {
        return await attempt(request, wire, request.timeoutMs);
      } catch (error) {
        const failure = failureOf(error, request, wire);
        if (failure.errorClass !== 'reset' || !isStale(wire) || request.once) throw failure;
      }
      const again: Wire = { onSent: options.onConnection };
      const leftMs = Math.max(request.timeoutMs - (performance.now() - began), 1);
      return await attempt(request, again, leftMs).catch((error: unknown) => {
        throw failureOf(error, request, again);
      });
    },
    async close() {
      isClosed = true;
      await pools.close();
    },
  };
}

function failureOf(error: unknown, request: OutboundRequest, wire: Wire): OutboundError {
  const failure = nameOf(error, request, wire);
  failure.timings = wire.timings ?? {};
  return failure;
}

function nameOf(error: unknown, { timeoutMs }: OutboundRequest, wire: Wire): OutboundError {
  if (error !== OUT_OF_TIME) return classify(error);
  if (wire.connection) return new OutboundError('timeout', `No complete answer within ${timeoutMs} ms.`);
  return wire.isAtProxy
    ? new OutboundError('proxy', `No tunnel through the proxy within ${timeoutMs} ms.`)
    : new OutboundError('connect_timeout', `No connection within ${timeoutMs} ms.`);
}
