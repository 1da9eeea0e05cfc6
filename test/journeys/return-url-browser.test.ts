import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { openBrowser, picture } from '../support/browser.ts';
import { startServer } from '../support/server.ts';
import type { TestServer } from '../support/server.ts';
import { startSite } from '../support/site.ts';

describe('in a real browser', () => {
  let server: TestServer;
  let site: Awaited<ReturnType<typeof startSite>>;
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    [server, site, browser] = await Promise.all([startServer(), startSite(), openBrowser()]);
    const tenant = await findFirstTenant(server.db);
    await saveTenantMode(server.db, tenant?.id ?? '', 'test', { allowed_domains: [site.origin] });
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
    await server.close();
  });

  /** A person who has just been verified, and reads that. */
  const verified = async (options: Parameters<typeof browser.newPage>[0]) => {
    const created = await server.create({ return_url: `${site.origin}/done` });
    const opened = await browser.newPage(options);
    const { page } = opened;
    await page.goto(created.verification_url);
    await page.getByRole('button', { name: /Continue/ }).click();
    await page.waitForURL(/\/answer$/);
    await page.getByRole('button', { name: /Continue/ }).click();
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('link', { name: `Return to ${new URL(site.origin).host}` }).waitFor();
    return { id: created.challenge_id, ...opened };
  };

  test.each([
    ['phone-light', 375, 'light'],
    ['phone-dark', 375, 'dark'],
    ['desktop-light', 1280, 'light'],
    ['desktop-dark', 1280, 'dark'],
  ] as const)('a person sees on %s where the page will take them', async (name, width, colorScheme) => {
    const { page, complaints } = await verified({ viewport: { width, height: 760 }, colorScheme });
    await picture(page, `return-${name}-1-leaving`);
    expect(await page.evaluate('document.documentElement.scrollWidth > window.innerWidth')).toBe(false);
    expect(complaints).toEqual([]);
  });

  test('a person is taken back by the page itself unless they stay, returns to it, and can report there', async () => {
    const staying = await verified({});
    await staying.page.getByRole('link', { name: 'Stay on this page' }).click();
    await staying.page.waitForURL(/\?stay=1$/);
    const { page, complaints, id } = await verified({});
    await page.waitForURL(`${site.origin}/done?challenge_id=${id}&status=verified`);
    // Its time was over before that of the other.
    expect(staying.page.url()).toMatch(/\?stay=1$/);
    await picture(staying.page, 'return-2-stays');
    await page.goBack();
    await page.getByRole('heading', { name: 'Identity verified' }).waitFor();
    expect(await page.getByText('by itself').count()).toBe(0);
    await page.getByRole('link', { name: 'This wasn’t me' }).click();
    await page.getByRole('button', { name: 'Yes, report it' }).click();
    await page.getByRole('heading', { name: 'Incident reported' }).waitFor();
    expect(await page.getByText('by itself').count()).toBe(0);
    await picture(page, 'return-3-reported');
    expect(await server.read(id)).toMatchObject({ disputed: true });
    await page.getByRole('link', { name: /^Return to/ }).click();
    await page.getByRole('heading', { name: 'Back at the shop' }).waitFor();
    expect([...complaints, ...staying.complaints]).toEqual([]);
  });
});
