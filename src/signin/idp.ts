import { sha256 } from '../kernel/crypto.ts';
import type { Sealer } from '../kernel/crypto.ts';
import type { Settings } from '../providers/provider.ts';
import type { OpenIdp } from './method.ts';
import { sealContext } from './store.ts';
import type { Idp } from './store.ts';

/** A tenant's IdP with its settings unsealed; throws when no key of the sealer opens them. */
export function openIdp(sealer: Sealer, { id, settings_sealed, callback_path }: Idp): OpenIdp {
  const settings = JSON.parse(sealer.unseal(settings_sealed, sealContext.settings(id))) as Settings;
  // No two seals are alike, so this is another one whenever the settings are saved.
  return { id, key: sha256(settings_sealed), settings, callbackPath: callback_path };
}
