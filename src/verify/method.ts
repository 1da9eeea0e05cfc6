import { SANDBOX } from '../challenges/choice.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { findProvider } from '../providers/index.ts';
import { findIdp } from '../signin/begin.ts';
import type { SignInDeps } from '../signin/begin.ts';
import { isKind } from '../signin/index.ts';
import { stop } from '../web/stop.ts';
import type { View } from './pages.tsx';

export type MethodDeps = Pick<SignInDeps, 'db'>;

/** How this person proves who they are: the way frozen at create, else the sandbox in test mode, else there is no way. */
export function methodOf({ provider, mode }: Challenge): string | undefined {
  // Nothing but test mode leads to the sandbox, whatever the row says.
  if (provider === null || provider === SANDBOX) return mode === 'test' ? SANDBOX : undefined;
  return provider;
}

/** What people know the way by. Throws the page for a challenge that nobody can pass, because none is set up (any more). */
export async function getLabel(deps: MethodDeps, { challenge, frame }: View): Promise<string> {
  const label = await findLabel(deps, challenge, frame.texts.sandboxName);
  if (label === undefined) throw stop('not_set_up', frame.brand);
  return label;
}

async function findLabel(
  deps: MethodDeps,
  challenge: Challenge,
  sandboxName: string,
): Promise<string | undefined> {
  const method = methodOf(challenge);
  if (method === undefined || method === SANDBOX) return method && sandboxName;
  if (isKind(method)) return (await findIdp(deps, challenge))?.name;
  return findProvider(method)?.label;
}

/** Whether it leads the browser back here; else the person comes back by themselves. */
export function comesBack({ provider }: Challenge): boolean {
  return (provider ? findProvider(provider)?.comesBack : undefined) ?? true;
}
