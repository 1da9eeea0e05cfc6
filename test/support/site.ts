import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Pair } from './tls.ts';

/** A customer's web site on loopback: `/frame?url=…` shows that address in a frame, everything else says where one is. */
export async function startSite({ pair, policy }: { pair?: Pair; policy?: string } = {}) {
  const visits: string[] = [];
  const answer: RequestListener = (request, response) => {
    const path = request.url ?? '/';
    visits.push(path);
    const framed = new URL(path, 'http://site').searchParams.get('url');
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    if (policy) response.setHeader('Referrer-Policy', policy);
    response.end(path.startsWith('/frame') ? framing(framed ?? '') : said('Back at the shop', path));
  };
  const server = pair ? createSecureServer(pair, answer) : createServer(answer);
  const port = await listening(server);
  const origin = `${pair ? 'https' : 'http'}://127.0.0.1:${port}`;
  return {
    origin,
    visits,
    /** Where to find the page that frames this address. */
    framing: (url: string) => `${origin}/frame?${new URLSearchParams({ url }).toString()}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Speaks https as `localhost` in front of a server on loopback that is named later, as a reverse proxy would. */
export async function startTlsFront(pair: Pair) {
  let target = 0;
  const server = createTlsServer(pair, (socket) => {
    const onward = connect(target, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const one of [socket, onward]) one.on('error', () => (socket.destroy(), onward.destroy()));
  });
  const port = await listening(server);
  return {
    origin: `https://localhost:${port}`,
    to(url: string) {
      target = Number(new URL(url).port);
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function framing(url: string): string {
  const src = url.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  return said('The shop', `<iframe src="${src}" title="Verification" width="100%" height="640"></iframe>`);
}

function said(title: string, body: string): string {
  return `<!DOCTYPE html><html lang="en"><title>${title}</title><link rel="icon" href="data:,">
<body style="font-family: sans-serif"><h1>${title}</h1>${body}</body></html>`;
}
