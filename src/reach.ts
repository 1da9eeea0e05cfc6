import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { invalid } from './kernel/errors.ts';
import { createOutbound, OutboundError } from './kernel/outbound.ts';
import type { Reach } from './kernel/outbound.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/**
 * The one way out, and what each mode may reach: live only public https; test http too, and loopback on a developer's machine.
 * `config.publicUrl` is never called; `onConnection` hears of every request written, and whether its connection was used before.
 */
export function createReach(config: Config, bundled: boolean, onConnection?: (reused: boolean) => void) {
  const outbound = createOutbound({
    allowedCidrs: config.outboundAllowedCidrs,
    ports: config.outboundPorts,
    ownUrl: config.publicUrl,
    proxy:
      config.outboundProxy === undefined
        ? undefined
        : { url: config.outboundProxy, resolves: config.outboundProxyResolves },
    onConnection,
    userAgent: `Countersign/${version}`,
  });
  const reachOf = (mode: 'test' | 'live'): Reach => ({
    http: mode === 'test',
    loopback: mode === 'test' && bundled,
  });

  /** Throws a 400 that names the field and the rule for a URL that will never be called. */
  const checkCallbackUrl = (url: string, mode: 'test' | 'live', field: string): void => {
    try {
      outbound.check(url, reachOf(mode));
    } catch (error) {
      if (!(error instanceof OutboundError)) throw error;
      throw invalid(`${field} cannot be called: ${error.message}`, field);
    }
  };
  return { outbound, reachOf, checkCallbackUrl };
}
