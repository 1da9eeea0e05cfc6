import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { idpOptions, readIdpSettings, shownSettings } from '../../src/cli/idp-settings.ts';
import { methods } from '../../src/signin/index.ts';

const { oidc, saml } = methods;
const OKTA = { issuer: 'https://acme.okta.example', 'client-id': 'id-1', 'client-secret': 'secret-1' };
const METADATA = '<EntityDescriptor/>';

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-idp-'));
  file = join(folder, 'metadata.xml');
  writeFileSync(file, METADATA);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what an IdP of OpenID Connect consists of', () => {
  const known = readIdpSettings(oidc, { ...OKTA, 'required-acr': 'phr', scopes: 'openid email' }, undefined);

  test('is entered the first time, and the rest has a default', () => {
    expect(readIdpSettings(oidc, OKTA, undefined)).toEqual({
      ...{ issuer: OKTA.issuer, client_id: 'id-1', client_secret: 'secret-1' },
      ...{ scopes: 'openid email profile', subject_claim: '', required_acr: '', max_attempts: '3' },
    });
    expect(() => readIdpSettings(oidc, { issuer: OKTA.issuer }, undefined)).toThrow(
      /^--client-id, --client-secret missing$/,
    );
    expect(() => readIdpSettings(oidc, {}, undefined)).toThrow(/^--issuer, /);
  });

  test('stays as it was where nothing else is entered', () => {
    expect(readIdpSettings(oidc, {}, known)).toEqual(known);
    expect(readIdpSettings(oidc, { issuer: OKTA.issuer, 'client-secret': 'secret-2' }, known)).toEqual({
      ...known,
      client_secret: 'secret-2',
    });
  });

  test('goes to no other issuer unless it is entered for that: neither the id nor the secret', () => {
    const elsewhere = { issuer: 'https://acme.okta.example/' };
    expect(() => readIdpSettings(oidc, elsewhere, known)).toThrow(
      /^--client-id, --client-secret missing: it is another IdP/,
    );
    expect(() => readIdpSettings(oidc, { ...elsewhere, 'client-id': 'id-2' }, known)).toThrow(
      /^--client-secret missing/,
    );
  });

  test('asks for no weaker sign-in than before because the issuer is another one', () => {
    const moved = readIdpSettings(oidc, { ...OKTA, issuer: 'https://login.example' }, known);
    expect(moved).toMatchObject({ issuer: 'https://login.example', required_acr: 'phr' });
  });

  test('goes back to its default when nothing is entered for it', () => {
    const cleared = readIdpSettings(oidc, { scopes: '', 'required-acr': '' }, known);
    expect(cleared).toEqual({ ...known, scopes: 'openid email profile', required_acr: '' });
    expect(() => readIdpSettings(oidc, { 'client-secret': '' }, known)).toThrow(/--client-secret missing/);
  });

  test('comes from files, too', () => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'secret-of-a-file\n');
    expect(readIdpSettings(oidc, { ...OKTA, 'client-secret': `@${secret}` }, undefined)).toMatchObject({
      client_secret: 'secret-of-a-file',
    });
    expect(() => readIdpSettings(oidc, { ...OKTA, 'client-secret': '@/nowhere' }, undefined)).toThrow(
      /--client-secret: there is no file \/nowhere$/,
    );
  });

  test('is shown without the secret', () => {
    expect(shownSettings(oidc, known)).toEqual({ ...known, client_secret: undefined });
  });
});

describe('the metadata of a SAML IdP', () => {
  const byUrl = readIdpSettings(
    saml,
    { 'metadata-url': 'https://idp.example/m', 'required-acr': 'phr' },
    undefined,
  );

  test('is the text of a file or an address, and the newer one counts', () => {
    const byFile = readIdpSettings(saml, { 'metadata-xml': file }, byUrl);
    expect(byFile).toEqual({ ...byUrl, metadata_url: '', metadata_xml: METADATA });
    expect(readIdpSettings(saml, { 'metadata-url': 'https://idp.example/m' }, byFile)).toEqual(byUrl);
    expect(readIdpSettings(saml, { 'max-attempts': '5' }, byFile)).toEqual({ ...byFile, max_attempts: '5' });
  });

  test('is refused when both are entered at once, or neither', () => {
    const both = { 'metadata-url': 'https://idp.example/m', 'metadata-xml': file };
    expect(() => saml.checkSettings?.(readIdpSettings(saml, both, undefined))).toThrow(/either/);
    expect(() => saml.checkSettings?.(readIdpSettings(saml, {}, undefined))).toThrow(/either/);
  });
});

test('every field is an option, and the help says which are needed the first time', () => {
  for (const method of Object.values(methods)) {
    const options = idpOptions(method);
    for (const [field, { fallback }] of Object.entries(method.fields)) {
      const option = options[field.replaceAll('_', '-')];
      expect(option?.help.includes('(required the first time)')).toBe(fallback === undefined);
      expect(option?.required).toBeUndefined();
    }
  }
});
