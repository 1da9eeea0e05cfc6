import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Finding } from '../../src/signin/method.ts';
import { oidc } from '../../src/signin/oidc.ts';
import { startHostileIdp } from '../support/oidc-hostile.ts';
import type { HostileIdp, Sayings } from '../support/oidc-hostile.ts';
import { startOidcIdp } from '../support/oidc-idp.ts';
import { developerHttp, openIdpAt, PUBLIC_URL, REDIRECT_URI } from '../support/oidc-method.ts';
import { closeAll } from '../support/outbound.ts';

const METADATA = '/.well-known/openid-configuration';

let idp: HostileIdp;
beforeAll(async () => {
  idp = await startHostileIdp();
});
afterEach(async () => {
  idp.say({});
  await closeAll();
});
afterAll(() => idp.close());

/** What a test of the configuration finds, by name. */
async function findingsAt(
  issuer: string,
  settings: { [field: string]: string } = {},
  { publicUrl = PUBLIC_URL, ...more }: { publicUrl?: string; callbackPath?: string } = {},
) {
  const opened = { ...openIdpAt(issuer, settings), ...more };
  const findings = await oidc.test(publicUrl, opened, developerHttp());
  return new Map(findings.map((finding) => [finding.name, finding]));
}

const states = (found: Map<string, Finding>) =>
  Object.fromEntries([...found].map(([name, { state }]) => [name, state]));

describe('at a real IdP', () => {
  let real: Awaited<ReturnType<typeof startOidcIdp>>;
  beforeAll(async () => {
    real = await startOidcIdp({ redirectUri: REDIRECT_URI });
  });
  afterAll(() => real.close());

  test('all that can be known without a person is found to be right', async () => {
    const found = await findingsAt(real.issuer, { required_acr: 'mfa', subject_claim: 'groups' });
    expect(states(found)).toEqual({
      ...{ Metadata: 'ok', 'Authorization code': 'ok', PKCE: 'ok' },
      // It announces no list of prompts, as most do not.
      'Signing in anew': 'warn',
      ...{ 'Time of signing in': 'ok', Scopes: 'ok', 'Subject claim': 'ok', 'Required acr': 'ok' },
      ...{ Keys: 'ok', Client: 'ok', 'Redirect URI': 'ok' },
    });
    expect(found.get('Redirect URI')?.detail).toBe(`The IdP sends people back to ${REDIRECT_URI}.`);
  });

  test('a wrong secret, a wrong client and a redirect URI that is not registered are found', async () => {
    const secret = await findingsAt(real.issuer, { client_secret: 'another' });
    expect(secret.get('Client')).toMatchObject({
      state: 'fail',
      detail: 'The IdP refuses client_id with client_secret: copy both again.',
    });
    const client = await findingsAt(real.issuer, { client_id: 'another' });
    expect(client.get('Client')?.state).toBe('fail');
    const unregistered = async (more: object, uri: string) =>
      expect((await findingsAt(real.issuer, {}, more)).get('Redirect URI')).toMatchObject({
        state: 'fail',
        detail: `The IdP does not send people back (status 400): register ${uri} there.`,
      });
    const publicUrl = 'https://elsewhere.example.com';
    await unregistered({ publicUrl }, 'https://elsewhere.example.com/auth/callback/oidc');
    await unregistered({ callbackPath: '/auth/callback/oidc/second' }, `${REDIRECT_URI}/second`);
  });

  test('what the IdP does not know is found', async () => {
    const wishes = { scopes: 'openid groups', required_acr: 'mfa hardware', subject_claim: 'upn' };
    const found = await findingsAt(real.issuer, wishes);
    expect(found.get('Scopes')).toMatchObject({
      ...{ state: 'warn', detail: 'scopes_supported lacks groups: unknown scopes may be refused.' },
    });
    expect(found.get('Required acr')).toMatchObject({
      ...{ state: 'warn', detail: expect.stringContaining('acr_values_supported lacks hardware') },
    });
    expect(found.get('Subject claim')).toMatchObject({
      ...{ state: 'warn', detail: expect.stringContaining('claims_supported lacks upn') },
    });
  });
});

describe('at an IdP that is not as it should be', () => {
  const saying = async (sayings: Sayings, settings: { [field: string]: string } = {}) => {
    idp.say(sayings);
    return findingsAt(idp.issuer, settings);
  };
  const metadata = (more: object) => ({ [METADATA]: { body: { ...idp.metadata, ...more } } });

  test('one that cannot be asked is the only finding', async () => {
    const found = await saying({ [METADATA]: { status: 500, body: '' } });
    expect([...found.values()]).toEqual([
      {
        state: 'fail',
        name: 'Metadata',
        detail: 'The address of the metadata answered 500: check the issuer.',
      },
    ]);
  });

  test('the issuer is to be entered as the IdP names itself', async () => {
    const found = await saying(metadata({ issuer: `${idp.issuer}/realms/x` }));
    expect(found.get('Metadata')?.detail).toBe(
      `The IdP names itself "${idp.issuer}/realms/x": enter exactly that as issuer.`,
    );
  });

  test('what is missing from a list is told, and so is a missing list', async () => {
    const lacking = { response_types_supported: ['id_token'], code_challenge_methods_supported: ['plain'] };
    const found = await saying(
      metadata({ ...lacking, prompt_values_supported: ['none'], claims_supported: ['sub'] }),
    );
    expect(states(found)).toMatchObject({
      ...{
        'Authorization code': 'fail',
        PKCE: 'fail',
        'Signing in anew': 'fail',
        'Time of signing in': 'warn',
      },
    });
    const silent = await saying(metadata({ response_types_supported: undefined }));
    expect(states(silent)).toMatchObject({
      ...{
        'Authorization code': 'warn',
        PKCE: 'warn',
        'Signing in anew': 'warn',
        'Time of signing in': 'warn',
      },
    });
    expect(silent.get('PKCE')?.detail).toBe(
      'The metadata have no code_challenge_methods_supported, so look at the IdP: PKCE with S256 must be allowed.',
    );
  });

  test('one that signs with shared secrets alone cannot be used', async () => {
    const found = await saying(metadata({ id_token_signing_alg_values_supported: ['HS256', 'none'] }));
    expect(found.get('Signature')?.state).toBe('fail');
    expect((await saying(metadata({}))).has('Signature')).toBe(false);
  });

  test.each([
    ['away', { status: 503, body: '' }],
    ['none', { body: { keys: [] } }],
    ['a page', { type: 'text/html', body: '<html>' }],
  ])('keys that are %s are found', async (_, keys) => {
    expect((await saying({ '/keys': keys })).get('Keys')?.state).toBe('fail');
  });

  test('an answer to a made-up code that says nothing of the client is told as it is', async () => {
    const odd = { status: 400, body: { error: 'invalid_request', error_description: 'AADSTS900144' } };
    const found = await saying({ '/token': odd });
    expect(found.get('Client')).toMatchObject({
      state: 'warn',
      detail: expect.stringContaining('"invalid_request" "AADSTS900144"'),
    });
    expect((await saying({ '/token': { status: 500, body: '' } })).get('Client')?.state).toBe('fail');
  });

  test.each([
    ['invalid_scope', 'fail'],
    ['login_required', 'ok'],
    ['server_error', 'warn'],
  ])('a redirect back with %s: %s', async (error, state) => {
    const location = `${REDIRECT_URI}?error=${error}`;
    const found = await saying({ '/authorize': { status: 302, body: '', headers: { location } } });
    expect(found.get('Redirect URI')?.state).toBe(state);
  });

  test('an IdP that shows a page instead leaves it open', async () => {
    const found = await saying({ '/authorize': { type: 'text/html', body: '<html>' } });
    expect(found.get('Redirect URI')).toMatchObject({
      ...{ state: 'warn', detail: expect.stringContaining(`register ${REDIRECT_URI} there`) },
    });
  });
});
