import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FrameLocator } from 'playwright-core';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { openBrowser, picture } from '../support/browser.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSite, startTlsFront } from '../support/site.ts';
import { createAuthority } from '../support/tls.ts';
import { startVeriff } from '../support/veriff.ts';
import type { Veriff } from '../support/veriff.ts';

type Browser = Awaited<ReturnType<typeof openBrowser>>;
type Site = Awaited<ReturnType<typeof startSite>>;

describe('over http beside the server, in a real browser', () => {
  let server: TestServer;
  let browser: Browser;
  let site: Site;
  let stranger: Site;
  beforeAll(async () => {
    [server, browser, site, stranger] = await Promise.all([
      startServer(),
      openBrowser(),
      startSite(),
      startSite(),
    ]);
    await allow(server, [site.origin]);
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    await site.close();
    await stranger.close();
  });

  test.each([
    ['phone-light', 375, 'light'],
    ['desktop-dark', 1280, 'dark'],
  ] as const)('a site on the list shows the pages to the end on %s', async (name, width, colorScheme) => {
    const created = await server.create({
      context: 'Order 4711',
      return_url: `${site.origin}/done?order=4711`,
    });
    const { page, complaints } = await browser.newPage({ viewport: { width, height: 760 }, colorScheme });
    await page.goto(site.framing(created.verification_url));
    const frame = page.frameLocator('iframe');
    await frame.getByText('Order 4711').waitFor();
    await picture(page, `framed-${name}-1-start`);
    await goOn(frame);
    await frame.getByRole('button', { name: 'Approve' }).click();
    await frame.getByRole('heading', { name: 'Identity verified' }).waitFor();
    await picture(page, `framed-${name}-2-result`);
    expect((await server.read(created.challenge_id)).status).toBe('verified');

    await frame.getByRole('link', { name: /^Return to/ }).click();
    await frame.getByRole('heading', { name: 'Back at the shop' }).waitFor();
    expect(site.visits).toContain(`/done?order=4711&challenge_id=${created.challenge_id}&status=verified`);
    expect(complaints).toEqual([]);
  });

  test('a site that is not on the list shows nothing: the server answers 403, and the browser refuses', async () => {
    const created = await server.create();
    const { page } = await browser.newPage({});
    const [answer] = await Promise.all([
      page.waitForResponse(/\/challenge\/start\//),
      page.goto(stranger.framing(created.verification_url)),
    ]);
    expect(answer.status()).toBe(403);
    await page.waitForTimeout(300);
    expect(await page.frameLocator('iframe').getByRole('button').count()).toBe(0);
    expect(await page.frameLocator('iframe').getByText('Confirm').count()).toBe(0);
  });

  test('a site on the list that is itself in a frame of a stranger shows nothing: the browser refuses', async () => {
    const created = await server.create();
    const { page } = await browser.newPage({});
    const [answer] = await Promise.all([
      page.waitForResponse(/\/challenge\/start\//),
      page.goto(stranger.framing(site.framing(created.verification_url))),
    ]);
    expect(answer.status()).toBe(200);
    const inner = page.frameLocator('iframe').frameLocator('iframe');
    await page.frameLocator('iframe').getByRole('heading', { name: 'The shop' }).waitFor();
    await page.waitForTimeout(300);
    expect(await inner.getByText('Confirm').count()).toBe(0);
  });
});

describe('over https inside another site, in a real browser', () => {
  let server: TestServer;
  let browser: Browser;
  let site: Site;
  let stranger: Site;
  let veriff: Veriff;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    const authority = createAuthority();
    const pair = authority.issue(['localhost', '127.0.0.1']);
    const front = await startTlsFront(pair);
    server = await startServer({ env: { PUBLIC_URL: front.origin } });
    front.to(server.url);
    [browser, site, stranger] = await Promise.all([openBrowser(), startSite({ pair }), startSite({ pair })]);
    veriff = await startVeriff();
    const account = await server.provider('veriff', veriff.settings);
    veriff.sendWebhooksTo(`${server.url}/webhooks/veriff/${account}`);
    await allow(server, [site.origin]);
    for (const one of [veriff, stranger, site, front, server, browser, authority])
      closers.push(() => one.close());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  test('a site on the list shows the pages to the end, also past the provider', async () => {
    const created = await server.create({ return_url: `${site.origin}/done` });
    const { page, complaints } = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(site.framing(created.verification_url));
    const frame = page.frameLocator('iframe');
    await goOn(frame);
    await frame.getByRole('button', { name: 'approved verified', exact: true }).click();
    await frame.getByRole('heading', { name: 'Identity verified' }).waitFor();
    const [cookie] = await page
      .context()
      .cookies(`${new URL(created.verification_url).origin}/challenge/${created.challenge_id}`);
    expect(cookie).toMatchObject({
      sameSite: 'None',
      secure: true,
      httpOnly: true,
      partitionKey: 'https://127.0.0.1',
    });
    await frame.getByRole('link', { name: /^Return to/ }).click();
    await frame.getByRole('heading', { name: 'Back at the shop' }).waitFor();
    expect(site.visits).toContain(`/done?challenge_id=${created.challenge_id}&status=verified`);
    expect(complaints).toEqual([]);
  });

  test('what was started in a frame is not known in a frame of another site, nor to a tab', async () => {
    const created = await server.create();
    const { page } = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(site.framing(created.verification_url));
    await goOn(page.frameLocator('iframe'));
    await page
      .frameLocator('iframe')
      .getByRole('button', { name: 'approved verified', exact: true })
      .waitFor();
    const result = `${new URL(created.verification_url).origin}/challenge/${created.challenge_id}/result`;
    expect((await page.goto(result))?.status()).toBe(403);
    const [answer] = await Promise.all([
      page.waitForResponse(result),
      page.goto(stranger.framing(result).replace('127.0.0.1', 'localhost')),
    ]);
    expect(answer.status()).toBe(403);
  });
});

/** From the start page past the one that asks for words. */
async function goOn(frame: FrameLocator): Promise<void> {
  const button = frame.getByRole('button', { name: /Continue/ });
  await button.click();
  await frame.getByLabel('Your words (optional)').waitFor();
  await button.click();
}

async function allow(server: TestServer, allowed_domains: string[]): Promise<void> {
  const tenant = await findFirstTenant(server.db);
  await saveTenantMode(server.db, tenant?.id ?? '', 'test', { allowed_domains });
}
