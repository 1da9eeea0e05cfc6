import type { X509Certificate } from 'node:crypto';
import { isWebUrl } from '../providers/call.ts';
import type { Http } from '../providers/provider.ts';
import type { Finding, OpenIdp } from './method.ts';
import { quoted } from './plain.ts';
import { readSamlIdp } from './saml-idp.ts';
import type { SamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { fetchSamlIdp, messageOf } from './saml-source.ts';

const DAY_MS = 86_400_000;
const SOON_DAYS = 30;
/** Addresses are long, and are to be compared. */
const MAX_QUOTED = 300;

/** What can be said of a tenant's SAML IdP without a person; asks for its metadata anew and never throws. */
export async function testSamlIdp(publicUrl: string, { settings }: OpenIdp, http: Http): Promise<Finding[]> {
  const { metadata_url = '', metadata_xml = '', signing_secret = '' } = settings;
  const source = metadata_url || 'what was entered';
  try {
    const idp = metadata_url === '' ? readSamlIdp(metadata_xml) : await fetchSamlIdp(metadata_url, http);
    return [
      { state: 'ok', name: 'Metadata', detail: `They were read from ${source}.` },
      { state: 'ok', name: 'Entity ID', detail: `The IdP names itself ${quoted(idp.entityId, MAX_QUOTED)}.` },
      signInUrlFinding(idp, http),
      ...certificateFindings(idp, Date.now()),
      requestFinding(idp, signing_secret !== ''),
      atTheIdp(publicUrl),
    ];
  } catch (error) {
    return [
      {
        ...{ state: 'fail', name: 'Metadata' },
        detail: `They cannot be used, from ${source}: ${quoted(messageOf(error), MAX_QUOTED)}`,
      },
      atTheIdp(publicUrl),
    ];
  }
}

function signInUrlFinding({ signInUrl }: SamlIdp, { reach }: Http): Finding {
  const name = 'Sign-in address';
  const shown = quoted(signInUrl, MAX_QUOTED);
  const isGood: boolean = isWebUrl(signInUrl, reach.http);
  if (isGood) return { state: 'ok', name, detail: `People are sent to ${shown}.` };
  return { state: 'fail', name, detail: `People are not sent to ${shown}, which is not an https address.` };
}

function certificateFindings({ certificates }: SamlIdp, now: number): Finding[] {
  const daysOf = ({ validTo }: X509Certificate) => Math.floor((Date.parse(validTo) - now) / DAY_MS);
  const isReplaced = certificates.some((certificate) => daysOf(certificate) >= 0);
  return certificates.map((certificate) => {
    const days = daysOf(certificate);
    const who = quoted(certificate.subject.replaceAll('\n', ', '), MAX_QUOTED);
    const until = new Date(certificate.validTo).toISOString().slice(0, 10);
    const name = 'Certificate';
    if (days >= SOON_DAYS) return { state: 'ok', name, detail: `${who} is good until ${until}.` };
    if (days >= 0)
      return { state: 'warn', name, detail: `${who} is good until ${until}, ${days} days: ${RENEW}` };
    // While an IdP replaces a certificate, the old one stays in its metadata.
    return { state: isReplaced ? 'warn' : 'fail', name, detail: `${who} expired on ${until}: ${RENEW}` };
  });
}

const RENEW = 'replace it at the IdP, and --metadata-xml here if that is used.';

function requestFinding({ wantsSignedRequests }: SamlIdp, isSigned: boolean): Finding {
  const name = 'Requests';
  if (isSigned)
    return {
      state: 'ok',
      name,
      detail: 'They are signed; whether the IdP knows the certificate, only a sign-in will show.',
    };
  if (!wantsSignedRequests) return { state: 'ok', name, detail: 'They are not signed, and need not be.' };
  const detail = 'The IdP demands signed requests (WantAuthnRequestsSigned): enter a key as --signing-secret';
  return { state: 'fail', name, detail: `${detail}, or turn that off there and enter the new metadata.` };
}

function atTheIdp(publicUrl: string): Finding {
  const detail = `Entity ID ${entityIdOf(publicUrl)} and ACS URL ${acsUrlOf(publicUrl)}; whether they are, only a sign-in will show.`;
  return { state: 'ok', name: 'To be entered there', detail };
}
