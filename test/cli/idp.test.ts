import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/kernel/id.ts';
import { openIdp } from '../../src/signin/idp.ts';
import { findIdpById } from '../../src/signin/store.ts';
import { runCli } from '../support/cli.ts';
import { setIdp } from '../support/idp.ts';
import { HTTPS, startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';

const OKTA = { issuer: 'https://acme.okta.example', client_id: 'id-1', client_secret: 'secret-4711' };
const OKTA_OPTIONS = [
  ...['--name', 'Okta', '--issuer', OKTA.issuer],
  ...['--client-id', OKTA.client_id, '--client-secret', OKTA.client_secret],
];

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ role: 'api', env: HTTPS });
});
afterAll(() => server.close());

const cli = (...args: string[]) => runCli(args, server.settings);
const rows = () => server.db.selectFrom('identity_providers').selectAll().orderBy('id').execute();
const providerOf = async (id: string) => (await server.read(id)).provider;

describe('idp set', () => {
  test('seals what was entered, says what to enter there, and new challenges use it at once', async () => {
    expect(await providerOf((await server.create()).challenge_id)).toBeNull();
    const ran = await cli('idp', 'set', 'oidc', ...OKTA_OPTIONS);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain(
      'OpenID Connect at "Okta" is set up for test mode. New challenges use it.\n',
    );
    expect(ran.stdout).toContain(`${HTTPS.PUBLIC_URL}/auth/callback/oidc`);
    expect(ran.stdout).toContain('countersign idp test oidc --mode test');
    expect(ran.stdout).not.toContain(OKTA.client_secret);
    const [idp, ...others] = await rows();
    expect(others).toEqual([]);
    expect(idp).toMatchObject({ kind: 'oidc', mode: 'test', name: 'Okta' });
    expect(idp?.settings_sealed).not.toMatch(/okta|4711/);
    expect(await providerOf((await server.create()).challenge_id)).toBe('oidc');
  });

  test('keeps what is not entered again, the name and the secret among it', async () => {
    const [before] = await rows();
    const ran = await cli('idp', 'set', 'oidc', '--required-acr', 'phr', '--json');
    expect(ran).toMatchObject({ code: 0, json: { kind: 'oidc', idp_id: before?.id, name: 'Okta' } });
    expect(ran.json.set_up).toEqual(expect.arrayContaining([expect.stringContaining('/auth/callback/oidc')]));
    const after = await findIdpById(server.db, String(before?.id));
    const { key, settings } = openIdp(server.sealer, after);
    expect(settings).toMatchObject({ ...OKTA, required_acr: 'phr' });
    expect(key).not.toBe(openIdp(server.sealer, before!).key);
    expect(after.updated_at.getTime()).toBeGreaterThan(before!.updated_at.getTime());
  });

  test('of another kind leaves the choice to the tenant', async () => {
    const ran = await cli(
      'idp',
      'set',
      'saml',
      '--name',
      'Entra',
      '--metadata-url',
      'https://idp.example/metadata',
    );
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.stdout).toContain(`${HTTPS.PUBLIC_URL}/saml/acs`);
    expect(ran.stdout).toContain('Challenges with "provider": "saml" use it; others use oidc');
    const chosen = await cli('tenant', 'set-provider', '--provider', 'saml');
    expect(chosen.stdout).toBe('New challenges in test mode use saml. Open ones keep theirs.\n');
    expect(await providerOf((await server.create()).challenge_id)).toBe('saml');
    expect(await providerOf((await server.create({ provider: 'oidc' })).challenge_id)).toBe('oidc');
    await cli('tenant', 'set-provider', '--provider', 'default');
  });

  test.each<[string, string[], RegExp]>([
    ['no name', OKTA_OPTIONS.slice(2), /--name missing/],
    [
      'a name that would take over a terminal',
      ['--name', 'a\u001bb', ...OKTA_OPTIONS.slice(2)],
      /--name must not/,
    ],
    ['no issuer', ['--name', 'Okta'], /--issuer, --client-id, --client-secret missing/],
    [
      'an issuer inside the network',
      [...OKTA_OPTIONS, '--issuer', 'https://10.1.2.3'],
      /--issuer cannot be called/,
    ],
    [
      'an issuer without TLS',
      [...OKTA_OPTIONS, '--issuer', 'http://acme.okta.example'],
      /--issuer cannot be called/,
    ],
    [
      'what the method knows cannot be right',
      [...OKTA_OPTIONS, '--scopes', 'email'],
      / --scopes must contain openid/,
    ],
    ['too many tries', [...OKTA_OPTIONS, '--max-attempts', '11'], /: --max-attempts must be a whole number/],
    [
      'an issuer that is none',
      [...OKTA_OPTIONS, '--issuer', 'https://idp.example/?a=b'],
      /: --issuer must be a URL/,
    ],
    [
      'a change of what is not there',
      ['--required-acr', 'phr'],
      /: no oidc is set up for live mode yet: --name, --issuer, --client-id, --client-secret missing$/m,
    ],
    ['an option that there is not', [...OKTA_OPTIONS, '--clientid', 'x'], /idp set oidc --help/],
  ])('refuses %s with the cure, and saves nothing', async (_name, options, cure) => {
    const before = await rows();
    const ran = await cli('idp', 'set', 'oidc', ...options, '--mode', 'live');
    expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(cure) });
    expect(ran.stderr.trim().split('\n')).toHaveLength(1);
    expect(await rows()).toEqual(before);
  });
});

test('idp list shows everything but secrets, and how the last sign-ins ended', async () => {
  const { tenant_id } = await server.integration({ newTenant: true });
  await setIdp(server, 'oidc', OKTA, { tenant_id, name: 'Of somebody else' });
  const [oidc] = await rows();
  const { challenge_id } = await server.create({ provider: 'oidc' });
  const ends = (outcome: string, minute: number) => ({
    ...{ id: newId(), challenge_id, identity_provider_id: oidc!.id, status: 'ended' as const, outcome },
    ...{ state_hash: newId(), browser_hash: '', browser: '', clicked_at: new Date() },
    ended_at: new Date(Date.UTC(2026, 0, 1, 0, minute)),
  });
  await server.db
    .insertInto('sign_in_attempts')
    .values([
      ends('verified', 1),
      ends('verified', 2),
      ends('subject_mismatch', 3),
      ends('wrong_audience', 4),
      ends('superseded', 5),
      ends('timed_out', 6),
    ])
    .execute();
  const { code, stdout } = await cli('idp', 'list');
  expect(code).toBe(0);
  const [first, second, ...others] = stdout.trim().split('\n\n');
  expect(others).toEqual([]);
  expect(first?.split('\n')).toEqual(
    expect.arrayContaining([
      'oidc, test mode (default)',
      '  name               Okta',
      '  issuer             https://acme.okta.example',
      '  required-acr       phr',
      '  last verified      2026-01-01T00:02:00Z',
      '  last refused       2026-01-01T00:04:00Z  wrong_audience',
    ]),
  );
  expect(second?.split('\n')).toEqual(
    expect.arrayContaining(['saml, test mode', '  last verified      none yet']),
  );
  const json = await cli('idp', 'list', '--json');
  expect(json.stdout).not.toMatch(/4711|sealed|somebody else/);
  expect(json.json.idps).toEqual([
    expect.objectContaining({
      ...{ idp_id: oidc?.id, is_default: true, last_refused_reason: 'wrong_audience' },
      settings: expect.objectContaining({ issuer: OKTA.issuer, required_acr: 'phr' }),
    }),
    expect.objectContaining({ kind: 'saml', is_default: false, last_verified_at: null }),
  ]);
});

test('errors of SAML name options, and say in one sentence what is wrong with a file', async () => {
  const none = await cli('idp', 'set', 'saml', '--name', 'x', '--mode', 'live');
  expect(none.stderr).toBe('countersign: either --metadata-url or --metadata-xml must be entered\n');
  const odd = await cli(
    'idp',
    'set',
    'saml',
    '--name',
    'x',
    '--mode',
    'live',
    '--metadata-xml',
    'package.json',
  );
  expect(odd).toMatchObject({ code: 2, stdout: '' });
  expect(odd.stderr).toBe(
    'countersign: --metadata-xml is not the metadata of a SAML IdP: it is not well-formed XML\n',
  );
});

test('help is about what was asked for, and says what an empty text does', async () => {
  const commandsOf = async (...args: string[]) =>
    [...(await cli(...args, '--help')).stdout.matchAll(/^Usage: countersign (.*) \[OPTIONS\]$/gm)].map(
      ([, name]) => name,
    );
  expect(await commandsOf('idp', 'set')).toEqual(['idp set oidc', 'idp set saml']);
  expect(await commandsOf('idp', 'test')).toEqual(['idp test oidc', 'idp test saml']);
  expect(await commandsOf('idp')).toHaveLength(7);
  expect((await cli('idp', 'remove', 'okta')).stderr).toMatch(/see `countersign idp/);
  const { stdout } = await cli('idp', 'set', 'saml', '--help');
  expect(stdout).toMatch(/--metadata-url .* this or --metadata-xml/);
  expect(stdout).toMatch(
    /--max-attempts .*in one browser at one address.* \(default: 3\) \("" resets it\)$/m,
  );
  expect(stdout).toMatch(/--required-acr .* \("" takes it away\)$/m);
  expect(stdout).not.toMatch(/metadata_(url|xml)\b/);
});

describe('idp remove', () => {
  test('is refused while open challenges use the IdP, then takes it away whole', async () => {
    const refused = await cli('idp', 'remove', 'oidc');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/[1-9] open challenge\(s\) of test mode use it; .*set-provider/);
    await server.db
      .updateTable('challenges')
      .set({ expires_at: new Date() })
      .where('provider', '=', 'oidc')
      .execute();
    const ran = await cli('idp', 'remove', 'oidc');
    expect(ran.stdout).toBe('"Okta" is removed from test mode. New challenges use saml.\n');
    expect((await rows()).map(({ kind, name }) => [kind, name])).toEqual([
      ['saml', 'Entra'],
      ['oidc', 'Of somebody else'],
    ]);
    expect(await providerOf((await server.create()).challenge_id)).toBe('saml');
  });

  test('says so when there is none', async () => {
    const none = await cli('idp', 'remove', 'oidc', '--mode', 'live');
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/no oidc is set up for live mode/) });
  });
});

test('every OpenID provider of the server has a redirect URI of its own, and keeps it', async () => {
  const redirectUriOf = async (...options: string[]) => {
    const { json } = await cli('idp', 'set', 'oidc', ...options, '--json');
    const [, uri] = /Redirect URI: +(\S+)/.exec((json.set_up as string[]).join('\n')) ?? [];
    return { id: String(json.idp_id), uri };
  };
  const documented = `${HTTPS.PUBLIC_URL}/auth/callback/oidc`;
  const first = await redirectUriOf(...OKTA_OPTIONS, '--mode', 'live');
  expect(first.uri).toBe(documented);
  const second = await redirectUriOf(...OKTA_OPTIONS);
  expect(second.uri).toBe(`${documented}/${second.id}`);
  expect(await redirectUriOf('--required-acr', 'phr')).toEqual(second);
});
