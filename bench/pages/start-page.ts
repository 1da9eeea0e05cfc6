import { ask, forkScript } from '../delivery/children.ts';
import { count, millis, table } from '../inbound/print.ts';
import type { Stage } from '../inbound/stage.ts';
import type { Opened, Order } from './generator.ts';
import { createLinks } from './links.ts';

/** Until connections stand and code is compiled. */
const WARM_UP_S = 5;
export const GOAL_MS = 50;

/**
 * How long the start page takes at a steady rate, beside a handler that sends it as a constant. Throws if any page is not
 * there; returns what is wrong.
 */
export async function measureStartPage(
  stage: Stage,
  { rate, seconds }: { rate: number; seconds: number },
): Promise<string[]> {
  const { url } = stage.server;
  const [sample = ''] = await createLinks(stage, 1);
  const html = await (await fetch(url + sample)).text();
  const warmUp = await createLinks(stage, rate * Math.min(WARM_UP_S, seconds));
  const paths = await createLinks(stage, rate * seconds);

  const child = forkScript('../pages/bare.ts');
  const { url: bareUrl } = await ask<{ url: string }>(child, { html });
  await open({ url: bareUrl, rate, paths: warmUp });
  const bare = await open({ url: bareUrl, rate, paths });
  child.kill();
  await open({ url, rate, paths: warmUp });
  const ours = await open({ url, rate, paths });

  const p99 = at(ours.tookMs, 0.99);
  const within = p99 < GOAL_MS;
  const ratio = (share: number) => `${(at(ours.tookMs, share) / at(bare.tookMs, share)).toFixed(1)} x bare`;
  console.log(
    [
      `\nStart page, ${count(Buffer.byteLength(html))} bytes of HTML: ${rate} a second for ${seconds} s, of ${count(paths.length)} challenges`,
      ...table([
        ['', 'p50', 'p99', 'max'],
        ['Countersign', ...figures(ours)],
        ['bare Express', ...figures(bare)],
      ]).map((line) => `  ${line}`),
      `  p50 ${ratio(0.5)}, p99 ${ratio(0.99)}`,
      `  ${within ? 'within' : 'NOT within'} the goal of a p99 below ${millis(GOAL_MS)}: ${millis(p99)}`,
      `  links were opened late by p99 ${millis(at(ours.lateMs, 0.99))}, max ${millis(at(ours.lateMs, 1))}`,
    ].join('\n'),
  );
  return within ? [] : ['a start page that takes too long'];
}

async function open(order: Order): Promise<Opened> {
  const child = forkScript('../pages/generator.ts');
  const opened = await ask<Opened>(child, order);
  child.disconnect();
  const wrong = opened.statuses.filter((status) => status !== 200);
  if (wrong.length > 0) throw new Error(`${wrong.length} links were not answered 200, but ${wrong[0]}`);
  return opened;
}

function figures({ tookMs }: Opened): string[] {
  return [0.5, 0.99, 1].map((share) => millis(at(tookMs, share)));
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
