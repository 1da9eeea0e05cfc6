import { berbix } from './berbix.ts';
import { passbase } from './passbase.ts';
import type { Provider } from './provider.ts';
import { veriff } from './veriff.ts';

/** Every provider there is; routes, commands, reconcile and tests read this list. */
export const providers: { [name: string]: Provider } = { veriff, berbix, passbase };

/** The provider of this name, if there is one. */
export function findProvider(name: string): Provider | undefined {
  return Object.hasOwn(providers, name) ? providers[name] : undefined;
}
