import { healthRoutes } from './api/ops.ts';
import type { OpsDeps } from './api/ops.ts';
import { originOf } from './config.ts';
import type { Config } from './config.ts';
import { createApp } from './http.ts';
import { listen, portOf, stopOf } from './listen.ts';

/** A worker's own small server on OPS_PORT: /healthz, /readyz and /metrics, and nothing else. */
export async function startOpsServer(
  config: Config,
  port: number,
  deps: OpsDeps,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const server = await listen({ ...config, port });
  server.on(
    'request',
    createApp({ config, log: deps.log, doors: [{ path: '/', router: healthRoutes(deps) }] }),
  );
  return { url: originOf(config.host, portOf(server)), stop: stopOf(server) };
}
