import { afterEach, expect, test } from '@jest/globals';
import { findSamlIdp } from '../../src/signin/saml-source.ts';
import { saml } from '../../src/signin/saml.ts';
import { closeAll, serveHttp } from '../support/outbound.ts';
import { metadataOf, PUBLIC_URL, signedResponse } from '../support/saml-answer.ts';
import { createSigner } from '../support/saml-keys.ts';
import { broughtBack, createHttp, idpWith, refusalOf } from '../support/saml.ts';
import type { Pair } from '../support/tls.ts';

const MINUTE_MS = 60_000;
const first = createSigner('first.example.com');
const next = createSigner('next.example.com');
const began = Date.now();
const after = (minutes: number) => new Date(began + minutes * MINUTE_MS);
afterEach(closeAll);

/** An address with metadata, as an IdP has it; `says` is what it answers, and `asked` how often it did. */
async function createSource() {
  const source = { says: { status: 200, body: metadataOf([first]) }, asked: 0 };
  const { url } = await serveHttp((_, answer) => {
    source.asked += 1;
    answer.writeHead(source.says.status, { location: 'http://127.0.0.1/' }).end(source.says.body);
  });
  const http = createHttp();
  const idp = idpWith({ metadata_url: `${url}/metadata` });
  return {
    source,
    http,
    idp,
    find: (at: Date) => findSamlIdp(idp, http, at),
    finish: (signer: Pair, now: Date) =>
      saml.finish(broughtBack(signedResponse(signer), { now, clickedAt: after(0) }), idp, http),
  };
}

test('an address is asked for metadata once an hour', async () => {
  const { source, http, idp, find } = await createSource();
  await saml.begin({ state: 'state', loginHint: null, publicUrl: PUBLIC_URL }, idp, http);
  await find(after(59));
  expect(source.asked).toBe(1);
  await find(after(61));
  expect(source.asked).toBe(2);
  await find(after(62));
  expect(source.asked).toBe(2);
});

test('people who come at once wait for one answer', async () => {
  const { source, find } = await createSource();
  await Promise.all([find(after(0)), find(after(0)), find(after(0))]);
  expect(source.asked).toBe(1);
});

test('other settings, and another server, ask for themselves', async () => {
  const { source, http, idp, find } = await createSource();
  await find(after(0));
  await findSamlIdp({ ...idp, key: 'another' }, http, after(0));
  await findSamlIdp(idp, createHttp(), after(0));
  expect(source.asked).toBe(3);
});

test('an IdP may replace its certificate while people sign in', async () => {
  const { source, finish } = await createSource();
  expect(await finish(first, after(0))).toMatchObject({ id: 'ada@example.com' });
  source.says.body = metadataOf([first, next]);
  expect((await refusalOf(finish(next, after(0.5)))).reason).toBe('bad_signature');
  expect(source.asked).toBe(1);
  expect(await finish(next, after(1.1))).toMatchObject({ id: 'ada@example.com' });
  expect(await finish(first, after(1.2))).toMatchObject({ id: 'ada@example.com' });
  expect(source.asked).toBe(2);
  source.says.body = metadataOf([next]);
  expect(await finish(first, after(2.2))).toMatchObject({ id: 'ada@example.com' });
  expect((await refusalOf(finish(createSigner(), after(2.3)))).reason).toBe('bad_signature');
  expect(source.asked).toBe(3);
  expect((await refusalOf(finish(first, after(2.4)))).reason).toBe('bad_signature');
});

test('strangers cannot make this server ask more than once a minute', async () => {
  const { source, finish } = await createSource();
  const stranger = createSigner();
  for (const minutes of [0, 0.3, 0.6, 0.9]) await refusalOf(finish(stranger, after(minutes)));
  expect(source.asked).toBe(1);
  for (const minutes of [1.1, 1.4, 1.7, 2]) await refusalOf(finish(stranger, after(minutes)));
  expect(source.asked).toBe(2);
});

test.each([
  ['is away', { status: 503, body: '' }],
  ['is a page of something else', { status: 200, body: '<html></html>' }],
  ['moved', { status: 302, body: '' }],
])('the last good copy counts while the address %s, which is asked once a minute', async (_, says) => {
  const { source, find } = await createSource();
  const good = await find(after(0));
  source.says = says;
  expect(await find(after(61))).toBe(good);
  expect(await find(after(61.5))).toBe(good);
  expect(source.asked).toBe(2);
  expect(await find(after(62.1))).toBe(good);
  expect(source.asked).toBe(3);
  source.says = { status: 200, body: metadataOf([next]) };
  const [certificate] = (await find(after(63.2))).certificates;
  expect(certificate?.subject).toBe('CN=next.example.com');
});

test.each([
  ['is not found', { status: 404, body: '' }, 'answered 404'],
  ['leads elsewhere', { status: 302, body: '' }, 'answered 302'],
  ['is too large', { status: 200, body: ' '.repeat(262_145) }, 'larger than'],
  ['declares entities', { status: 200, body: `<!DOCTYPE x []>${metadataOf([first])}` }, 'document type'],
  ['is a bomb', { status: 200, body: '<a xmlns:b="u">'.repeat(10_000) }, '10000 tags'],
])('nobody is sent anywhere while the metadata %s, and a test says so', async (_, says, message) => {
  const { source, http, idp } = await createSource();
  source.says = says;
  const begun = saml.begin({ state: 'state', loginHint: null, publicUrl: PUBLIC_URL }, idp, http);
  await expect(begun).rejects.toMatchObject({
    reason: 'idp_unavailable',
    message: expect.stringContaining(message),
  });
  const [finding] = await saml.test(PUBLIC_URL, idp, http);
  expect(finding).toMatchObject({
    state: 'fail',
    detail: expect.stringContaining(message),
  });
});

test('while there was never anything good, the address is asked once a minute', async () => {
  const { source, find } = await createSource();
  source.says = { status: 503, body: '' };
  const messageOf = (at: Date) => find(at).then(String, (error: Error) => error.message);
  const [message, ...others] = await Promise.all([0, 0, 0].map((minutes) => messageOf(after(minutes))));
  expect(message).toContain('answered 503');
  expect([...others, await messageOf(after(0.9))]).toEqual([message, message, message]);
  expect(source.asked).toBe(1);
  source.says = { status: 200, body: metadataOf([first]) };
  expect(await messageOf(after(0.95))).toBe(message);
  await find(after(1.1));
  expect(source.asked).toBe(2);
});

test('metadata that were entered are read once for an answer by a stranger', async () => {
  let read = 0;
  const idp = idpWith({});
  Object.defineProperty(idp.settings, 'metadata_xml', {
    get: () => {
      read += 1;
      return metadataOf([first]);
    },
  });
  const finished = saml.finish(broughtBack(signedResponse(next)), idp, createHttp());
  expect((await refusalOf(finished)).reason).toBe('bad_signature');
  expect(read).toBe(1);
});

test('an address that this mode may not reach is not asked', async () => {
  const { source, http, idp } = await createSource();
  const narrow = { ...http, reach: { http: true, loopback: false } };
  await expect(findSamlIdp(idp, narrow, after(0))).rejects.toMatchObject({ reason: 'idp_unavailable' });
  expect(source.asked).toBe(0);
});

test('a test asks anew', async () => {
  const { source, http, idp, find } = await createSource();
  await find(after(0));
  source.says.body = metadataOf([next]);
  const findings = await saml.test(PUBLIC_URL, idp, http);
  expect(findings.map(({ detail }) => detail).join('\n')).toContain('CN=next.example.com');
});
