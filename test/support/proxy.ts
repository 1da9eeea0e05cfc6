import { once } from 'node:events';
import http from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export type ProxyOptions = {
  /** user:password it asks for */
  credentials?: string;
  /** names it resolves; anything else is taken for an address */
  names?: Record<string, string>;
  /** the status it answers a CONNECT to this target with, instead of connecting */
  refuse?: (target: string) => number | undefined;
};

/** A small HTTP proxy that only tunnels, and remembers what it was asked for. */
export async function startProxy({ credentials, names = {}, refuse }: ProxyOptions = {}) {
  const targets: string[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const open = new Set<Socket>();
  const track = (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  };
  const server = http.createServer((_, response) => response.writeHead(405).end());
  server.on('connection', track);
  server.on('connect', (request, inside: Socket) => {
    const target = request.url ?? '';
    targets.push(target);
    headers.push(request.headers);
    const expected = credentials && `Basic ${Buffer.from(credentials).toString('base64')}`;
    const isKnown = !expected || request.headers['proxy-authorization'] === expected;
    const status = isKnown ? refuse?.(target) : 407;
    if (status !== undefined) return void inside.end(`HTTP/1.1 ${status} No\r\n\r\n<h1>${status}</h1>`);
    const { hostname, port } = new URL(`tcp://${target}`);
    const host = hostname.replace(/^\[|\]$/g, '');
    let stands = false;
    const outside = connect(Number(port), names[host] ?? host, () => {
      stands = true;
      inside.write('HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n');
      inside.pipe(outside).pipe(inside);
    });
    track(outside);
    outside.on('error', () => stands || inside.end('HTTP/1.1 502 Bad gateway\r\n\r\n'));
    outside.on('close', () => stands && inside.destroy());
    inside.on('close', () => outside.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const userinfo = credentials ? `${credentials.split(':').map(encodeURIComponent).join(':')}@` : '';
  return {
    url: `http://${userinfo}127.0.0.1:${port}`,
    targets,
    headers,
    /** Connections that stand, on either side. */
    open,
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((done) => server.close(done));
    },
  };
}
