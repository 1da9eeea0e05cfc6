import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RequestListener, Server } from 'node:http';

type Router = { listRoutes(): { path: string; methods?: string[]; router?: Router }[] };

/** Every route of the server that answers at this URL, as `GET /path/{}`, asked of Express itself. */
export async function listRoutes(url: string): Promise<string[]> {
  const app = (await listenerAt(url)) as RequestListener & { router: Router };
  return routesOf(app.router, '');
}

function routesOf(router: Router, base: string): string[] {
  return router.listRoutes().flatMap(({ path, methods = [], router: inner }) => {
    const whole = `${base}${path}`.replace(/(?<=.)\/$/, '').replace(/^\/\//, '/');
    if (inner) return routesOf(inner, whole === '/' ? '' : whole);
    // HEAD comes with GET; `*` is what answers 405.
    const named = methods
      .map((method) => method.toUpperCase())
      .filter((method) => !['HEAD', '*'].includes(method));
    return named.map((method) => `${method} ${whole.replaceAll(/:\w+/g, '{}')}`);
  });
}

/** The request listener of a server in this process, which Node names when a request begins. */
async function listenerAt(url: string) {
  const servers: Server[] = [];
  const note = (message: unknown) => servers.push((message as { server: Server }).server);
  subscribe('http.server.request.start', note);
  try {
    await fetch(`${url}/healthz`);
  } finally {
    unsubscribe('http.server.request.start', note);
  }
  return servers[0]?.listeners('request')[0];
}
