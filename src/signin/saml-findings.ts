import type { X509Certificate } from 'node:crypto';
import { isWebUrl } from '../providers/call.ts';
import type { Http } from '../providers/provider.ts';
import type { Finding, OpenIdp } from './method.ts';
import { readSamlIdp } from './saml-idp.ts';
import type { SamlIdp } from './saml-idp.ts';
import { acsUrlOf, entityIdOf } from './saml-metadata.ts';
import { fetchSamlIdp, messageOf } from './saml-source.ts';

const DAY_MS = 86_400_000;
const SOON_DAYS = 30;

/** What can be said of a tenant's SAML IdP without a person; asks for its metadata anew and never throws. */
export async function testSamlIdp(publicUrl: string, { settings }: OpenIdp, http: Http): Promise<Finding[]> {
  const { metadata_url = '', metadata_xml = '' } = settings;
  const source = metadata_url || 'the metadata that was entered';
  try {
    const idp = metadata_url === '' ? readSamlIdp(metadata_xml) : await fetchSamlIdp(metadata_url, http);
    return [
      { state: 'ok', name: 'metadata', detail: `read from ${source}` },
      { state: 'ok', name: 'entity ID', detail: idp.entityId },
      signInUrlFinding(idp, http),
      ...certificateFindings(idp, Date.now()),
      requestFinding(idp),
      atTheIdp(publicUrl),
    ];
  } catch (error) {
    return [
      { state: 'fail', name: 'metadata', detail: `${source}: ${messageOf(error)}` },
      atTheIdp(publicUrl),
    ];
  }
}

function signInUrlFinding({ signInUrl }: SamlIdp, { reach }: Http): Finding {
  const name = 'sign-in address';
  const isGood: boolean = isWebUrl(signInUrl, reach.http);
  if (isGood) return { state: 'ok', name, detail: signInUrl };
  return { state: 'fail', name, detail: `${signInUrl} is not an https address; people are not sent there` };
}

function certificateFindings({ certificates }: SamlIdp, now: number): Finding[] {
  const daysOf = ({ validTo }: X509Certificate) => Math.floor((Date.parse(validTo) - now) / DAY_MS);
  const isReplaced = certificates.some((certificate) => daysOf(certificate) >= 0);
  return certificates.map((certificate) => {
    const days = daysOf(certificate);
    const who = certificate.subject.replaceAll('\n', ', ');
    const detail = `${who}, until ${new Date(certificate.validTo).toISOString().slice(0, 10)}`;
    if (days >= SOON_DAYS) return { state: 'ok', name: 'certificate', detail };
    if (days >= 0) return { state: 'warn', name: 'certificate', detail: `${detail}: ${days} days; ${RENEW}` };
    // While an IdP replaces a certificate, the old one stays in its metadata.
    return {
      state: isReplaced ? 'warn' : 'fail',
      name: 'certificate',
      detail: `${detail}: expired; ${RENEW}`,
    };
  });
}

const RENEW = 'replace it at the IdP, and metadata_xml here if that is used';

function requestFinding({ wantsSignedRequests }: SamlIdp): Finding {
  const name = 'requests';
  if (!wantsSignedRequests) return { state: 'ok', name, detail: 'need not be signed' };
  const detail =
    'the IdP demands signed requests (WantAuthnRequestsSigned), and this server does not sign them';
  return {
    state: 'fail',
    name,
    detail: `${detail}; turn that off for this application, and enter the new metadata`,
  };
}

function atTheIdp(publicUrl: string): Finding {
  const detail = `entity ID ${entityIdOf(publicUrl)}, ACS URL ${acsUrlOf(publicUrl)}; cannot be tested without a person`;
  return { state: 'ok', name: 'to be entered at the IdP', detail };
}
