import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startSink } from '../support/sink.ts';
import { until } from '../support/until.ts';

const DEVICE = { viewport: { width: 1024, height: 768 }, timezoneId: 'America/New_York', locale: 'de-AT' };
const FACTS = {
  browser: expect.stringMatching(/^Chrome \d+\.\d+$/),
  os: 'Linux',
  screen: '1024x768',
  timezone: 'America/New_York',
  ip: '127.0.0.1',
  user_agent: expect.stringContaining('Mozilla/5.0'),
  language: 'de-AT',
};

let server: TestServer;
let sink: Awaited<ReturnType<typeof startSink>>;
let browser: Awaited<ReturnType<typeof openBrowser>>;
beforeAll(async () => {
  server = await startServer();
  sink = await startSink();
  browser = await openBrowser();
});
afterAll(async () => {
  await browser.close();
  await sink.close();
  await server.close();
});

/** A person in a browser, and how often it told about itself. */
async function visit() {
  const created = await server.create({ callback_url: sink.url });
  const { page, complaints } = await browser.newPage(DEVICE);
  const told: (string | null)[] = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/device')) told.push(request.postData());
  });
  return { created, page, complaints, told };
}

async function press(page: Page, path: RegExp): Promise<void> {
  await page.locator('main form button').first().click();
  await page.waitForURL(path);
}

const isTold = ({ challenge_id }: Created) =>
  until(
    async () => (await server.read(challenge_id)).device_fingerprint_status === 'collected',
    'a browser that has told',
  );

describe('in a real browser', () => {
  test('the script tells once for each start, and the pages’ own policy lets it', async () => {
    const { created, page, complaints, told } = await visit();
    await page.goto(created.verification_url);
    expect(told).toEqual([]);
    await press(page, /\/answer$/);
    await isTold(created);
    await press(page, /\/sandbox$/);
    await press(page, /\/result$/);
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({ status: 'verified', device_fingerprint: FACTS });
    await page.reload();
    expect(told).toHaveLength(1);
    expect(complaints).toEqual([]);
  });

  test('what only the last page could tell still goes with the callback', async () => {
    const { created, page } = await visit();
    await page.route('**/device', (route) => route.abort());
    await page.goto(created.verification_url);
    await press(page, /\/answer$/);
    await press(page, /\/sandbox$/);
    await page.unroute('**/device');
    await press(page, /\/result$/);
    const { json } = await sink.waitFor(created.challenge_id);
    expect(json).toMatchObject({ status: 'verified', sequence: 1, device_fingerprint: FACTS });
  });
});
