import { invalid } from '../kernel/errors.ts';
import { allowsUrl } from '../tenants/domains.ts';
import type { Caller } from '../tenants/store.ts';

/** Where the person decides for themselves; test mode only. */
export const SANDBOX = 'sandbox';

const NO_PROVIDER = 'no identity provider is set up for live mode, so nobody can pass this challenge';

/** The provider a new challenge is bound to: the one asked for, else the tenant's default; null: none is set up. Throws a 400. */
export function chooseProvider(
  { providers, default_provider, mode }: Pick<Caller, 'providers' | 'default_provider' | 'mode'>,
  asked: string | null = null,
): string | null {
  if (asked === null) {
    return default_provider !== null && isChoice(default_provider, providers, mode)
      ? default_provider
      : (providers[0] ?? null);
  }
  if (isChoice(asked, providers, mode)) return asked;
  const choices = [...providers, ...(mode === 'test' ? [SANDBOX] : [])];
  throw invalid(
    choices.length > 0
      ? `provider must be one that is set up for ${mode} mode: ${choices.join(', ')}`
      : `no provider is set up for ${mode} mode; see \`countersign --help\`, \`idp set\` and \`provider set\``,
    'provider',
  );
}

/** What would keep the person from passing, told to whoever asks before the person finds out. */
export function preflight(caller: Pick<Caller, 'providers' | 'default_provider' | 'mode'>): string[] {
  return caller.mode === 'live' && chooseProvider(caller) === null ? [NO_PROVIDER] : [];
}

/** Throws a 400 for an address that people may not be sent to. */
export function checkReturnUrl(
  { allowed_domains, mode }: Pick<Caller, 'allowed_domains' | 'mode'>,
  url: string,
): void {
  if (!allowsUrl(allowed_domains, url)) {
    throw invalid(
      `return_url is not on an allowed domain of ${mode} mode; see \`countersign domain add --help\``,
      'return_url',
    );
  }
}

function isChoice(name: string, providers: readonly string[], mode: Caller['mode']): boolean {
  return providers.includes(name) || (name === SANDBOX && mode === 'test');
}
