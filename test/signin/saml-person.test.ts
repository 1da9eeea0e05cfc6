import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Http } from '../../src/providers/provider.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll } from '../support/outbound.ts';
import { metadataOf, signedResponse } from '../support/saml-answer.ts';
import type { Wish } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';

const FORMAT = 'urn:oasis:names:tc:SAML:';
const PERSISTENT = `${FORMAT}2.0:nameid-format:persistent`;
const METHODS = 'http://schemas.microsoft.com/claims/authnmethodsreferences';
const signer = createSigner();
let http: Http;
beforeAll(() => {
  http = createHttp();
});
afterAll(closeAll);

function finish(wish: Wish, settings: { [field: string]: string } = {}) {
  const idp = idpWith({ metadata_xml: metadataOf([signer]), ...settings });
  return saml.finish(broughtBack(signedResponse(signer, wish)), idp, http);
}

describe('the e-mail address', () => {
  test.each([
    'urn:oid:0.9.2342.19200300.100.1.3',
    'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress',
    'email',
    'mail',
  ])('is that in %s, whatever NameID looks like', async (name) => {
    const attributes = { [name]: ['ada@example.com'] };
    for (const nameId of ['G-4711', 'jane@example.com'])
      expect(await finish({ nameId, attributes })).toMatchObject({ id: nameId, email: 'ada@example.com' });
  });

  test.each([`${FORMAT}1.1:nameid-format:emailAddress`, `${FORMAT}1.1:nameid-format:unspecified`, undefined])(
    'is NameID where its format is %s and no attribute tells',
    async (nameIdFormat) => {
      expect(await finish({ nameIdFormat })).toMatchObject({ email: 'ada@example.com' });
      expect(await finish({ nameIdFormat, nameId: 'G-4711' })).toMatchObject({ email: null });
      const attributes = { mail: ['none'] };
      expect(await finish({ nameIdFormat, attributes })).toMatchObject({ email: null });
    },
  );

  test.each([PERSISTENT, `${FORMAT}2.0:nameid-format:transient`, `${FORMAT}2.0:nameid-format:kerberos`, ''])(
    'is not NameID where that is a name of another kind: %s',
    async (nameIdFormat) => {
      const signIn = await finish({ nameIdFormat });
      expect(signIn).toMatchObject({ id: 'ada@example.com', email: null });
    },
  );

  test('is that of the attribute that the operator chose, and no other', async () => {
    const attributes = { work: ['not one', 'ada@work.example'], mail: ['ada@home.example'] };
    expect(await finish({ attributes }, { email_attribute: 'work' })).toMatchObject({
      email: 'ada@work.example',
    });
    expect(await finish({ attributes }, { email_attribute: 'absent' })).toMatchObject({ email: null });
  });
});

test('somebody is known by all values of the attribute that the operator chose', async () => {
  const attributes = { employee: ['4711', ' 4712 '], other: ['1'] };
  expect(await finish({ attributes }, { subject_attribute: 'employee' })).toMatchObject({
    claim: ['4711', '4712'],
  });
  expect(await finish({ attributes })).toMatchObject({ claim: [] });
});

describe('a name', () => {
  test('stands between white space as XML knows it', async () => {
    const nameId = '\n\t ada@example.com \t\n';
    expect(await finish({ nameId })).toMatchObject({ id: 'ada@example.com', email: 'ada@example.com' });
  });

  test.each(['\u00A0', '\uFEFF', '\u2003', '\u3000'])(
    'with %j behind it is another one, and no e-mail address',
    async (space) => {
      const [nameId, mail] = [`victim@example.com${space}`, `${space}victim@example.com`];
      expect(await finish({ nameId })).toMatchObject({ id: nameId, email: null });
      const settings = { subject_attribute: 'mail' };
      expect(await finish({ attributes: { mail: [mail] } }, settings)).toMatchObject({
        ...{ email: null, claim: [mail] },
      });
    },
  );

  test.each(['\u0085', '\u2028'])('with the end of a line %j behind it is none', async (end) => {
    const code = end.codePointAt(0) ?? 0;
    const nameId = `victim@example.com&#${code};`;
    const signed = signedResponse(signer, { nameId });
    const idp = idpWith({ metadata_xml: metadataOf([signer]) });
    for (const written of [`&#${code};`, end, `&#00${code};`, `&#x0${code.toString(16)};`]) {
      // However it is written, the signature is the same.
      const xml = signed.replace(end, written);
      expect(xml).toContain(`victim@example.com${written}`);
      const { reason, message } = await refusalOf(saml.finish(broughtBack(xml), idp, http));
      expect(reason).toBe('malformed_response');
      expect(message).toContain('ends of lines');
    }
  });

  const odd = {
    'a NUL': '&#0;',
    'an escape': '&#27;[2K',
    'a tab': '&#9;',
    'a paragraph separator': '\u2029',
    'a mark that turns the direction': '\u202E',
    'a letter too many': 'a'.repeat(256),
  };
  test.each(Object.entries(odd))('with %s in it is none', async (_, text) => {
    const name = `ada${text}@example.com`;
    expect((await refusalOf(finish({ nameId: name }))).reason).toBe('no_subject');
    for (const attribute of ['mail', 'employee', METHODS]) {
      const wish = { attributes: { [attribute]: ['ada', name] } };
      const { reason, message } = await refusalOf(finish(wish, { subject_attribute: 'employee' }));
      expect(reason).toBe('malformed_response');
      expect(message).toContain(attribute);
    }
    expect((await refusalOf(finish({ acr: name }))).reason).toBe('malformed_response');
  });

  test('may be odd in an attribute that nobody asks for', async () => {
    expect(await finish({ attributes: { note: ['\u202E'] } })).toMatchObject({ id: 'ada@example.com' });
  });
});
