import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { saveTenantMode } from '../../src/tenants/modes-store.ts';
import { findFirstTenant } from '../../src/tenants/store.ts';
import { openBrowser } from '../support/browser.ts';
import { startPassbaseStory } from '../support/passbase-story.ts';
import type { PassbaseStory } from '../support/passbase-story.ts';
import { createPerson } from '../support/person.ts';
import { startSite } from '../support/site.ts';

/** Longer than the page before any other provider waits before it goes on. */
const WHILE_MS = 2_500;

let story: PassbaseStory;
let site: Awaited<ReturnType<typeof startSite>>;
beforeAll(async () => {
  [story, site] = await Promise.all([startPassbaseStory(), startSite()]);
  const tenant = await findFirstTenant(story.server.db);
  await saveTenantMode(story.server.db, tenant?.id ?? '', 'test', { allowed_domains: [site.origin] });
});
afterAll(async () => {
  await story.close();
  await site.close();
});

const create = () => story.server.create({ provider: 'passbase', return_url: `${site.origin}/done` });

describe('a person whose provider does not lead back', () => {
  test('is left on our page, with the way there, and the way on from here when they are done', async () => {
    const created = await create();
    const id = created.challenge_id;
    const person = createPerson(story.server);
    await person.start(created).expect(303).expect('Location', `/challenge/${id}/continue`);
    const onward = await person.agent.get(`/challenge/${id}/continue`).expect(200);
    expect(onward.headers.refresh).toBeUndefined();
    expect(onward.text).toMatch(
      /<a href="http[^"]+" class="action" target="_blank" rel="noopener noreferrer">Open Passbase<\/a>/,
    );
    expect(onward.text).toContain('come back to it when you are done there');
    expect(onward.text).toContain(`<form action="/challenge/${id}/result">`);
    expect(onward.text).not.toContain('Taking you to');

    const waiting = await person.result(created).expect(200);
    expect(waiting.headers.refresh).toBeUndefined();
    expect(waiting.text).toContain('Waiting for the result');
    expect(waiting.text).toContain('An automated system of your organization will see the result as well');
    expect(waiting.text).toContain(`<a href="/challenge/${id}/continue">Go on at Passbase</a>`);

    await story.play(await story.openLink(/<a href="([^"]+)"/.exec(onward.text)?.[1] ?? ''), 'approved');
    await story.reaches(id, 'verified');
    await person.agent.get(`/challenge/${id}/continue`).expect(303).expect('Location', 'result');
    const end = await person.result(created).expect(200);
    expect(end.headers.refresh).toBe(`20; url=${site.origin}/done?challenge_id=${id}&status=verified`);
    expect(end.text).not.toContain('Go on at Passbase');
  });

  test('comes to the end also when time ran out meanwhile', async () => {
    const created = await create();
    const person = createPerson(story.server);
    await person.start(created).expect(303);
    const past = new Date(Date.now() - 1_000);
    const challenges = story.server.db.updateTable('challenges').set({ expires_at: past });
    await challenges.where('id', '=', created.challenge_id).execute();
    await person.agent
      .get(`/challenge/${created.challenge_id}/continue`)
      .expect(303)
      .expect('Location', 'result');
    expect((await person.result(created)).headers.refresh).toMatch(/&status=expired$/);
  });
});

describe('in a real browser', () => {
  let browser: Awaited<ReturnType<typeof openBrowser>>;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  /** Goes through with it in the tab that the link opens, and returns to the page. */
  const decideIn = async (page: Page, click: () => Promise<void>) => {
    const [tab] = await Promise.all([page.context().waitForEvent('page'), click()]);
    await tab.getByRole('button', { name: 'approved verified', exact: true }).click();
    await tab.getByText('You may close this page').waitFor();
    await tab.close();
  };

  /** Past the start page and the one that asks whether there is anything to add. */
  const continueTwice = async (shown: Pick<Page, 'getByRole' | 'getByLabel'>) => {
    await shown.getByRole('button', { name: /Continue/ }).click();
    await shown.getByLabel('Your words').waitFor();
    await shown.getByRole('button', { name: /Continue/ }).click();
  };

  test('a person goes to Passbase in a tab of its own, comes back, and goes where they came from', async () => {
    const created = await create();
    const { page, complaints } = await browser.newPage({});
    await page.goto(created.verification_url);
    await continueTwice(page);
    await page.getByRole('link', { name: 'Open Passbase' }).waitFor();
    await page.waitForTimeout(WHILE_MS);
    // Too early, and back again.
    await page.getByRole('button', { name: 'I am done' }).click();
    await page.getByRole('link', { name: 'Go on at Passbase' }).click();
    await decideIn(page, () => page.getByRole('link', { name: 'Open Passbase' }).click());
    await page.getByRole('button', { name: 'I am done' }).click();
    await page.getByRole('link', { name: /^Return to/ }).click();
    await page.waitForURL(`${site.origin}/done?challenge_id=${created.challenge_id}&status=verified`);
    expect(complaints).toEqual([]);
  });

  test('the same in a frame, which goes where the person came from', async () => {
    const created = await create();
    const { page, complaints } = await browser.newPage({});
    await page.goto(site.framing(created.verification_url));
    const frame = page.frameLocator('iframe');
    await continueTwice(frame);
    await decideIn(page, () => frame.getByRole('link', { name: 'Open Passbase' }).click());
    await frame.getByRole('button', { name: 'I am done' }).click();
    await frame.getByRole('link', { name: /^Return to/ }).click();
    await frame.getByRole('heading', { name: 'Back at the shop' }).waitFor();
    expect(site.visits).toContain(`/done?challenge_id=${created.challenge_id}&status=verified`);
    expect(complaints).toEqual([]);
  });
});
