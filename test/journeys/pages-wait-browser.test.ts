import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { statSync } from 'node:fs';
import { openBrowser, picture } from '../support/browser.ts';
import { createPerson } from '../support/person.ts';
import { startServer } from '../support/server.ts';
import type { Created, TestServer } from '../support/server.ts';
import { startVeriff } from '../support/veriff.ts';

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

/** A person who has started and looks for the result, before there is one. */
async function waiting(options: Parameters<typeof browser.newPage>[0] = {}) {
  const created = await server.create();
  const opened = await browser.newPage(options);
  const { page } = opened;
  await page.goto(created.verification_url);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/\/answer$/);
  await page.goto(resultOf(created));
  await page.getByRole('heading', { name: 'Waiting for the result' }).waitFor();
  return { created, ...opened };
}

const resultOf = ({ challenge_id }: Created) => `${server.url}/challenge/${challenge_id}/result`;
const cancel = ({ challenge_id }: Created) =>
  server.request
    .post(`/api/v1/challenges/${challenge_id}/cancel`)
    .set('X-API-Key', server.apiKey)
    .expect(200);

describe('the page that waits', () => {
  test('stays as it is while there is nothing new, and then says so and shows it', async () => {
    const { created, page, complaints } = await waiting({ viewport: { width: 360, height: 740 } });
    await page.evaluate('window.untouched = true');
    const asked = () => page.waitForResponse((answer) => answer.request().resourceType() === 'fetch');
    for (const _round of [1, 2]) expect((await asked()).url()).toBe(resultOf(created));
    expect(await page.evaluate('window.untouched')).toBe(true);
    await picture(page, 'wait-1-waiting');

    await cancel(created);
    await page.getByRole('status').filter({ hasText: 'There is news.' }).waitFor();
    await page.getByRole('heading', { name: 'This request was canceled' }).waitFor();
    expect(await page.evaluate('window.untouched')).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  test('goes on to what is wrong when another browser has taken over', async () => {
    const { created, page } = await waiting();
    await createPerson(server).press(created).expect(303);
    await page.getByRole('heading', { name: 'This was started in another browser' }).waitFor();
  });

  test('goes on waiting while the server cannot be asked', async () => {
    const { created, page } = await waiting();
    let refused = 0;
    await page.route('**/result', (route) => {
      refused += 1;
      return refused === 1 ? route.abort() : route.fulfill({ status: 503, body: '<h1>Later</h1>' });
    });
    await page.waitForResponse((answer) => answer.status() === 503);
    await cancel(created);
    await page.unroute('**/result');
    await page.getByRole('heading', { name: 'This request was canceled' }).waitFor();
    expect(refused).toBeGreaterThanOrEqual(2);
  });

  test('has a button for whoever runs no scripts', async () => {
    const { created, page } = await waiting({ javaScriptEnabled: false });
    await cancel(created);
    await page.getByRole('button', { name: 'Check again' }).click();
    await page.getByRole('heading', { name: 'This request was canceled' }).waitFor();
  });

  test('costs less than a kilobyte of script', () => {
    expect(statSync(new URL('../../assets/wait.js', import.meta.url)).size).toBeLessThan(1_024);
  });
});

test('back from the page of the provider leads past the page that took the person there', async () => {
  const veriff = await startVeriff();
  try {
    await server.provider('veriff', veriff.settings);
    // Of another key, because what the first one may is remembered for a second.
    const { apiKey } = await server.integration();
    const created = await server.create({ provider: 'veriff' }, apiKey);
    const { page } = await browser.newPage({});
    await page.goto(created.verification_url);
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(/\/answer$/);
    await page.getByRole('button', { name: 'Continue with Veriff' }).click();
    await page.waitForURL(`${veriff.url}/**`);
    await page.goBack();
    expect(page.url()).toMatch(/\/answer$/);
  } finally {
    await veriff.close();
  }
});
