import { parseUrl } from '../kernel/address.ts';
import { invalid } from '../kernel/errors.ts';

/** An allowed domain, taken apart; `port` is '' for the scheme's own port, '*' for any. */
type Domain = { scheme: string; wildcard: boolean; host: string; port: string };

/** How many a tenant may have in a mode: all of them go into one header. */
export const MAX_DOMAINS = 50;
const MAX_LENGTH = 255;
const EXAMPLES = 'https://www.example.com, https://*.example.com or https://www.example.com:*';
const ENTRY = /^(https?):\/\/(\*\.)?([^/?#@:*\\]+)(?::(\d{1,5}|\*))?\/?$/i;
/** As readDomain leaves it. Nothing else may come near a header. */
const NORMAL = /^(https?):\/\/(\*\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::(\d{1,5}|\*))?$/;
/** Characters that parsers of URLs read in different ways: white space, controls, the backslash. */
const DOUBTFUL = /[\s\p{C}\\]/u;
const SUBDOMAINS = /^(?:[a-z0-9_-]+\.)+$/;
const LOOPBACK_IP = '127.0.0.1';

/**
 * Whether an address is on one of the domains: scheme, host and port must all agree. A wildcard stands for one or more
 * labels in front, never for none; a domain without a port means the scheme's own.
 */
export function allowsUrl(domains: readonly string[], url: string): boolean {
  const parsed = DOUBTFUL.test(url) ? undefined : parseUrl(url);
  if (!parsed) return false;
  const { protocol, hostname, port, username, password } = parsed;
  if (username !== '' || password !== '') return false;
  return domains.some((text) => {
    const domain = taken(text);
    if (!domain || protocol !== `${domain.scheme}:`) return false;
    return hasHost(domain, hostname) && (domain.port === '*' || domain.port === port);
  });
}

function hasHost({ wildcard, host }: Domain, hostname: string): boolean {
  if (!wildcard) return hostname === host;
  return hostname.endsWith(`.${host}`) && SUBDOMAINS.test(hostname.slice(0, -host.length));
}

function taken(text: string): Domain | undefined {
  const [, scheme, star, host, port = ''] = NORMAL.exec(text) ?? [];
  return scheme && host ? { scheme, wildcard: star !== undefined, host, port } : undefined;
}

/** What an operator wrote, in the one form in which it is kept; throws a 400 that says what to write instead. */
export function readDomain(text: string, mode: 'test' | 'live'): string {
  const [, scheme = '', star = '', name = '', port = ''] = ENTRY.exec(text.trim()) ?? [];
  if (text.length > MAX_LENGTH || DOUBTFUL.test(text.trim()) || name === '')
    throw refused(`must be a scheme and a host, with a port where needed and nothing else: ${EXAMPLES}`);
  const url = `${scheme.toLowerCase()}://${name}${port === '*' ? '' : port && `:${port}`}`;
  if (!parseUrl(url)) throw refused(`has a host or a port that cannot be; write it like ${EXAMPLES}`);
  const { protocol, hostname, port: unusual } = new URL(url);
  const normal = `${protocol}//${star}${hostname}${port === '*' ? ':*' : unusual && `:${unusual}`}`;
  if (!taken(normal))
    throw refused('must have a host of letters, digits and hyphens without a dot at its end');
  checkHost(hostname, star !== '');
  if (mode === 'live') checkLive(protocol, hostname);
  return normal;
}

function checkHost(hostname: string, wildcard: boolean): void {
  if (wildcard && (isIp(hostname) || !hostname.includes('.')))
    throw refused('must have at least two names behind the wildcard, as https://*.example.com does');
  if (isIp(hostname) && hostname !== LOOPBACK_IP)
    throw refused(`must be a name; browsers know no address but ${LOOPBACK_IP} there`);
}

function checkLive(protocol: string, hostname: string): void {
  if (protocol !== 'https:') throw refused('must begin with https:// in live mode');
  if (isIp(hostname) || hostname === 'localhost' || hostname.endsWith('.localhost'))
    throw refused('must be a public name in live mode; localhost and 127.0.0.1 are for test mode');
}

/** URL writes every form of an IPv4 address as four numbers, and lets no name end in a number. */
function isIp(hostname: string): boolean {
  return /(?:^|\.)\d+$/.test(hostname);
}

function refused(why: string): Error {
  return invalid(`a domain ${why}`, 'domain');
}

/** The domains as sources for the frame-ancestors of a Content-Security-Policy; nobody when there are none. */
export function frameSources(domains: readonly string[]): string[] {
  const sources = domains.filter((text) => taken(text) !== undefined);
  return sources.length > 0 ? sources : ["'none'"];
}
