import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { oidc } from '../../src/signin/oidc.ts';
import { finishAt, signToken, startHostileIdp, tokenAnswer } from '../support/oidc-hostile.ts';
import type { Asked, HostileIdp, Said } from '../support/oidc-hostile.ts';
import { CLIENT } from '../support/oidc-idp.ts';
import {
  developerHttp,
  openIdpAt,
  PUBLIC_URL,
  reasonOf,
  refusalFrom,
  runAt,
} from '../support/oidc-method.ts';
import { closeAll, DEVELOPMENT, outboundWith } from '../support/outbound.ts';

const METADATA = '/.well-known/openid-configuration';

let idp: HostileIdp;
beforeAll(async () => {
  idp = await startHostileIdp();
});
afterEach(async () => {
  idp.say({});
  idp.asked.length = 0;
  await closeAll();
});
afterAll(() => idp.close());

const RUN = { state: 'the-state', loginHint: null, publicUrl: PUBLIC_URL };
const beginAt = (issuer: string) => oidc.begin(RUN, openIdpAt(issuer), developerHttp());

describe('where the IdP is asked what it is', () => {
  test('what it answers is kept for all sign-ins, until the settings change', async () => {
    const at = openIdpAt(idp.issuer);
    const http = developerHttp();
    await Promise.all([oidc.begin(RUN, at, http), oidc.begin(RUN, at, http)]);
    await oidc.begin(RUN, at, http);
    expect(idp.asked).toEqual([`GET ${METADATA}`]);
    await oidc.begin(RUN, { ...at, key: `${at.key} changed` }, http);
    expect(idp.asked).toEqual([`GET ${METADATA}`, `GET ${METADATA}`]);
  });

  test('a failure is not kept', async () => {
    const at = openIdpAt(idp.issuer);
    const http = developerHttp();
    idp.say({ [METADATA]: { status: 503, body: '' } });
    expect(await reasonOf(oidc.begin(RUN, at, http))).toBe('idp_unavailable');
    idp.say({});
    expect((await oidc.begin(RUN, at, http)).url).toContain(`${idp.issuer}/authorize?`);
  });

  test.each<[string, Said, string]>([
    [
      'nothing there',
      { status: 404, body: '' },
      'The address of the metadata answered 404: check the issuer.',
    ],
    [
      'a redirect',
      { status: 302, body: '', headers: { location: '/' } },
      'The address of the metadata answered 302: check the issuer.',
    ],
    [
      'a page',
      { type: 'text/html', body: '<html>' },
      'What the address of the metadata answers is no metadata: check the issuer.',
    ],
    ['a list', { body: [] }, 'What the address of the metadata answers is no metadata: check the issuer.'],
    ['no issuer', { body: {} }, 'What the address of the metadata answers is no metadata: check the issuer.'],
    [
      'an issuer that is no URL',
      { body: { issuer: 'me' } },
      'What the address of the metadata answers is no metadata: check the issuer.',
    ],
    [
      'another issuer',
      { body: { issuer: 'https://other.example.com/x' } },
      'The IdP names itself "https://other.example.com/x": enter exactly that as issuer.',
    ],
  ])('%s is told as what it is', async (_, said, sentence) => {
    idp.say({ [METADATA]: said });
    const { reason, message } = await refusalFrom(beginAt(idp.issuer));
    expect([reason, message]).toEqual(['idp_unavailable', sentence]);
  });

  test.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri'])('%s has to be there', async (name) => {
    for (const value of [undefined, 'elsewhere', 'javascript:alert(1)']) {
      idp.say({ [METADATA]: { body: { ...idp.metadata, [name]: value } } });
      const { reason, message } = await refusalFrom(beginAt(idp.issuer));
      expect([reason, message]).toEqual([
        'idp_unavailable',
        `The metadata have no ${name} that can be called.`,
      ]);
    }
  });

  test('an IdP that does not listen is told as such', async () => {
    const gone = await startHostileIdp();
    await gone.close();
    expect(await refusalFrom(beginAt(gone.issuer))).toMatchObject({
      reason: 'idp_unavailable',
      message: 'The metadata cannot be fetched: The connection was refused. (ECONNREFUSED)',
    });
  });

  test('an issuer that stands for many companies is refused, also where the library would take it', async () => {
    const issuer = idp.issuer.replace('127.0.0.1', 'acme.b2clogin.com');
    const named = 'https://login.microsoftonline.com/{tenantid}/v2.0';
    idp.say({ [METADATA]: { body: { ...idp.metadata, issuer: named } } });
    const outbound = outboundWith({ resolve: async () => ['127.0.0.1'] });
    const refusal = await refusalFrom(oidc.begin(RUN, openIdpAt(issuer), { outbound, reach: DEVELOPMENT }));
    expect(refusal.message).toBe(
      `At this issuer people of any company sign in ("${named}"): enter the one of yours alone.`,
    );
    expect(idp.asked).toEqual([`GET ${METADATA}`]);
  });

  test('an address inside is not called, nor one without https in live mode', async () => {
    const at = openIdpAt(idp.issuer);
    const inside = { outbound: outboundWith(), reach: { http: true, loopback: false } };
    expect((await refusalFrom(oidc.begin(RUN, at, inside))).message).toContain('not on the public internet');
    const live = {
      outbound: outboundWith({ allowedCidrs: ['127.0.0.0/8'] }),
      reach: { http: false, loopback: false },
    };
    const refusal = await refusalFrom(oidc.begin(RUN, at, live));
    expect(refusal).toMatchObject({
      reason: 'idp_unavailable',
      message: 'The issuer must begin with https://',
    });
    expect(idp.asked).toEqual([]);
  });

  test('endpoints inside are not called either', async () => {
    const open = await startHostileIdp();
    const token_endpoint = open.metadata.token_endpoint.replace('127.0.0.1', '169.254.169.254');
    open.say({ [METADATA]: { body: { ...open.metadata, token_endpoint } } });
    const back = async () => `${PUBLIC_URL}/auth/callback/oidc?code=a&state=the-state`;
    const run = await runAt(openIdpAt(open.issuer), developerHttp(), back);
    expect(await reasonOf(run.finish())).toBe('idp_unavailable');
    await open.close();
  });
});

describe('the client secret', () => {
  const isBasic = ({ authorization }: Asked) => authorization?.startsWith('Basic ') ?? false;
  const isForm = ({ form }: Asked) => form.get('client_secret') === CLIENT.client_secret;
  const refused: Said = { status: 401, body: { error: 'invalid_client' } };
  /** Takes it in this way alone. */
  const taking = (isTaken: (asked: Asked) => boolean) => (nonce: string | undefined) => ({
    '/token': (asked: Asked) =>
      isTaken(asked)
        ? tokenAnswer(signToken(idp.claims(nonce), { alg: 'ES256', kid: 'one' }, idp.keys.private))
        : refused,
  });
  const tokenRequests = () => idp.asked.filter((one) => one === 'POST /token').length;

  test('is shown in the header first, and in the form where the IdP wants it there', async () => {
    expect(await finishAt(idp, taking(isBasic))).toMatchObject({ id: '4711' });
    expect(tokenRequests()).toBe(1);
    expect(
      await finishAt(
        idp,
        taking((asked) => isForm(asked) && !isBasic(asked)),
      ),
    ).toMatchObject({ id: '4711' });
    expect(tokenRequests()).toBe(3);
  });

  test('is shown at once in the way that worked before', async () => {
    const at = openIdpAt(idp.issuer);
    const http = developerHttp();
    const back = async () => `${PUBLIC_URL}/auth/callback/oidc?code=a&state=the-state`;
    for (const sofar of [2, 3]) {
      const run = await runAt(at, http, back);
      idp.say(taking(isForm)(run.kept.nonce));
      await run.finish();
      expect(tokenRequests()).toBe(sofar);
    }
  });

  test.each([
    ['client_secret_basic', isBasic],
    ['client_secret_post', isForm],
  ])('is shown in no other way where the IdP lists %s alone', async (name, isTaken) => {
    const listed = { ...idp.metadata, token_endpoint_auth_methods_supported: [name] };
    idp.say({ [METADATA]: { body: listed } });
    const back = async () => `${PUBLIC_URL}/auth/callback/oidc?code=a&state=s`;
    const run = await runAt(openIdpAt(idp.issuer), developerHttp(), back);
    idp.say(taking((asked) => !isTaken(asked))(run.kept.nonce));
    expect(await reasonOf(run.finish())).toBe('idp_error');
    expect(tokenRequests()).toBe(1);
  });
});
