import { isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { allowsUrl } from '../tenants/domains.ts';

/**
 * Where the person is sent once the challenge has ended: its `return_url`, which learns the id and the status, if that
 * is on the list as the list is now. It proves nothing.
 */
export function returnUrl(challenge: Challenge, domains: readonly string[]): string | undefined {
  const { id, return_url, erased_at, status } = challenge;
  if (return_url === null || erased_at || !isTerminal(status)) return undefined;
  if (!allowsUrl(domains, return_url)) return undefined;
  const url = new URL(return_url);
  url.search = withParameters(url.search, { challenge_id: id, status });
  return url.href;
}

/** Sets these and leaves the rest as it was written: somebody may have signed it. */
function withParameters(search: string, set: { [name: string]: string }): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => pair !== '' && !Object.hasOwn(set, nameIn(pair)));
  return [...kept, new URLSearchParams(set).toString()].join('&');
}

function nameIn(pair: string): string {
  return new URLSearchParams(pair).keys().next().value ?? '';
}
