import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import { listTrail } from '../../src/challenges/trail-store.ts';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { CLICK, createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const SITE = 'https://shop.example';
const HTTPS = 'https://verify.example';
const NOBODY = "frame-ancestors 'none'";
const FROM_SITE = { dest: 'iframe', site: 'cross-site', referer: `${SITE}/` };
const OWN_STEP = { dest: 'iframe', site: 'same-origin' };

type Navigation = { dest?: string; site?: string; referer?: string; cookie?: string };

describe('a hosted page in a frame', () => {
  let server: TestServer;
  const allow = async (allowed_domains: string[], mode: 'test' | 'live' = 'test') => {
    const tenant = await findFirstTenant(server.db);
    await saveTenantMode(server.db, tenant?.id ?? '', mode, { allowed_domains });
  };
  /** As a browser asks for a page. */
  const get = (path: string, how: Navigation = {}) => {
    const { origin } = new URL(HTTPS);
    return server.request.get(path.replace(origin, '')).set(headersOf(how));
  };
  const start = (created: Created, how: Navigation = {}) =>
    server.request
      .post(`/challenge/start/${created.challenge_id}`)
      .set(headersOf(how))
      .type('form')
      .send({ token: new URL(created.verification_url).searchParams.get('token'), ...CLICK });
  const resultOf = ({ challenge_id }: Created) => `/challenge/${challenge_id}/result`;
  beforeAll(async () => {
    server = await startServer({ env: { PUBLIC_URL: HTTPS } });
    await allow([SITE, 'https://*.example.org:*']);
  });
  afterAll(() => server.close());

  test('is shown to a site on the list, which the browser is told', async () => {
    const created = await server.create();
    const page = await get(created.verification_url, FROM_SITE).expect(200);
    expect(page.text).toContain('Open it in a tab of its own');
    expect(policyOf(page)).toContain(`frame-ancestors ${SITE} https://*.example.org:*`);
    expect(policyOf(page)).toContain("form-action 'self'");
    expect(page.headers['x-frame-options']).toBeUndefined();
    await get(created.verification_url, { ...FROM_SITE, referer: 'https://a.b.example.org:8443/x?y' }).expect(
      200,
    );
  });

  test.each<[string, Navigation]>([
    ['a site that is not on the list', { ...FROM_SITE, referer: 'https://evil.example/' }],
    ['a site that begins like one on the list', { ...FROM_SITE, referer: `${SITE}.evil.example/` }],
    [
      'a site that names one on the list as its user',
      { ...FROM_SITE, referer: 'https://shop.example@evil.example/' },
    ],
    ['a site on the list, over http', { ...FROM_SITE, referer: 'http://shop.example/' }],
    ['a site that does not say which it is', { dest: 'iframe', site: 'cross-site' }],
    ['a sibling that does not say which it is', { dest: 'iframe', site: 'same-site' }],
    ['whoever says nothing at all', { dest: 'iframe' }],
    ['the browser itself', { dest: 'iframe', site: 'none' }],
    ['something that is no address', { ...FROM_SITE, referer: 'about:client' }],
    ['a frame', { ...FROM_SITE, dest: 'frame', referer: 'https://evil.example/' }],
    ['an embed', { ...FROM_SITE, dest: 'embed', referer: 'https://evil.example/' }],
    ['an object', { ...FROM_SITE, dest: 'object', referer: 'https://evil.example/' }],
    ['a fenced frame', { ...FROM_SITE, dest: 'fencedframe', referer: 'https://evil.example/' }],
  ])('is refused with a page to %s', async (_, how) => {
    const created = await server.create();
    const page = await get(created.verification_url, how).expect(403).expect('Content-Type', /html/);
    expect(page.text).toContain('may not be shown inside another site');
    expect(page.text).not.toContain('ada@example.com');
    expect(policyOf(page)).toContain(NOBODY);
    expect(policyOf(page)).not.toContain(SITE);
    expect(page.headers['x-frame-options']).toBe('DENY');
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'initiated' });
    const trail = await listTrail(server.db, created.challenge_id);
    expect(trail.at(-1)).toMatchObject({ action: 'request_refused', detail: { reason: 'framed' } });
  });

  test('is never refused in a tab, wherever the person comes from', async () => {
    const created = await server.create();
    const anywhere = { dest: 'document', site: 'cross-site', referer: 'https://mail.example/' };
    await get(created.verification_url, anywhere).expect(200);
    await get(created.verification_url, { dest: 'document', site: 'none' }).expect(200);
    // A browser that says nothing is held by frame-ancestors.
    expect(policyOf(await get(created.verification_url).expect(200))).toContain(`frame-ancestors ${SITE}`);
  });

  test('is framed by nobody where the list is empty', async () => {
    await allow([], 'live');
    const { apiKey } = await server.integration({ newTenant: true });
    const created = await server.create({}, apiKey);
    await get(created.verification_url, FROM_SITE).expect(403);
    const page = await get(created.verification_url).expect(200);
    expect(policyOf(page)).toContain(NOBODY);
    expect(page.headers['x-frame-options']).toBe('DENY');
  });

  test('knows the list of its own mode only', async () => {
    await allow(['https://live.example'], 'live');
    const { apiKey } = await server.integration({ mode: 'live' });
    const live = await server.create({}, apiKey);
    await get(live.verification_url, FROM_SITE).expect(403);
    // Nothing is set up for live mode: the page says so, and the site may show that.
    const page = await get(live.verification_url, { ...FROM_SITE, referer: 'https://live.example/' }).expect(
      503,
    );
    expect(policyOf(page)).toContain('frame-ancestors https://live.example');
    const created = await server.create();
    await get(created.verification_url, { ...FROM_SITE, referer: 'https://live.example/' }).expect(403);
  });

  test('answers a stranger the same for every challenge there is, was, or never was', async () => {
    const rights = { scopes: ['challenges:create', 'challenges:erase'], own_only: false };
    const { apiKey } = await server.integration({ rights });
    const [open, erased] = [await server.create(), await server.create({}, apiKey)];
    await start(erased).expect(303);
    for (const step of ['cancel', 'erase']) {
      const path = `/api/v1/challenges/${erased.challenge_id}/${step}`;
      await server.request.post(path).set('X-API-Key', apiKey).expect(200);
    }
    const unknown = '01a1f80c-66f3-757c-8473-8105b057d432';
    const paths = [
      open.verification_url,
      erased.verification_url,
      `/challenge/start/${open.challenge_id}?token=wrong`,
      `/challenge/start/${unknown}?token=wrong`,
      '/challenge/start/no-id?token=wrong',
      ...[open.challenge_id, erased.challenge_id, unknown].flatMap((id) =>
        ['result', 'continue', 'sandbox'].map((page) => `/challenge/${id}/${page}`),
      ),
    ];
    const stranger = { ...FROM_SITE, referer: 'https://evil.example/' };
    const answers = await Promise.all(paths.map((path) => get(path, stranger).expect(403)));
    expect(new Set(answers.map(withoutItsId)).size).toBe(1);
    expect(new Set(answers.map(policyOf)).size).toBe(1);
    // Also to one that claims to be on somebody's list, unless it has the link.
    const claimed = await Promise.all(paths.slice(2).map((path) => get(path, FROM_SITE).expect(403)));
    expect(new Set(claimed.map(withoutItsId))).toEqual(new Set([withoutItsId(answers[0]!)]));
  });

  test('is the only thing of ours that may be framed', async () => {
    for (const path of ['/healthz', '/assets/countersign.css', '/challenge/nothing/here', '/']) {
      const answer = await get(path, FROM_SITE);
      expect(policyOf(answer)).toContain(NOBODY);
      expect(answer.headers['x-frame-options']).toBe('DENY');
    }
  });

  test('goes on from page to page without being asked again', async () => {
    const created = await server.create();
    const begun = await start(created, OWN_STEP).expect(303);
    const cookie = cookieOf(begun);
    const page = await get(`/challenge/${created.challenge_id}/sandbox`, { ...OWN_STEP, cookie }).expect(200);
    expect(policyOf(page)).toContain(`frame-ancestors ${SITE}`);
    const other = { ...OWN_STEP, site: 'cross-site', cookie };
    await server.request
      .post(`/challenge/${created.challenge_id}/sandbox`)
      .set(headersOf(other))
      .type('form')
      .send({ decision: 'approve' })
      .expect(403);
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress' });
  });

  test('lets the provider bring back whoever began in a frame, and nobody else', async () => {
    const back = { dest: 'iframe', site: 'cross-site', referer: 'https://provider.example/' };
    const framed = await server.create();
    const inFrame = cookieOf(await start(framed, OWN_STEP).expect(303));
    await get(resultOf(framed), { ...back, cookie: inFrame }).expect(200);
    await get(resultOf(framed), {
      ...back,
      cookie: `a=b; countersign_${framed.challenge_id}=old; ${inFrame}`,
    }).expect(200);
    await get(resultOf(framed), back).expect(403);

    const inTab = await server.create();
    const tab = cookieOf(await start(inTab, { dest: 'document', site: 'same-origin' }).expect(303));
    await get(resultOf(inTab), { ...back, cookie: tab }).expect(403);
    await get(resultOf(inTab), { ...back, dest: 'document', cookie: tab }).expect(200);
  });

  test('gets a cookie that comes back in a frame, and only under the site it was set under', async () => {
    const framed = (await start(await server.create(), OWN_STEP)).get('Set-Cookie')?.[0];
    expect(framed).toMatch(/; HttpOnly; Secure; Partitioned; SameSite=None$/);
    const tab = (await start(await server.create())).get('Set-Cookie')?.[0];
    expect(tab).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
  });

  test('says what to do where the browser keeps no cookies in frames', async () => {
    const created = await server.create();
    await start(created, OWN_STEP).expect(303);
    const page = await get(resultOf(created), OWN_STEP).expect(403);
    expect(page.text).toContain('Open your link in a tab of its own');
    expect(page.headers['x-frame-options']).toBeUndefined();
    expect(policyOf(page)).toContain('frame-ancestors *');
    expect(policyOf(page)).not.toContain(SITE);
  });

  test('is refused to a site that was taken off the list meanwhile', async () => {
    const created = await server.create();
    const cookie = cookieOf(await start(created, OWN_STEP).expect(303));
    await allow([]);
    await get(created.verification_url, FROM_SITE).expect(403);
    const page = await get(resultOf(created), { ...OWN_STEP, cookie }).expect(200);
    expect(policyOf(page)).toContain(NOBODY);
    expect(page.headers['x-frame-options']).toBe('DENY');
    await allow([SITE, 'https://*.example.org:*']);
  });
});

test('over http the cookie stays as it is: a frame of the same site gets it back', async () => {
  const server = await startServer();
  const created = await server.create();
  const answer = await createPerson(server).press(created).set(headersOf(OWN_STEP)).expect(303);
  expect(answer.get('Set-Cookie')?.[0]).toMatch(/; HttpOnly; SameSite=Lax$/);
  await server.close();
});

function headersOf({ dest, site, referer, cookie }: Navigation): Record<string, string> {
  return {
    ...(dest ? { 'Sec-Fetch-Dest': dest } : {}),
    ...(site ? { 'Sec-Fetch-Site': site } : {}),
    ...(referer ? { Referer: referer } : {}),
    ...(cookie ? { Cookie: cookie } : {}),
  };
}

function policyOf(answer: Response): string {
  return String(answer.headers['content-security-policy']).replaceAll(';', '; ');
}

function cookieOf(answer: Response): string {
  return answer.get('Set-Cookie')?.[0]?.split(';')[0] ?? '';
}

/** The page, but for the number that differs in every answer. */
function withoutItsId(answer: Response): string {
  // Nor the links to itself in other languages.
  const text = answer.text.replaceAll(String(answer.headers['x-request-id']), '');
  return text.replaceAll(/href="[^"]*[?&;]lang=/g, 'href="lang=');
}
