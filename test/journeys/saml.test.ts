import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { setIdp } from '../support/idp.ts';
import { createPerson } from '../support/person.ts';
import { assertionOf, inSeconds, responseOf, sign, signedResponse } from '../support/saml-answer.ts';
import type { Wish } from '../support/saml-answer.ts';
import { startSamlIdp } from '../support/saml-idp.ts';
import type { SamlIdp } from '../support/saml-idp.ts';
import { createSigner } from '../support/saml-keys.ts';
import { bringBack, sentTo, signInAt } from '../support/saml-visitor.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

let server: TestServer;
let idp: SamlIdp;
beforeAll(async () => {
  [server, idp] = await Promise.all([startServer(), startSamlIdp()]);
  await setIdp(server, 'saml', {
    metadata_url: idp.metadataUrl,
    subject_attribute: 'employee',
    max_attempts: '3',
  });
});
afterAll(async () => {
  await server.close();
  await idp.close();
});

/** Somebody who was asked, pressed Start, went on and is at the IdP now. */
async function atTheIdp(body: object = {}) {
  const created = await server.create({ provider: 'saml', ...body });
  const person = createPerson(server);
  await person.start(created).expect(303).expect('Location', `/challenge/${created.challenge_id}/continue`);
  return { created, person, ...(await sentTo(person, created)) };
}

type Visit = Awaited<ReturnType<typeof atTheIdp>>;

/** Everything right about an answer that the IdP may give this person. */
function honestTo({ acs, requestId }: Visit): Wish {
  return {
    ...{ issuer: idp.issuer, responseIssuer: idp.issuer, destination: acs, recipient: acs },
    ...{ audience: `${server.url}/saml/metadata`, request: requestId, responseRequest: requestId },
    assertionId: `_assertion${requestId}`,
  };
}

const carry = (visit: Visit, xml: string) =>
  bringBack(visit.person, { SAMLResponse: Buffer.from(xml).toString('base64'), RelayState: visit.state });

/** Presses the button of the page that says what went wrong, and is at the IdP once more. */
async function again({ created, person }: Visit): Promise<Visit> {
  await person.retry(created).expect(303);
  return { created, person, ...(await sentTo(person, created)) };
}

/** Why sign-ins of this challenge did not count, as the audit trail has it. */
async function refusalsOf({ challenge_id }: Created) {
  const trail = await listTrail(server.db, challenge_id);
  const refusals = trail.filter(({ action }) => action === 'sign_in_refused');
  return refusals.map(({ detail }) => (detail as { reason: string }).reason);
}

describe('a person who signs in at the company’s SAML IdP', () => {
  test('is verified', async () => {
    const { created, person, url } = await atTheIdp();
    await bringBack(person, await signInAt(url, { login: 'Ada@example.com' }));
    const page = await person.result(created).expect(200);
    expect(page.text).toContain('Identity verified');
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', auth_method: 'saml', subject_match: 'email', amr: null },
      acr: 'urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport',
      subject: { id: 'Ada@example.com', email: 'Ada@example.com', issuer: idp.issuer },
    });
    expect(await refusalsOf(created)).toEqual([]);
  });

  test('has to sign in anew, and finds their name entered', async () => {
    const { url } = await atTheIdp();
    const page = await fetch(url);
    expect(await page.text()).toContain('value="ada@example.com"');
    expect(idp.requests.at(-1)).toMatchObject({
      ...{ forceAuthn: 'true', issuer: `${server.url}/saml/metadata` },
      assertionConsumerServiceURL: `${server.url}/saml/acs`,
    });
  });

  test('may be known by an attribute', async () => {
    idp.lie({ attributes: { employee: ['4711'] } });
    const { created, person, url } = await atTheIdp({ target_user_email: undefined, target_user_id: '4711' });
    await bringBack(person, await signInAt(url, { login: 'somebody' }));
    idp.lie({});
    expect(await server.read(created.challenge_id)).toMatchObject({
      status: 'verified',
      subject_match: 'claim',
    });
  });

  test('is told when it was somebody else’s account, and may sign in with their own', async () => {
    const visit = await atTheIdp();
    await bringBack(visit.person, await signInAt(visit.url, { login: 'eve@example.com' }));
    expect((await visit.person.result(visit.created).expect(200)).text).toContain('ada@example.com');
    expect(await server.read(visit.created.challenge_id)).toMatchObject({
      status: 'in-progress',
      subject: null,
    });
    expect(await refusalsOf(visit.created)).toEqual(['subject_mismatch']);

    const { created, person, url } = await again(visit);
    await bringBack(person, await signInAt(url, { login: 'ada@example.com' }));
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'verified' });
  });

  test('who says no there has failed', async () => {
    const { created, person, url } = await atTheIdp();
    await bringBack(person, await signInAt(url, { cancel: '' }));
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'access_denied' },
    });
    expect(await refusalsOf(created)).toEqual(['access_denied']);
  });

  test('is not verified in another browser than the one that clicked', async () => {
    const { created, url } = await atTheIdp();
    const [carried, other] = [await signInAt(url, { login: 'ada@example.com' }), createPerson(server)];
    const posted = await other.agent.post('/saml/acs').type('form').send(carried).expect(303);
    await other.agent.get(posted.headers.location ?? '').expect(403);
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress' });
    expect(await refusalsOf(created)).toEqual(['other_browser']);
  });
});

describe('an answer that is not right verifies nobody and leaves its reason in the trail:', () => {
  const stranger = createSigner();
  const but = (more: Wish) => (wish: Wish) => signedResponse(idp.signer, { ...wish, ...more });
  const cases: [string, string, (wish: Wish) => string][] = [
    ['a sign-in an hour ago', 'stale_authentication', but({ authnInstant: () => inSeconds(-3_600) })],
    ['no signature', 'unsigned_assertion', responseOf],
    ['another key', 'bad_signature', (wish) => signedResponse(stranger, wish)],
    [
      'a wrapped assertion',
      'bad_signature',
      (wish) => {
        const evil = assertionOf({ ...wish, assertionId: '_evil' });
        return responseOf(wish, evil + sign(assertionOf({ ...wish, nameId: 'eve@example.com' }), idp.signer));
      },
    ],
    ['another issuer', 'wrong_issuer', but({ issuer: 'https://evil.example' })],
    ['another audience', 'wrong_audience', but({ audience: 'https://evil.example' })],
    ['another recipient', 'wrong_recipient', but({ recipient: 'https://evil.example' })],
    ['another destination', 'wrong_destination', but({ destination: 'https://evil.example' })],
    ['another request', 'wrong_request', but({ request: '_other' })],
    ['one that is over', 'response_expired', but({ confirmedUntil: () => inSeconds(-90) })],
    ['one about nobody', 'no_subject', but({ nameId: undefined })],
    ['a document type', 'malformed_response', (wish) => `<!DOCTYPE x>${signedResponse(idp.signer, wish)}`],
    [
      'a failure at the IdP',
      'idp_error',
      (wish) => responseOf({ ...wish, status: ['Responder', 'AuthnFailed'] }, ''),
    ],
  ];
  test.each(cases)('%s: %s', async (_, reason, say) => {
    const visit = await atTheIdp();
    await carry(visit, say(honestTo(visit)));
    await visit.person.result(visit.created).expect(200);
    expect(await refusalsOf(visit.created)).toEqual([reason]);
    expect(await server.read(visit.created.challenge_id)).toMatchObject({
      status: 'in-progress',
      subject: null,
    });
  });

  test('three of them are the end', async () => {
    let visit = await atTheIdp();
    for (const left of [2, 1, 0]) {
      await carry(visit, responseOf(honestTo(visit)));
      if (left > 0) visit = await again(visit);
    }
    expect(await server.read(visit.created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'unsigned_assertion' },
    });
    expect(await refusalsOf(visit.created)).toHaveLength(3);
  });

  test('an answer counts once', async () => {
    const visit = await atTheIdp();
    const carried = await signInAt(visit.url, { login: 'eve@example.com' });
    await bringBack(visit.person, carried);
    const posted = await bringBack(visit.person, carried);
    expect(posted.headers.location).toBe(`/challenge/${visit.created.challenge_id}/result`);
    expect(await refusalsOf(visit.created)).toEqual(['subject_mismatch', 'replayed_response']);
  });

  test('an assertion counts once, whatever request it answers', async () => {
    const first = await atTheIdp();
    await carry(first, signedResponse(idp.signer, { ...honestTo(first), assertionId: '_used' }));
    expect(await server.read(first.created.challenge_id)).toMatchObject({ status: 'verified' });
    const second = await atTheIdp();
    await carry(second, signedResponse(idp.signer, { ...honestTo(second), assertionId: '_used' }));
    expect(await refusalsOf(second.created)).toEqual(['replayed_assertion']);
  });

  test('an answer for one challenge does not verify another', async () => {
    const [mine, other] = [await atTheIdp(), await atTheIdp()];
    const { SAMLResponse } = await signInAt(mine.url, { login: 'ada@example.com' });
    await bringBack(other.person, { SAMLResponse, RelayState: other.state });
    expect(await refusalsOf(other.created)).toEqual(['wrong_request']);
  });

  test('an answer that nobody waits for is refused, and so is one that is too large', async () => {
    const { agent } = createPerson(server);
    const posted = agent.post('/saml/acs').type('form').send({ SAMLResponse: 'PHg+', RelayState: 'unknown' });
    expect((await posted).status).toBe(404);
    const large = agent
      .post('/saml/acs')
      .type('form')
      .send({ SAMLResponse: 'A'.repeat(300_000), RelayState: 'x' });
    expect((await large).status).toBe(413);
  });
});

test('the server describes itself to IdPs', async () => {
  const answer = await server.request.get('/saml/metadata').expect(200);
  expect(answer.headers['content-type']).toContain('application/samlmetadata+xml');
  expect(answer.text ?? answer.body.toString()).toContain(`Location="${server.url}/saml/acs"`);
});
