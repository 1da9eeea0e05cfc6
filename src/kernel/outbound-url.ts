import { isIP } from 'node:net';
import * as address from './address.ts';
import type { Own, Policy } from './address.ts';

/** The named rule that refuses something, and a sentence a person can act on. */
export type Refusal = { rule: string; message: string };

const URL_LENGTH_MAX = 2048;
const HOSTNAME_LENGTH_MAX = 253;
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Everything that can be judged without DNS: the normalised URL, or the refusal. */
export function judgeUrl(text: string, policy: Policy): { url: URL } | { refusal: Refusal } {
  const refuse = (rule: string, host?: string) => ({ refusal: refusal(rule, policy, host) });
  if (text.length > URL_LENGTH_MAX) return refuse('url_too_long');
  const url = address.parseUrl(text);
  if (!url) return refuse('url_invalid');
  const isSecure = url.protocol === 'https:';
  if (!isSecure && url.protocol !== 'http:') return refuse('scheme');
  if (!isSecure && !policy.reach.http) return refuse('https_required');
  if (url.username || url.password) return refuse('userinfo');
  if (url.href.includes('#')) return refuse('fragment');
  // `name.` is the same host as `name`, but would slip past the tables below and break the certificate check.
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
  if (url.href.length > URL_LENGTH_MAX) return refuse('url_too_long');

  const host = address.hostOf(url);
  const rule = refusedHost(host, address.portOf(url), policy);
  return rule === undefined ? { url } : refuse(rule, host);
}

/** The rule that refuses a host and port before any DNS, or undefined; addresses a name resolves to are judged later. */
export function refusedHost(host: string, port: number, policy: Policy): string | undefined {
  if (isIP(host)) return address.refusedEndpoint(host, port, policy);
  if (address.isLocalhost(host)) return refusedLocalhost(port, policy);
  if (host === policy.own?.host) return 'own_host'; // on any port: the name is ours, and so is all that answers to it
  const labels = host.split('.');
  if (host.length > HOSTNAME_LENGTH_MAX || !labels.every((label) => LABEL.test(label)))
    return 'hostname_invalid';
  if (['local', 'internal', 'arpa'].includes(labels.at(-1) ?? '')) return 'special_use_name'; // .home.arpa is under .arpa
  // An operator who opens private networks means neighbours too, such as the service names of docker compose.
  if (labels.length === 1 && policy.allowed.length === 0) return 'single_label_name';
  // A name may yet resolve to an opened address, where any port goes; when nothing is opened the port decides now.
  const isOpenable = !policy.namesUnseen && (policy.reach.loopback || policy.allowed.length > 0);
  return isOpenable || policy.ports.includes(port) ? undefined : 'port';
}

/** The host and port of an origin of ours; throws TypeError when it is no URL. */
export function ownOf(origin: string): Own {
  const url = new URL(origin);
  return { host: address.hostOf(url).replace(/\.$/, ''), port: address.portOf(url) };
}

function refusedLocalhost(port: number, policy: Policy): string | undefined {
  const [open] = address.localhostAddresses(policy);
  return open === undefined ? 'localhost' : address.refusedEndpoint(open, port, policy);
}

/** A refusal for a rule; `host` is named in the sentence when given, addresses it resolves to never are. */
export function refusal(rule: string, policy: Policy, host = 'This host'): Refusal {
  return { rule, message: ADVICE[rule]?.(host, policy) ?? forbiddenAddress(rule, host) };
}

const ADVICE: Record<string, (host: string, policy: Policy) => string> = {
  url_too_long: () => `The URL is longer than ${URL_LENGTH_MAX} characters.`,
  url_invalid: () => 'This is not a complete URL. Write it like https://hooks.example.com/path.',
  scheme: () => 'Only web addresses can be called: start the URL with https://.',
  https_required: () => 'Use https:// instead of http://.',
  userinfo: () => 'Take the user name and password out of the URL.',
  fragment: () => 'Take the # and what follows it out of the URL.',
  hostname_invalid: (host) => `${host} is not a valid host name.`,
  port: (_, { ports }) =>
    ports.length === 1 ? `Use port ${ports[0]}.` : `Use one of the ports ${ports.join(', ')}.`,
  own_host: (host) => `${host} is this server itself. Use the host of the system that is to be called.`,
  localhost: () => 'localhost is this server itself. Use a public host name.',
  special_use_name: () =>
    'Names ending in .local, .internal or .arpa are not public. Use a public host name.',
  single_label_name: (host) => `${host} is not a public name. Use a full one, like hooks.example.com.`,
  metadata: (host) => `${host} is a cloud metadata address, which is never called.`,
};

function forbiddenAddress(rule: string, host: string): string {
  const advice = address.OPENABLE.has(rule) ? ', or ask the operator to allow its network' : '';
  return `${host} is not on the public internet (${rule}). Use a public host${advice}.`;
}
