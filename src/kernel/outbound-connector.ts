import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector } from 'undici';
import * as address from './address.ts';
import type { Policy } from './address.ts';
import type { Connect, Connection, Wire } from './outbound-agent.ts';
import { codeOf, OutboundError, refused } from './outbound-errors.ts';
import type { OpenTunnel } from './outbound-proxy.ts';
import { rejectOnAbort } from './outbound-resolve.ts';
import type { Resolve } from './outbound-resolve.ts';
import type { Tls } from './outbound-tls.ts';
import { refusal, refusedHost } from './outbound-url.ts';

const CONNECT_TIMEOUT_MS = 10_000; // a ceiling; the caller's timeoutMs usually ends a connect earlier
const CONNECT_ATTEMPT_MS = 1_000; // per address of one host, before the next address is tried beside it

/** How connections are opened for one reach and one TLS identity; with `tunnel`, through a proxy. */
export type Way = { policy: Policy; resolve: Resolve; tls: Tls | undefined; tunnel: OpenTunnel | undefined };

type Target = buildConnector.Options;
type Opening = Target & { tls: Tls | undefined; signal: AbortSignal };

/** Vets every address of the host, connects to one of exactly those, and looks at the peer once more. */
export function guardedConnect({ policy, resolve, tls, tunnel }: Way): Connect {
  return async (target, wire) => {
    // Ends the connect together with the request it is for, but never the socket once it is in the pool.
    const abandon = new AbortController();
    const { signal } = abandon;
    wire.giveUp = () => abandon.abort();
    try {
      const patient = (hostname: string) => Promise.race([resolve(hostname), rejectOnAbort(signal)]);
      const began = performance.now();
      const vetted = await vettedAddresses(target, policy, patient);
      const resolved = performance.now();
      wire.timings = { dnsMs: resolved - began };
      const opening = { ...target, tls, signal };
      const connection = tunnel
        ? await openThrough(tunnel, opening, vetted, wire)
        : await openDirect(opening, vetted, policy);
      wire.timings.connectMs = performance.now() - resolved;
      return connection;
    } finally {
      wire.giveUp = undefined;
    }
  };
}

/** Empty when the name is left to the proxy. */
async function vettedAddresses(target: Target, policy: Policy, resolve: Resolve): Promise<string[]> {
  const { hostname } = target;
  const port = address.portOf(target);
  const permit = (rule: string | undefined) => {
    if (rule !== undefined) throw refused(refusal(rule, policy, hostname));
  };
  permit(refusedHost(hostname, port, policy));
  const addresses = await addressesOf(hostname, policy, resolve);
  for (const found of addresses) permit(address.refusedEndpoint(found, port, policy));
  return addresses;
}

async function addressesOf(hostname: string, policy: Policy, resolve: Resolve): Promise<string[]> {
  if (isIP(hostname)) return [hostname]; // undici calls no lookup for literals, so they must be vetted here
  if (policy.namesUnseen) return [];
  if (address.isLocalhost(hostname)) return address.localhostAddresses(policy); // not empty: refusedHost came first
  try {
    const found = await resolve(hostname);
    return found.map((text) => address.canonicalAddress(text) ?? text);
  } catch (cause) {
    throw new OutboundError('dns', `${hostname} could not be resolved (${codeOf(cause) || 'no answer'}).`, {
      cause,
    });
  }
}

async function openDirect(opening: Opening, vetted: readonly string[], policy: Policy): Promise<Connection> {
  const socket = await openSocket(opening, lookupOf(vetted));
  return { socket, peer: vettedPeer(socket, vetted, opening.hostname, policy) };
}

async function openThrough(
  tunnel: OpenTunnel,
  opening: Opening,
  vetted: readonly string[],
  wire: Wire,
): Promise<Connection> {
  const port = address.portOf(opening);
  const places = new Map<string, string | undefined>(vetted.map((found) => [placeOf(found, port), found]));
  if (vetted.length === 0) places.set(placeOf(opening.hostname, port), undefined);
  wire.isAtProxy = true;
  const { socket, place } = await tunnel([...places.keys()], opening.signal);
  wire.isAtProxy = false; // from here on every fault is the receiver's
  const isSecure = opening.protocol === 'https:';
  return {
    socket: isSecure ? await openSocket({ ...opening, httpSocket: socket }) : socket,
    peer: places.get(place),
  };
}

function placeOf(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function lookupOf(vetted: readonly string[]): LookupFunction {
  const pinned = vetted.map((text) => ({ address: text, family: isIP(text) }));
  return (_hostname, { all }, done) =>
    all ? done(null, pinned) : done(null, pinned[0]?.address ?? '', pinned[0]?.family);
}

function openSocket({ tls = {}, signal, ...target }: Opening, lookup?: LookupFunction): Promise<Socket> {
  const { ca, cert, key } = tls;
  const connect = buildConnector({
    ...{ ...(ca && { ca }), ...(cert && key && { cert, key }) },
    ...(lookup && { lookup, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: CONNECT_ATTEMPT_MS }),
    timeout: CONNECT_TIMEOUT_MS,
    minVersion: 'TLSv1.2',
    signal,
    rejectUnauthorized: true, // said aloud, or NODE_TLS_REJECT_UNAUTHORIZED=0 would switch it off
  });
  // Never the caller's idea of a server name: the certificate must be that of the host in the URL.
  const servername = isIP(target.hostname) ? '' : target.hostname;
  return new Promise((opened, failed) => {
    connect({ ...target, servername }, (error, socket) => (error ? failed(error) : opened(socket)));
  });
}

function vettedPeer(socket: Socket, vetted: readonly string[], hostname: string, policy: Policy): string {
  const peer = address.canonicalAddress(socket.remoteAddress ?? '');
  if (peer !== undefined && vetted.includes(peer)) return peer;
  socket.destroy();
  throw refused(refusal('peer_changed', policy, hostname));
}
