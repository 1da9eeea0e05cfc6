import { isIP, isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What besides public https a caller may reach. */
export type Reach = { http: boolean; loopback: boolean };

/** A network in CIDR terms: an address and its prefix length in bits. */
export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Where this server itself is reached: a host without brackets, and its port. */
export type Own = { host: string; port: number };

/** All that a verdict depends on; `allowed` is made by `readNetwork`. */
export type Policy = {
  reach: Reach;
  allowed: readonly Network[];
  /** those that may be called on the public internet */
  ports: readonly number[];
  /** never called: a callback to ourselves is a loop, or somebody using our own standing inside the network */
  own?: Own | undefined;
  /** a proxy resolves names, so the addresses of a name are never seen here */
  namesUnseen?: boolean;
};

// docs: https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry. First match wins.
const RANGES: readonly (readonly [rule: string, networks: readonly Network[]])[] = (
  [
    // AWS, Azure, Oracle and most others; ECS and EKS credentials; Azure's wire server; Alibaba; EC2, EKS, GCP, OpenStack on IPv6.
    ['metadata', '169.254.169.254 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 192.0.0.192'],
    ['metadata', 'fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fe80::a9fe:a9fe'],
    ['this_network', '0.0.0.0/8'],
    ['loopback', '127.0.0.0/8 ::1'],
    ['private', '10.0.0.0/8 172.16.0.0/12 192.168.0.0/16'],
    ['carrier_nat', '100.64.0.0/10'],
    ['link_local', '169.254.0.0/16 fe80::/10'],
    ['unique_local', 'fc00::/7'],
    ['site_local', 'fec0::/10'],
    ['documentation', '192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20'],
    ['benchmarking', '198.18.0.0/15 2001:2::/48'],
    ['relay_6to4', '192.88.99.0/24'],
    ['multicast', '224.0.0.0/4 ff00::/8'],
    ['reserved', '240.0.0.0/4'],
    ['unspecified', '::'],
    // v4-compatible, v4-mapped, SIIT and NAT64 (64:ff9b::/96, 64:ff9b:1::/48) all lie in ::/8; then Teredo and 6to4.
    ['embedded_ipv4', '::/8 2001::/32 2002::/16'],
    ['protocol_assignment', '192.0.0.0/24 2001::/23'],
    ['discard', '100::/64'],
    ['segment_routing', '5f00::/16'],
  ] as const
).map(([rule, networks]) => [rule, networks.split(' ').map(readNetwork)]);

const GLOBAL_UNICAST = readNetwork('2000::/3');

// The operator may open these by CIDR, nothing else: metadata hands out credentials, embedded forms hide their true target.
export const OPENABLE: ReadonlySet<string> = new Set(
  'loopback private carrier_nat link_local unique_local site_local documentation benchmarking'.split(' '),
);

// What a server that listens on this machine, or on all of its addresses, can be called by from here.
const HERE = new Set(['loopback', 'this_network', 'unspecified']);

/** Reads `10.0.0.0/8`, `fd00::/8` or a bare address; throws Error naming the text when it is neither. */
export function readNetwork(text: string): Network {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const widest = isIPv4(address) ? 32 : 128;
  const length = bits === undefined ? widest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (!isIP(address) || length < 0 || length > widest || rest.length > 0) {
    throw new Error(`"${text}" is not a network; write it like 10.0.0.0/8 or fd00::/8`);
  }
  return [ipaddr.parse(address), length];
}

/** One spelling per address (no scope id, IPv6 compressed), so that two can be compared; undefined when it is none. */
export function canonicalAddress(text: string): string | undefined {
  const bare = text.replace(/%.*$/, '');
  return isIP(bare) ? ipaddr.parse(bare).toString() : undefined;
}

/** The rule that refuses to connect to this address and port, or undefined (delivery.md §7). */
export function refusedEndpoint(address: string, port: number, policy: Policy): string | undefined {
  const rule = refusedAddress(address, policy);
  if (rule !== undefined) return rule;
  if (policy.own && isOwn(address, port, policy.own)) return 'own_host';
  // A development server or an in-house system listens anywhere; on the public internet other ports are other protocols.
  return policy.ports.includes(port) || isOpened(address, policy) ? undefined : 'port';
}

/** The rule that refuses this address under the policy, or undefined; what is no address at all is refused too. */
export function refusedAddress(address: string, policy: Policy): string | undefined {
  const canonical = canonicalAddress(address);
  if (canonical === undefined) return 'not_an_address';
  const rule = ruleOf(canonical);
  return rule === undefined || (OPENABLE.has(rule) && isOpened(canonical, policy)) ? undefined : rule;
}

/** The loopback addresses that the name `localhost` may stand for under this policy; resolvers are never asked for it. */
export function localhostAddresses(policy: Policy): string[] {
  return ['127.0.0.1', '::1'].filter((address) => refusedAddress(address, policy) === undefined);
}

/** True for `localhost` and every name below it (RFC 6761 §6.3). */
export function isLocalhost(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

/** The host without the brackets of an IPv6 literal. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/** The port, also when it is the default one of the scheme and therefore left out. */
export function portOf({ port, protocol }: { port: string; protocol: string }): number {
  if (port !== '') return Number(port); // 0 included, which must not turn into the default
  return protocol === 'https:' ? 443 : 80;
}

/** The URL, or undefined for what is none. Not URL.canParse: once hot, Node 20.20 answers false there for Latin-1 letters (https://bücher.example). */
export function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** By address: only our own port, because another one on the same machine is another program. */
function isOwn(address: string, port: number, own: Own): boolean {
  if (port !== own.port) return false;
  if (isHere(own.host)) return isHere(address);
  return canonicalAddress(address) === canonicalAddress(own.host);
}

function isHere(host: string): boolean {
  const canonical = canonicalAddress(host);
  return canonical === undefined ? isLocalhost(host) : HERE.has(ruleOf(canonical) ?? '');
}

function isOpened(address: string, { reach, allowed }: Policy): boolean {
  const parsed = ipaddr.parse(address);
  return (
    (reach.loopback && ruleOf(address) === 'loopback') || allowed.some((network) => covers(network, parsed))
  );
}

function ruleOf(address: string): string | undefined {
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv6 && isIsatap(parsed)) return 'embedded_ipv4';
  const rule = RANGES.find(([, networks]) => networks.some((network) => covers(network, parsed)))?.[0];
  if (rule !== undefined || parsed instanceof ipaddr.IPv4) return rule;
  return covers(GLOBAL_UNICAST, parsed) ? undefined : 'not_global_unicast';
}

function covers([network, bits]: Network, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

/** RFC 5214 §6.1: any prefix, then 0000:5efe or 0200:5efe, then the IPv4 address. */
function isIsatap({ parts }: ipaddr.IPv6): boolean {
  return (parts[4] === 0 || parts[4] === 0x200) && parts[5] === 0x5efe;
}
