import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { saveBrand } from '../../src/tenants/brand-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { openBrowser, picture } from '../support/browser.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { BRAND } from '../web/gallery.ts';
import { noisePng } from '../web/picture-file.ts';

const DEVICES = [
  { name: 'phone-light', viewport: { width: 375, height: 720 }, colorScheme: 'light' as const },
  { name: 'phone-dark', viewport: { width: 375, height: 720 }, colorScheme: 'dark' as const },
  { name: 'desktop-light', viewport: { width: 1280, height: 800 }, colorScheme: 'light' as const },
  { name: 'desktop-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' as const },
];

describe('in a real browser', () => {
  let server: TestServer;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    server = await startServer();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
  });

  test.each(DEVICES)(
    'a person clicks through on $name and nothing is refused or fetched from elsewhere',
    async ({ name, ...device }) => {
      const created = await server.create({
        requester_id: 'Service desk',
        context: 'Password reset, ticket 4711\nYou called us at 10:32.',
      });
      const { page, complaints, hosts } = await browser.newPage(device);
      await page.goto(created.verification_url);
      await picture(page, `${name}-1-start`);
      expect(await page.getByText(/^Service desk asks for proof/).count()).toBe(1);
      expect(await overflows(page)).toBe(false);

      await page.getByRole('button', { name: /Continue/ }).click();
      await page.waitForURL(/\/answer$/);
      await page.getByLabel('Your words (optional)').fill('I did call.\nIt is about my phone.');
      await picture(page, `${name}-2-answer`);
      expect(await overflows(page)).toBe(false);

      await page.getByRole('button', { name: /Continue/ }).click();
      await page.waitForURL(/\/sandbox$/);
      await picture(page, `${name}-3-sandbox`);
      expect(await overflows(page)).toBe(false);

      await page.getByRole('button', { name: 'Approve' }).click();
      await page.waitForURL(/\/result$/);
      await picture(page, `${name}-4-result`);
      expect(await page.getByRole('heading').textContent()).toBe('Identity verified');
      expect(await overflows(page)).toBe(false);
      expect(await server.read(created.challenge_id)).toMatchObject({
        ...{ status: 'verified', disputed: false },
        target_response: 'I did call.\nIt is about my phone.',
      });

      await page.getByRole('link', { name: 'This wasn’t me' }).click();
      await page.getByRole('button', { name: 'Yes, report it' }).click();
      await page.getByText('Service desk can see now that this was not you').waitFor();
      await picture(page, `${name}-5-disputed`);
      expect(await page.getByRole('heading').textContent()).toBe('Incident reported');
      expect(await page.getByRole('button').count()).toBe(0);
      expect(await page.getByRole('link', { name: 'This wasn’t me' }).count()).toBe(0);
      expect(await server.read(created.challenge_id)).toMatchObject({ status: 'verified', disputed: true });
      expect(complaints).toEqual([]);
      expect([...hosts]).toEqual([new URL(server.url).host]);
    },
  );

  test('the whole way can be gone with the keyboard alone', async () => {
    const created = await server.create();
    const { page } = await browser.newPage({});
    await page.goto(created.verification_url);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/answer$/);
    await page.keyboard.press('Tab');
    await page.keyboard.type('Yes');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/sandbox$/);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/result$/);
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', target_response: 'Yes' },
    });
  });

  test('the whole way can be gone without scripts, in German, and stays German', async () => {
    const created = await server.create();
    const { page } = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(created.verification_url);
    await page.getByRole('link', { name: 'Deutsch' }).click();
    for (const [button, path] of [
      ['Weiter', /\/answer$/],
      ['Weiter mit der Testumgebung', /\/sandbox$/],
      ['Bestätigen', /\/result$/],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await page.waitForURL(path);
    }
    expect(await page.getByRole('heading').textContent()).toBe('Identität bestätigt');
    expect((await server.read(created.challenge_id)).status).toBe('verified');
  });

  test.each(['before it is started', 'before the end'])(
    'an incident can be reported in the person’s own words %s',
    async (when) => {
      const created = await server.create();
      const { page, complaints } = await browser.newPage({ viewport: { width: 375, height: 720 } });
      await page.goto(created.verification_url);
      if (when === 'before the end') await page.getByRole('button', { name: /Continue/ }).click();
      await page.getByRole('link', { name: 'This wasn’t me' }).click();
      expect((await server.read(created.challenge_id)).status).not.toBe('failed');
      await page.getByLabel('What happened? (optional)').fill('Nobody called me');
      await page.getByRole('button', { name: 'Yes, report it' }).click();
      await page.getByRole('heading', { name: 'Incident reported' }).waitFor();
      expect(await server.read(created.challenge_id)).toMatchObject({
        ...{ status: 'failed', disputed: false, incident: { comment: 'Nobody called me' } },
      });
      expect(complaints).toEqual([]);
    },
  );

  test('what a caller writes is shown as text and never becomes part of the page', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>{{7*7}}';
    const created = await server.create({ context: evil, requester_id: evil, target_user_id: evil });
    const { page, complaints } = await browser.newPage({});
    await page.goto(created.verification_url);
    expect(await page.title()).toBe('Confirm that it is you · Identity verification');
    expect(await page.getByText(evil).count()).toBe(2);
    expect(complaints).toEqual([]);
  });

  test('the first pages arrive as less than 30 KB each, with everything on them and nothing kept before', async () => {
    const tenant = await findFirstTenant(server.db);
    const logo = { bytes: noisePng(100, 34), type: 'image/png' } as const;
    expect(logo.bytes.length).toBeGreaterThan(10_000);
    await saveBrand(server.db, tenant?.id ?? '', { ...BRAND, name: 'Example', logo });
    const created = await server.create({ context: 'word '.repeat(400).trim() });
    const { page } = await browser.newPage({});
    const network = await page.context().newCDPSession(page);
    const sizes: number[] = [];
    network.on('Network.loadingFinished', ({ encodedDataLength }) => sizes.push(encodedDataLength));
    await network.send('Network.enable');
    await network.send('Network.setCacheDisabled', { cacheDisabled: true });
    const transferred = () => sizes.splice(0).reduce((sum, size) => sum + size, 0);
    await page.goto(created.verification_url, { waitUntil: 'networkidle' });
    expect(sizes.length).toBeGreaterThanOrEqual(3);
    expect(transferred()).toBeLessThan(30_000);
    await page.getByRole('button', { name: /Continue/ }).click();
    await page.waitForURL(/\/answer$/, { waitUntil: 'networkidle' });
    expect(transferred()).toBeLessThan(30_000);
  });

  test('a link that is wrong or over says so kindly', async () => {
    const { page } = await browser.newPage({ viewport: { width: 375, height: 720 } });
    const wrong = await page.goto(
      `${server.url}/challenge/start/01a1f80c-66f3-757c-8473-8105b057d432?token=x`,
    );
    expect(wrong?.status()).toBe(404);
    await picture(page, 'error-wrong-link');
    const created = await server.create();
    await server.request
      .post(`/api/v1/challenges/${created.challenge_id}/cancel`)
      .set('X-API-Key', server.apiKey);
    const over = await page.goto(created.verification_url);
    expect(over?.status()).toBe(410);
    expect(await page.getByRole('heading').textContent()).toBe('This request was canceled');
    await picture(page, 'error-canceled');
  });
});

/** Whether the page is wider than its window. */
function overflows(
  page: Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['newPage']>>['page'],
): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth > window.innerWidth');
}
