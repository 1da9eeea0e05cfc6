import { isIP } from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { buildConnector } from 'undici';
import * as address from './address.ts';
import type { Policy } from './address.ts';
import type { Connect } from './outbound-agent.ts';
import { codeOf, OutboundError, refused } from './outbound-errors.ts';
import { rejectOnAbort } from './outbound-resolve.ts';
import type { Resolve } from './outbound-resolve.ts';
import { refusal, refusedHost } from './outbound-url.ts';

const CONNECT_TIMEOUT_MS = 10_000; // a ceiling; the caller's timeoutMs usually ends a connect earlier
const CONNECT_ATTEMPT_MS = 1_000; // per address of one host, before the next address is tried beside it

/** Vets every address of the host, connects to one of exactly those, and looks at the peer once more. */
export function guardedConnect(policy: Policy, resolve: Resolve): Connect {
  return async (target, wire) => {
    // Ends the connect together with the request it is for, but never the socket once it is in the pool.
    const abandon = new AbortController();
    wire.giveUp = () => abandon.abort();
    try {
      const patient = (hostname: string) => Promise.race([resolve(hostname), rejectOnAbort(abandon.signal)]);
      const vetted = await vettedAddresses(target, policy, patient);
      const socket = await openSocket(target, vetted, abandon.signal);
      return { socket, peer: vettedPeer(socket, vetted, target.hostname, policy) };
    } finally {
      wire.giveUp = undefined;
    }
  };
}

async function vettedAddresses(
  { hostname, port, protocol }: buildConnector.Options,
  policy: Policy,
  resolve: Resolve,
): Promise<string[]> {
  const number = address.portOf({ port, protocol });
  const permit = (rule: string | undefined) => {
    if (rule !== undefined) throw refused(refusal(rule, policy, hostname));
  };
  permit(refusedHost(hostname, number, policy));
  const addresses = await addressesOf(hostname, policy, resolve);
  for (const found of addresses) permit(address.refusedEndpoint(found, number, policy));
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
  signal: AbortSignal,
): Promise<Socket> {
  const pinned = vetted.map((text) => ({ address: text, family: isIP(text) }));
  const lookup: LookupFunction = (_hostname, { all }, done) =>
    all ? done(null, pinned) : done(null, pinned[0]?.address ?? '', pinned[0]?.family);
  const connect = buildConnector({
    lookup,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: CONNECT_ATTEMPT_MS,
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
