import { expect } from '@jest/globals';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { createOutbound, OutboundError } from '../../src/kernel/outbound.ts';
import type { Outbound, OutboundRequest } from '../../src/kernel/outbound.ts';

/** The reach of a developer's machine. */
export const DEVELOPMENT = { http: true, loopback: true };
/** Public http and https. */
export const HTTP_ONLY = { http: true, loopback: false };
const PATIENCE_MS = 5_000;

const closers: (() => unknown)[] = [];
/** Closes whatever the test opened through this file, newest first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Closes this with the rest at the end of the test. */
export function closeLater(close: () => unknown): void {
  closers.push(close);
}

/** An outbound client that ends with the test. */
export function outboundWith(options: Partial<Parameters<typeof createOutbound>[0]> = {}): Outbound {
  const outbound = createOutbound({ allowedCidrs: [], userAgent: 'countersign/test', ...options });
  closers.push(() => outbound.close());
  return outbound;
}

/** A GET from a developer's machine, unless told otherwise. */
export function requestTo(url: string, more: Partial<OutboundRequest> = {}): OutboundRequest {
  return {
    method: 'GET',
    url,
    headers: {},
    reach: DEVELOPMENT,
    timeoutMs: PATIENCE_MS,
    maxBytes: 65_536,
    ...more,
  };
}

/** The OutboundError that this rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<OutboundError> {
  const error = await promise.then(
    (answer) => expect(answer).toBe('a failure'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OutboundError);
  return error as OutboundError;
}

/** undici gives a connection back to its pool one turn of the event loop after the answer ended. */
export async function requestAndSettle(outbound: Outbound, request: OutboundRequest) {
  const answer = await outbound.request(request);
  await new Promise((done) => setTimeout(done, 20));
  return answer;
}

/** Listens until the test ends and counts connections; open sockets are cut then, so that nothing outlives a test. */
export async function listen(server: net.Server, host = '127.0.0.1', port = 0) {
  const sockets = new Set<net.Socket>();
  const seen = { port: 0, connections: 0 };
  server.on('connection', (socket) => {
    seen.connections += 1;
    sockets.add(socket.on('error', () => {}));
  });
  server.listen(port, host);
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((done) => server.close(done));
  });
  seen.port = (server.address() as AddressInfo).port;
  return seen;
}

/** An HTTP server on loopback that ends with the test. */
export async function serveHttp(handler: http.RequestListener) {
  const seen = await listen(http.createServer(handler));
  return Object.assign(seen, { url: `http://127.0.0.1:${seen.port}` });
}

/** A server that misbehaves below HTTP: called with the socket, the text of each request and its number there. */
export async function serveRaw(react: (socket: net.Socket, request: string, turn: number) => void) {
  const server = net.createServer((socket) => {
    let turn = 0;
    socket.on('data', (data) => react(socket, data.toString(), (turn += 1)));
  });
  const seen = await listen(server);
  return Object.assign(seen, { url: `http://127.0.0.1:${seen.port}` });
}
