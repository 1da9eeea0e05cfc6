import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SimulatorOptions } from './simulator.ts';

/** A request with its exact bytes; `params` are the parts of the path that the route names. */
export type Call = {
  method: string;
  path: string;
  query: URLSearchParams;
  params: { [name: string]: string };
  headers: IncomingHttpHeaders;
  body: Buffer;
};
export type Reply = { status: number; headers: Record<string, string>; body: string };
export type Handler = (call: Call) => Reply | Promise<Reply>;
/** What to do by method and path, such as `GET /v1/sessions/:id/decision`. */
export type Routes = { [route: string]: Handler };
/** Sees each reply before it leaves and may replace it, or hang up: this is where tests let a vendor go wrong. */
export type LastWord = (call: Call, reply: Reply) => Promise<Reply | 'hang up'>;

type Options = {
  port?: number | undefined;
  tell?: SimulatorOptions['tell'] | undefined;
  lastWord?: LastWord | undefined;
  /** answers where no route does */
  otherwise?: Handler;
};

/** An HTTP server on loopback that answers as the routes say; `port` 0 takes any free one. */
export async function listen(routes: Routes, { port = 0, tell, otherwise, lastWord }: Options) {
  const known = Object.entries(routes).map(([route, handler]) => readRoute(route, handler));
  const fallback: Handler = otherwise ?? (() => html(404, 'Not found'));

  const answer = async (call: Call): Promise<Reply | 'hang up'> => {
    const found = known
      .filter(({ method }) => method === call.method)
      .map(({ pattern, handler }) => ({ handler, match: pattern.exec(call.path) }))
      .find(({ match }) => match);
    Object.assign(call.params, found?.match?.groups);
    const reply = await (found?.handler ?? fallback)(call);
    return lastWord ? lastWord(call, reply) : reply;
  };
  const server = createServer((request, response) => {
    const serve = async () => {
      const call = await readCall(request);
      const reply = await answer(call);
      if (reply === 'hang up') return void request.socket.destroy();
      tell?.(`${call.method} ${shortened(call.path)} → ${reply.status}`);
      response.writeHead(reply.status, reply.headers).end(reply.body);
    };
    serve().catch((error: unknown) => {
      tell?.(`${request.method ?? ''} ${request.url ?? ''} failed: ${String(error)}`);
      response.destroy(error as Error);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Hangs up on everybody; nobody can tell it from a server that is down. */
    async close(): Promise<void> {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A reply in JSON, compact as it would be signed. */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/** A page. */
export function html(status: number, body: string): Reply {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

/** Sends the browser on after a form. */
export function redirect(location: string): Reply {
  return { status: 303, headers: { location }, body: '' };
}

/** The fields of a form. */
export function formOf({ body }: Call): URLSearchParams {
  return new URLSearchParams(body.toString());
}

function readRoute(route: string, handler: Handler) {
  const [method = '', path = ''] = route.split(' ');
  return { method, pattern: new RegExp(`^${path.replaceAll(/:(\w+)/g, '(?<$1>[^/]+)')}$`), handler };
}

/** A path fit for one line: long tokens are cut. */
function shortened(path: string): string {
  return path.replaceAll(/[^/]{40,}/g, (token) => `${token.slice(0, 8)}…`);
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const { method = '', url = '', headers } = request;
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return { method, path: pathname, query: searchParams, params: {}, headers, body: Buffer.concat(chunks) };
}
