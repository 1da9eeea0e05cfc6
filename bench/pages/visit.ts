import { openBrowser } from '../../test/support/browser.ts';
import { count, table } from '../inbound/print.ts';
import type { Closers, Stage } from '../inbound/stage.ts';
import { createLinks } from './links.ts';

export const GOAL_BYTES = 30 * 1_024;

type Loaded = { path: string; bytes: number };

/**
 * What a browser with an empty cache transfers, headers of answers included: for the page of the link, then for the one
 * behind its button. Returns what is wrong.
 */
export async function measureVisit(stage: Stage, closers: Closers): Promise<string[]> {
  const [link = ''] = await createLinks(stage, 1);
  const browser = await openBrowser();
  closers.push(() => browser.close());
  const { page, complaints } = await browser.newPage({});
  const session = await page.context().newCDPSession(page);
  const paths = new Map<string, string>();
  const loaded: Loaded[] = [];
  session.on('Network.requestWillBeSent', ({ requestId, request, redirectResponse }) => {
    const path = new URL(request.url).pathname;
    if (redirectResponse)
      loaded.push({ path: paths.get(requestId) ?? '', bytes: redirectResponse.encodedDataLength });
    paths.set(requestId, path);
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    loaded.push({ path: paths.get(requestId) ?? '', bytes: encodedDataLength }),
  );
  await session.send('Network.enable');

  await page.goto(stage.server.url + link, { waitUntil: 'networkidle' });
  const first = loaded.splice(0);
  await page.locator('button[name="go"]').first().click();
  await page.waitForURL((url) => !url.pathname.startsWith('/challenge/start/'));
  await page.waitForLoadState('networkidle');
  print('A first visit', first);
  print('and the page after the click', loaded);
  const bytes = sumOf(first) + sumOf(loaded);
  const within = bytes < GOAL_BYTES;
  console.log(
    `  ${within ? 'within' : 'NOT within'} the goal of less than ${count(GOAL_BYTES)} bytes: ${count(bytes)} in all`,
  );
  for (const complaint of complaints) console.log(`  the browser complains: ${complaint}`);
  return [
    ...(within ? [] : ['a first visit that takes too many bytes']),
    ...(complaints.length > 0 ? ['a browser that complains'] : []),
  ];
}

function print(title: string, loaded: readonly Loaded[]): void {
  console.log(`\n${title}: ${count(sumOf(loaded))} bytes transferred`);
  const rows = loaded.map(({ path, bytes }) => [path.replace(/[0-9a-f-]{36}/, '…'), count(bytes)]);
  for (const line of table(rows)) console.log(`  ${line}`);
}

function sumOf(loaded: readonly Loaded[]): number {
  return loaded.reduce((sum, { bytes }) => sum + bytes, 0);
}
