import { buildAuthorizationUrl, randomState, ResponseBodyError } from 'openid-client';
import { parseUrl } from '../kernel/address.ts';
import { fetchThrough } from '../kernel/outbound-fetch.ts';
import { OutboundError } from '../kernel/outbound.ts';
import { parseObject } from '../providers/json.ts';
import type { Http } from '../providers/provider.ts';
import type { Finding, OpenIdp } from './method.ts';
import { announced } from './oidc-announced.ts';
import { isClientRefused, shown } from './oidc-errors.ts';
import { configurationOf, findMetadata } from './oidc-metadata.ts';
import type { Found } from './oidc-metadata.ts';
import { newProof, redeem, requestOf } from './oidc-run.ts';
import { redirectUri } from './oidc-settings.ts';

/** What an IdP answers where a person would have to do something (Core §3.1.2.6): all is well so far. */
const WOULD_ASK = /^(login|interaction|consent|account_selection)_required$/;
/** What it answers where no person could help. */
const HOPELESS =
  /^(invalid_request|unauthorized_client|unsupported_response_type|invalid_scope|invalid_client)$/;
const BAD_REQUEST = 400;

type Trial = { found: Found; idp: OpenIdp; http: Http; publicUrl: string };

/** Tries out what can be tried without a person; never throws. */
export async function tryOut(publicUrl: string, idp: OpenIdp, http: Http): Promise<Finding[]> {
  try {
    const found = await findMetadata(idp.settings, http);
    const trial = { found, idp, http, publicUrl };
    return [
      { state: 'ok', name: 'Metadata', detail: `${found.metadata.issuer} answers and names itself so.` },
      ...announced(found.metadata, idp.settings),
      await tryKeys(trial).catch(failed('Keys')),
      await tryClient(trial).catch(failed('Client')),
      await tryRedirect(trial).catch(failed('Redirect URI')),
    ];
  } catch (error) {
    return [failed('Metadata')(error)];
  }
}

async function tryKeys({ found, http }: Trial): Promise<Finding> {
  const { jwks_uri = '' } = found.metadata;
  const headers = { accept: 'application/json' };
  const answer = await fetchThrough(http.outbound, http.reach)(jwks_uri, { method: 'GET', headers });
  const { keys } = (answer.status === 200 && parseObject(await answer.text())) || {};
  const count = Array.isArray(keys) ? keys.length : 0;
  if (count > 0) return { state: 'ok', name: 'Keys', detail: `${shown(jwks_uri)} publishes ${count}.` };
  const detail = `${shown(jwks_uri)} publishes no keys (status ${answer.status}): no ID token can be checked.`;
  return { state: 'fail', name: 'Keys', detail };
}

/** An IdP looks at the client first: it says whether that is right before it says that the code is not. */
async function tryClient({ found, idp, http, publicUrl }: Trial): Promise<Finding> {
  const parameters = { code: randomState(), iss: found.metadata.issuer };
  const { kept } = await newProof();
  const error: unknown = await redeem({ parameters, kept, publicUrl }, found, idp, http).catch(
    (refusal: unknown) => refusal,
  );
  const name = 'Client';
  if (isClientRefused(error))
    return { state: 'fail', name, detail: `The IdP refuses client_id with client_secret: copy both again.` };
  if (!(error instanceof ResponseBodyError)) throw error;
  return error.error === 'invalid_grant'
    ? { state: 'ok', name, detail: 'The IdP knows client_id and client_secret.' }
    : {
        ...{ state: 'warn', name, tentative: true },
        detail: `The IdP answers ${said(error)} to a made-up code: only a sign-in will show whether client_id and client_secret are right.`,
      };
}

/** With prompt=none an IdP sends the browser back at once, if the redirect URI is one it knows. */
async function tryRedirect({ found, idp, http, publicUrl }: Trial): Promise<Finding> {
  const name = 'Redirect URI';
  const wanted = redirectUri(publicUrl, idp);
  const { told } = await newProof();
  const run = { state: randomState(), loginHint: null, publicUrl };
  const request = { ...requestOf(run, idp), ...told, prompt: 'none' };
  const url = buildAuthorizationUrl(configurationOf(found, idp.settings, http), request);
  const answer = await fetchThrough(http.outbound, http.reach)(url.href, { method: 'GET', headers: {} });
  const back = parseUrl(answer.headers.get('location') ?? '');
  if (!back || back.origin + back.pathname !== wanted)
    return {
      state: answer.status === BAD_REQUEST ? 'fail' : 'warn',
      tentative: answer.status !== BAD_REQUEST,
      ...{
        name,
        detail: `The IdP does not send people back (status ${answer.status}): register ${wanted} there.`,
      },
    };
  const error = back.searchParams.get('error') ?? '';
  if (WOULD_ASK.test(error)) return { state: 'ok', name, detail: `The IdP sends people back to ${wanted}.` };
  const error_description = back.searchParams.get('error_description') ?? undefined;
  return {
    state: HOPELESS.test(error) ? 'fail' : 'warn',
    tentative: !HOPELESS.test(error),
    ...{
      name,
      detail: `The IdP sends people back to ${wanted}, but with ${said({ error, error_description })}.`,
    },
  };
}

function said({
  error,
  error_description,
}: {
  error: string;
  error_description?: string | undefined;
}): string {
  return shown(error) + (error_description ? ` ${shown(error_description)}` : '');
}

function failed(name: string): (error: unknown) => Finding {
  return (error) => ({ state: 'fail', name, detail: sentenceOf(error) });
}

function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return 'It went wrong for no reason that is told.';
  return error.cause instanceof OutboundError ? error.cause.message : error.message;
}
