import { runCli } from './cli.ts';
import type { Ran } from './cli.ts';

/** What `provider set` asks for at each provider; the rest has a value of its own. */
export const VERIFF = {
  ...{ 'api-key': 'key-one', 'shared-secret': 'secret-one' },
  'base-url': 'https://stationapi.veriff.com',
};
export const BERBIX = {
  ...{ 'api-secret': 'secret_test_4711', 'template-key': 'template-4712' },
  'finished-secret': 'whs_test_4713',
};
export const PASSBASE = {
  ...{ 'api-key': 'sk_4711', 'webhook-secret': '0123456789abcdef0123456789ABCDEF' },
  slug: 'acme',
};

/** Runs `provider set` with these options, and with arguments as they stand behind them. */
export function setProvider(
  env: Record<string, string>,
  provider: string,
  options: Record<string, string>,
  more: string[],
): Promise<Ran> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return runCli(['provider', 'set', provider, ...args, ...more], env);
}
