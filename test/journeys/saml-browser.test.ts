import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { setIdp } from '../support/idp.ts';
import { DEVICES, inspect } from '../support/inspect.ts';
import { startSamlIdp } from '../support/saml-idp.ts';
import type { SamlIdp } from '../support/saml-idp.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';

const [PHONE, PHONE_DARK] = DEVICES;

let server: TestServer;
let idp: SamlIdp;
let browser: Awaited<ReturnType<typeof openBrowser>>;
beforeAll(async () => {
  [server, idp, browser] = await Promise.all([startServer(), startSamlIdp(), openBrowser()]);
  await setIdp(
    server,
    'saml',
    { metadata_url: idp.metadataUrl, max_attempts: '3' },
    { name: 'Acme sign-in' },
  );
});
afterAll(async () => {
  await browser.close();
  await idp.close();
  await server.close();
});

const ask = () =>
  server.create({
    ...{ provider: 'saml', requester_id: 'Service desk', ticket: 'INC-4711' },
    context: 'Password reset\nYou called us at 10:32.',
  });

/** Opens the link, starts and goes on to the IdP, which is another site. */
async function goToIdp(page: Page, created: Created, name?: string): Promise<void> {
  await page.goto(created.verification_url);
  if (name) await inspect(page, `${name}-1-start`);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/\/answer$/);
  if (name) await inspect(page, `${name}-2-answer`);
  await page.getByLabel('Your words (optional)').fill('Yes, that was me on the phone.');
  await page.getByRole('button', { name: 'Continue with Acme sign-in' }).click();
  await page.waitForURL(`${idp.url}/**`);
}

async function signIn(page: Page, login?: string): Promise<void> {
  if (login) await page.getByLabel('E-mail address').fill(login);
  await page.getByLabel('Password').fill('correct horse');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/result$/);
}

describe('in a real browser, with the IdP on another site', () => {
  test.each(DEVICES)('a person signs in and is verified on $name', async ({ name, ...device }) => {
    const created = await ask();
    const { page, complaints, hosts } = await browser.newPage(device);
    await goToIdp(page, created, `saml-${name}`);
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('ada@example.com');
    await signIn(page);
    await inspect(page, `saml-${name}-3-verified`);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Identity verified');
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', auth_method: 'saml', subject_match: 'email' },
      ...{ target_response: 'Yes, that was me on the phone.', subject: { issuer: idp.issuer } },
    });
    expect(complaints).toEqual([]);
    expect([...hosts].sort()).toEqual([new URL(server.url).host, new URL(idp.url).host].sort());
  });

  test('a person with two accounts picks the other one the second time', async () => {
    const created = await ask();
    const { page, complaints } = await browser.newPage(PHONE_DARK);
    await goToIdp(page, created);
    await signIn(page, 'eve@example.com');
    await inspect(page, 'saml-phone-dark-4-somebody-else');
    expect(await page.getByText('ada@example.com').count()).toBeGreaterThan(0);
    expect((await server.read(created.challenge_id)).status).toBe('in-progress');
    await page.getByRole('button', { name: 'Try again with Acme sign-in' }).click();
    await page.waitForURL(`${idp.url}/**`);
    await signIn(page);
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'verified' });
    expect(complaints).toEqual([]);
  });

  test('a person who cancels at the IdP reads that this was the end', async () => {
    const created = await ask();
    const { page } = await browser.newPage(PHONE);
    await goToIdp(page, created);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL(/\/result$/);
    await inspect(page, 'saml-phone-light-5-denied');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Identity not verified');
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'failed', failure_reason: 'access_denied' },
    });
  });

  test('somebody who is sent the IdP’s address by the one who clicked verifies nobody', async () => {
    const created = await ask();
    const [attacker, victim] = [await browser.newPage({}), await browser.newPage(PHONE)];
    await goToIdp(attacker.page, created);
    await victim.page.goto(attacker.page.url());
    await victim.page.getByLabel('Password').fill('correct horse');
    await victim.page.getByRole('button', { name: 'Sign in' }).click();
    await victim.page.waitForURL(/\/signed-in\?/);
    await inspect(victim.page, 'saml-phone-light-6-other-browser');
    expect(await victim.page.getByRole('heading', { level: 1 }).textContent()).toBe(
      'This was started in another browser',
    );
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress', subject: null });
  });
});
