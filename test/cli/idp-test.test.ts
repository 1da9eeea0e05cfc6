import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createSealer } from '../../src/kernel/crypto.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { setIdp } from '../support/idp.ts';
import { startHostileIdp } from '../support/oidc-hostile.ts';
import type { HostileIdp } from '../support/oidc-hostile.ts';
import { CLIENT, startOidcIdp } from '../support/oidc-idp.ts';
import type { OidcIdp } from '../support/oidc-idp.ts';
import { openIdpAt } from '../support/oidc-method.ts';
import { metadataOf } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { HTTPS, testEnv } from '../support/server.ts';

const KEY = randomBytes(32);

let database: TestDatabase;
let idp: OidcIdp;
let hostile: HostileIdp;
let env: Record<string, string>;
beforeAll(async () => {
  database = await createDatabase();
  idp = await startOidcIdp({ redirectUri: `${HTTPS.PUBLIC_URL}/auth/callback/oidc` });
  hostile = await startHostileIdp();
  env = testEnv(database.url, undefined, KEY, HTTPS);
  await insertTenant(database.db, 'Acme');
});
afterAll(async () => {
  await idp.close();
  await hostile.close();
  await database.close();
});

const save = (kind: 'oidc' | 'saml', settings: Record<string, string>, name?: string) =>
  setIdp({ db: database.db, sealer: createSealer([KEY]) }, kind, settings, name ? { name } : {});
const doctorOnSignIn = async (settings = env) => {
  const { code, json } = await runCli(['doctor', '--json'], settings);
  const { checks } = json as { checks: { name: string; state: string; detail: string }[] };
  return { code, ...checks.find(({ name }) => name === 'sign-in') };
};

test('an IdP that is right is found right, and doctor is content with it', async () => {
  expect(await doctorOnSignIn()).toMatchObject({ code: 0, state: 'ok', detail: 'no IdP is set up' });
  await save('oidc', openIdpAt(idp.issuer).settings);
  const { code, stdout } = await runCli(['idp', 'test', 'oidc'], env);
  expect(stdout).toMatch(/^ok +Client +The IdP knows client_id and client_secret\.$/m);
  expect(stdout).toMatch(/^ok +Redirect URI /m);
  expect(stdout).not.toMatch(/^fail/m);
  expect(stdout).not.toContain(CLIENT.client_secret);
  expect(code).toBe(0);
  expect(await doctorOnSignIn()).toMatchObject({ code: 0 });
});

test('a wrong secret is found, in the test, for programs and by doctor', async () => {
  await save('oidc', openIdpAt(idp.issuer, { client_secret: 'wrong' }).settings, 'Okta');
  const [text, { code, json }, seen] = await Promise.all([
    runCli(['idp', 'test', 'oidc'], env),
    runCli(['idp', 'test', 'oidc', '--json'], env),
    doctorOnSignIn(),
  ]);
  expect(text.code).toBe(1);
  expect(text.stdout).toMatch(/^fail +Client /m);
  expect(code).toBe(1);
  expect(json).toMatchObject({
    ...{ kind: 'oidc', mode: 'test', name: 'Okta', ok: false },
    findings: expect.arrayContaining([expect.objectContaining({ state: 'fail', name: 'Client' })]),
  });
  expect(seen).toMatchObject({ code: 1, state: 'fail' });
  expect(seen.detail).toMatch(
    /^"Okta" in test mode: Client: .*[^.]; see `countersign idp test oidc --mode test`$/,
  );
});

test('an IdP that writes commands for a terminal into what it says is quoted without them', async () => {
  // Controls at the end of an address do not count in comparing it.
  const issuer = `${hostile.issuer}\u001b\u0007\n`;
  const jwks_uri = `${hostile.issuer}/keys?\u001b]0;owned\u0007\u001b[2J\u009b2J\u202e`;
  hostile.say({ '/.well-known/openid-configuration': { body: { ...hostile.metadata, issuer, jwks_uri } } });
  await save('oidc', openIdpAt(hostile.issuer).settings, 'Okta');
  const [{ stdout }, { json }] = await Promise.all([
    runCli(['idp', 'test', 'oidc'], env),
    runCli(['idp', 'test', 'oidc', '--json'], env),
  ]);
  expect(stdout).toMatch(/^ok +Metadata +http.* answers and names itself so\.$/m);
  expect(stdout).toMatch(/^ok +Keys +"http.*owned/m);
  expect(stdout).toMatch(/^[\n\x20-\x7e]+$/);
  const details = (json.findings as { detail: string }[]).map(({ detail }) => detail);
  expect(details.filter((detail) => /\p{C}/u.test(detail))).toEqual([]);
});

test('SAML is tested by its metadata; what may surprise does not fail', async () => {
  await database.db.deleteFrom('identity_providers').execute();
  await save('saml', { metadata_xml: metadataOf([createSigner('idp', { days: 9 })]), max_attempts: '3' });
  const { code, stdout } = await runCli(['idp', 'test', 'saml'], env);
  expect(stdout).toMatch(/^warn +Certificate +.*, [89] days: /m);
  expect(code).toBe(0);
  expect(await doctorOnSignIn()).toMatchObject({
    code: 0,
    state: 'warn',
    detail: expect.stringMatching(/idp test saml/),
  });
  expect(await runCli(['idp', 'test', 'oidc'], env)).toMatchObject({
    ...{ code: 2, stdout: '' },
    stderr: expect.stringMatching(/no oidc is set up for test mode; see `countersign idp set oidc --help`/),
  });
});

test('doctor says when the key does not open an IdP or the key of proofs', async () => {
  const other = { ...env, ENCRYPTION_KEY: randomBytes(32).toString('hex') };
  expect(await doctorOnSignIn(other)).toMatchObject({ code: 1, state: 'fail' });
  await database.db.deleteFrom('identity_providers').execute();
  await database.db
    .insertInto('proof_keys')
    .values({
      ...{ kid: 'k', public_jwk: '{}', created_at: new Date(), signs_from: new Date() },
      private_sealed: createSealer([KEY]).seal('pem', 'proof_keys:k'),
    })
    .execute();
  const [well, sick] = await Promise.all([runCli(['doctor'], env), runCli(['doctor'], other)]);
  expect(well.stdout).toMatch(/^ok +encryption +.* 0 IdP\(s\), 0 Slack workspace\(s\), 1 proof key\(s\)$/m);
  expect(sick.stdout).toMatch(/^fail +encryption +sealed under key/m);
});
