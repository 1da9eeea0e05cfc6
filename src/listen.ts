import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Config } from './config.ts';
import { newId } from './kernel/id.ts';

/** Requests under way get this long when the server stops. */
const DRAIN_MS = 10_000;

/** Listens as configured; the caller attaches the app. Rejects with the cure when the port is taken. */
export function listen({ host, port }: Config): Promise<Server> {
  const server = createServer();
  server.on('clientError', refuseMalformed);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const cure =
        error.code === 'EADDRINUSE' ? `port ${port} is taken; stop what uses it or set PORT` : error.message;
      reject(new Error(`cannot listen on ${host}:${port}: ${cure}`));
    });
    server.listen(port, host, () => resolve(server));
  });
}

/** What is not HTTP never becomes a request; it gets an answer in the contract's form all the same. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const body = JSON.stringify({ error: 'The request is malformed', code: 'invalid', request_id: newId() });
  const headers = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`);
}

/** The port it really listens on. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Stops the server, once however often it is called: requests under way are answered first. */
export function stopOf(server: Server): () => Promise<void> {
  let stopped: Promise<void> | undefined;
  return () => (stopped ??= stopServer(server));
}

async function stopServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(timer);
}
