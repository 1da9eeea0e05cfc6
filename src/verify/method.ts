import { SANDBOX } from '../challenges/choice.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { findProvider } from '../providers/index.ts';

/** How this person proves who they are: the provider frozen at create, else the sandbox in test mode, else there is no way. */
export function methodOf({ provider, mode }: Challenge): string | undefined {
  // Nothing but test mode leads to the sandbox, whatever the row says.
  if (provider === null || provider === SANDBOX) return mode === 'test' ? SANDBOX : undefined;
  return provider;
}

/** What people know it by. */
export function labelOf({ provider }: Challenge): string {
  return (provider ? findProvider(provider)?.label : undefined) ?? 'the sandbox';
}

/** Whether it leads the browser back here; else the person comes back by themselves. */
export function comesBack({ provider }: Challenge): boolean {
  return (provider ? findProvider(provider)?.comesBack : undefined) ?? true;
}
