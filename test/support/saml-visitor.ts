import { inflateRawSync } from 'node:zlib';
import { attributeOf, parseXml } from '../../src/signin/saml-xml.ts';
import type { createPerson } from './person.ts';
import type { Created } from './server.ts';

/** What a browser is to carry from an IdP to this server. */
export type Carried = { SAMLResponse: string; RelayState: string };
type Person = ReturnType<typeof createPerson>;

/** Where a person who has pressed Start and gone on is sent: the IdP's address, and what the request in it says. */
export async function sentTo(person: Person, { challenge_id }: Created) {
  const page = await person.agent.get(`/challenge/${challenge_id}/continue`).expect(200);
  const url = /url=(.+)$/.exec(page.headers.refresh ?? '')?.[1] ?? '';
  const { searchParams } = new URL(url);
  const zipped = Buffer.from(searchParams.get('SAMLRequest') ?? '', 'base64');
  const request = parseXml(inflateRawSync(zipped).toString());
  return {
    url,
    state: searchParams.get('RelayState') ?? '',
    requestId: attributeOf(request, 'ID') ?? '',
    acs: attributeOf(request, 'AssertionConsumerServiceURL') ?? '',
  };
}

/** Signs in at the IdP's page as this person, or cancels there; what the page that follows would post. */
export async function signInAt(url: string, fields: { login: string } | { cancel: '' }): Promise<Carried> {
  await fetch(url);
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(fields) });
  const html = await answer.text();
  const valueOf = (name: string) => new RegExp(`name="${name}"\\s+value="([^"]*)"`).exec(html)?.[1] ?? '';
  return { SAMLResponse: valueOf('SAMLResponse'), RelayState: valueOf('RelayState') };
}

/** Brings an answer back as the browser does: posts it, then follows to the result if it was let in. */
export async function bringBack(person: Person, carried: Carried) {
  // From the IdP's site: a browser gives no cookie along.
  const posted = await fetchPost(person, carried);
  const location = posted.headers.location ?? '';
  if (location.includes('/signed-in')) await person.agent.get(location).expect(303);
  return posted;
}

function fetchPost({ agent }: Person, carried: Carried) {
  return agent.post('/saml/acs').type('form').set('Sec-Fetch-Site', 'cross-site').send(carried);
}
