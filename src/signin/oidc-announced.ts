import type { ServerMetadata } from 'openid-client';
import type { Settings } from '../providers/provider.ts';
import type { Finding } from './method.ts';
import { wordsOf } from './oidc-settings.ts';

/** What has to be in one of the IdP's lists. `without`: what it means when the list is there without it. */
type Wish = { name: string; list: string; wanted: readonly string[]; without: 'warn' | 'fail'; cure: string };

const SIGNATURE = /^((RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/;

/** Compares what the IdP says it can do with what is asked of it. */
export function announced(metadata: ServerMetadata, settings: Settings): Finding[] {
  const wishes = wishesOf(settings).filter(({ wanted }) => wanted.length > 0);
  return [...wishes.map((wish) => compare(metadata, wish)), ...unsigned(metadata)];
}

function wishesOf({ scopes, required_acr, subject_claim = '' }: Settings): Wish[] {
  return [
    {
      ...{ name: 'Authorization code', list: 'response_types_supported', wanted: ['code'], without: 'fail' },
      cure: 'the authorization code flow must be switched on.',
    },
    {
      ...{ name: 'PKCE', list: 'code_challenge_methods_supported', wanted: ['S256'], without: 'fail' },
      cure: 'PKCE with S256 must be allowed.',
    },
    {
      ...{ name: 'Signing in anew', list: 'prompt_values_supported', wanted: ['login'], without: 'fail' },
      cure: 'people must be made to sign in anew when prompt=login and max_age=0 ask for it.',
    },
    {
      ...{ name: 'Time of signing in', list: 'claims_supported', wanted: ['auth_time'], without: 'warn' },
      cure: 'without it in the ID token every sign-in is refused as stale.',
    },
    {
      ...{ name: 'Scopes', list: 'scopes_supported', wanted: wordsOf(scopes), without: 'warn' },
      cure: 'unknown scopes may be refused.',
    },
    {
      ...{ name: 'Subject claim', list: 'claims_supported', without: 'warn' },
      wanted: subject_claim === '' ? [] : [subject_claim],
      cure: 'without it people are known by their e-mail address alone.',
    },
    {
      ...{
        name: 'Required acr',
        list: 'acr_values_supported',
        wanted: wordsOf(required_acr),
        without: 'warn',
      },
      cure: 'a sign-in without one of them does not count.',
    },
  ];
}

function compare(metadata: ServerMetadata, { name, list, wanted, without, cure }: Wish): Finding {
  const listed = metadata[list];
  if (!Array.isArray(listed))
    return {
      ...{ state: 'warn', name, tentative: true },
      detail: `The metadata have no ${list}, so look at the IdP: ${cure}`,
    };
  const missing = wanted.filter((one) => !listed.includes(one));
  return missing.length === 0
    ? { state: 'ok', name, detail: `${list} has ${wanted.join(', ')}.` }
    : {
        ...{ state: without, name, tentative: without === 'warn' },
        detail: `${list} lacks ${missing.join(', ')}: ${cure}`,
      };
}

function unsigned({ id_token_signing_alg_values_supported: listed }: ServerMetadata): Finding[] {
  if (!Array.isArray(listed) || listed.some((one) => SIGNATURE.test(one))) return [];
  const detail = 'ID tokens must be signed with a private key, as with RS256; the IdP offers no such way.';
  return [{ state: 'fail', name: 'Signature', detail }];
}
