import type { Method } from './method.ts';
import { oidc } from './oidc.ts';
import { saml } from './saml.ts';
import type { Kind } from './store.ts';

/** Every way to sign in there is; routes, commands and tests read this list. */
export const methods: Record<Kind, Method> = { oidc, saml };

/** Whether a challenge with this provider is answered by signing in. */
export function isKind(provider: string | null): provider is Kind {
  return provider !== null && Object.hasOwn(methods, provider);
}
