import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBrowser, picture } from '../support/browser.ts';
import { DEVICES, inspect, inspectEverywhere } from '../support/inspect.ts';
import { startOidcStory } from '../support/oidc-story.ts';
import type { Created, TestServer } from '../support/server.ts';

const [PHONE] = DEVICES;

let story: Awaited<ReturnType<typeof startOidcStory>>;
let server: TestServer;
let browser: Awaited<ReturnType<typeof openBrowser>>;
beforeAll(async () => {
  [story, browser] = await Promise.all([startOidcStory(), openBrowser()]);
  server = story.server;
});
afterEach(() => {
  story.idp.lie({});
  story.idp.goAway(false);
});
afterAll(async () => {
  await browser.close();
  await story.close();
});

const ask = () =>
  story.create({
    ...{ requester_id: 'Service desk', ticket: 'INC-4711' },
    context: 'Password reset\nYou called us at 10:32.',
  });

/** A page of its own, in which the IdP's pages cannot ask others for their fonts. */
async function newPage(device: object = {}) {
  const opened = await browser.newPage(device);
  await opened.page.route('https://fonts.googleapis.com/**', (route) =>
    route.fulfill({ contentType: 'text/css', body: '' }),
  );
  return opened;
}

/** Opens the link, starts and goes on to the IdP. */
async function goToIdp(page: Page, created: Created, name?: string): Promise<void> {
  await page.goto(created.verification_url);
  if (name) await inspect(page, `${name}-1-start`);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/\/answer$/);
  if (name) await inspect(page, `${name}-2-answer`);
  await page.getByLabel('Your words (optional)').fill('Yes, that was me on the phone.');
  await page.getByRole('button', { name: 'Continue with Example ID' }).click();
  await page.waitForURL(`${story.idp.issuer}/interaction/**`);
  if (name) await picture(page, `${name}-3-idp`);
}

/** Signs in on the IdP's own pages, and agrees there. */
async function signIn(page: Page, login: string): Promise<void> {
  await page.locator('input[name=login]').fill(login);
  await page.locator('input[name=password]').fill('correct horse');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

const heading = (page: Page) => page.getByRole('heading', { level: 1 }).textContent();

describe('in a real browser, with the OpenID provider on another site', () => {
  test.each(DEVICES)('a person signs in and is verified on $name', async ({ name, ...device }) => {
    const created = await ask();
    const { page, complaints, hosts } = await newPage(device);
    await goToIdp(page, created, `oidc-${name}`);
    expect(await page.locator('input[name=login]').inputValue()).toBe('ada@example.com');
    await signIn(page, 'ada@example.com');
    await page.waitForURL(/\/result$/);
    await inspect(page, `oidc-${name}-4-verified`);
    expect(await heading(page)).toBe('Identity verified');
    expect(await server.read(created.challenge_id)).toMatchObject({
      ...{ status: 'verified', auth_method: 'oidc', subject_match: 'email' },
      ...{ target_response: 'Yes, that was me on the phone.', subject: { issuer: story.idp.issuer } },
    });
    expect(complaints).toEqual([]);
    const ours = [new URL(server.url).host, new URL(story.idp.issuer).host];
    expect([...hosts].filter((host) => host !== 'fonts.googleapis.com').toSorted()).toEqual(ours.toSorted());
  });

  test('a person with two accounts picks the other one the second time', async () => {
    const created = await ask();
    const { page, complaints } = await newPage(PHONE);
    await goToIdp(page, created);
    await signIn(page, 'eve@example.com');
    await page.waitForURL(/\/result$/);
    await inspectEverywhere(page, 'oidc-*-5-somebody-else');
    expect(await page.getByText('ada@example.com').count()).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Try again with Example ID' }).click();
    await page.waitForURL(`${story.idp.issuer}/interaction/**`);
    await signIn(page, 'ada@example.com');
    await page.waitForURL(/\/result$/);
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'verified' });
    expect(complaints).toEqual([]);
  });

  test('a person who cancels there reads that this was the end', async () => {
    const created = await ask();
    const { page } = await newPage(PHONE);
    await goToIdp(page, created);
    await page.getByText('[ Cancel ]').click();
    await page.waitForURL(/\/result$/);
    await inspectEverywhere(page, 'oidc-*-6-denied');
    expect(await heading(page)).toBe('Identity not verified');
    expect(await server.read(created.challenge_id)).toMatchObject({ failure_reason: 'access_denied' });
  });

  test('a person who goes back instead of signing in can go there again', async () => {
    const created = await ask();
    const { page } = await newPage(PHONE);
    await goToIdp(page, created);
    await page.goBack();
    await page.goto(`${server.url}/challenge/${created.challenge_id}/result`);
    await inspectEverywhere(page, 'oidc-*-7-not-yet');
    await page.getByRole('button', { name: /Example ID/ }).click();
    await page.waitForURL(`${story.idp.issuer}/interaction/**`);
    await signIn(page, 'ada@example.com');
    await page.waitForURL(/\/result$/);
    expect(await heading(page)).toBe('Identity verified');
  });

  test('a person who comes before the IdP is there reads that it is not their fault', async () => {
    const created = await ask();
    await story.set();
    story.idp.goAway(true);
    const { page } = await newPage(PHONE);
    await page.goto(created.verification_url);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(/\/answer$/);
    await page.getByRole('button', { name: 'Continue with Example ID' }).click();
    await inspectEverywhere(page, 'oidc-*-8-away');
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress' });
  });

  test('somebody who is sent the IdP’s address by the one who clicked verifies nobody', async () => {
    const created = await ask();
    const [attacker, victim] = [await newPage(), await newPage(PHONE)];
    await goToIdp(attacker.page, created);
    const url = await sentTo(attacker.page, created);
    await victim.page.goto(url);
    await signIn(victim.page, 'ada@example.com');
    await victim.page.waitForURL(/\/signed-in\?/);
    await inspectEverywhere(victim.page, 'oidc-*-9-other-browser');
    expect(await heading(victim.page)).toBe('This was started in another browser');
    expect(await server.read(created.challenge_id)).toMatchObject({ status: 'in-progress', subject: null });
  });
});

/** Where the page before the IdP leads to. */
async function sentTo(page: Page, { challenge_id }: Created): Promise<string> {
  const answer = await page.request.get(`${server.url}/challenge/${challenge_id}/continue`);
  return /url=(.+)$/.exec(answer.headers().refresh ?? '')?.[1] ?? '';
}
