import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { hostOf, portOf } from './address.ts';
import { codeOf, OutboundError } from './outbound-errors.ts';

const ANSWER_MAX_BYTES = 8 * 1024;
const PLACES_MAX = 3; // of one host; each takes time of the same ten seconds
const KEEP_ALIVE_DELAY_MS = 60_000;

/** An HTTP proxy that the operator named; it is exempt from the guard. */
export type Proxy = {
  /** http://user:password@host:port */
  url: string;
  /** it resolves names and enforces egress policy; else we vet addresses and name only those to it */
  resolves: boolean;
};

/** A connection through the proxy to the place that it stands for. */
export type Tunnel = { socket: Socket; place: string };

/** Tunnels to the first of these `host:port` that the proxy lets us reach; whatever goes wrong is a fault of class `proxy`. */
export type OpenTunnel = (places: readonly string[], signal: AbortSignal) => Promise<Tunnel>;

/** Reads the proxy's URL, and throws Error when that makes no sense. */
export function tunnelThrough({ url }: Proxy): OpenTunnel {
  const { username, password, ...rest } = readUrl(url);
  const options: http.RequestOptions = {
    ...rest,
    method: 'CONNECT',
    agent: false,
    setHost: false,
    maxHeaderSize: ANSWER_MAX_BYTES,
  };
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  const headers = {
    connection: 'keep-alive', // a few proxies take node's `close` to be about the tunnel
    ...(username || password ? { 'proxy-authorization': `Basic ${credentials}` } : {}),
  };

  return async (places, signal) => {
    let status = 0;
    for (const place of places.slice(0, PLACES_MAX)) {
      const answer = await connect({ ...options, signal, path: place, headers: { host: place, ...headers } });
      status = answer.status;
      if (status >= 200 && status < 300) return { socket: answer.socket, place };
      answer.socket.destroy();
      if (status < 500) break; // it refuses us; a 5xx may be about this one address
    }
    throw new OutboundError('proxy', `The proxy answered ${status}.`);
  };
}

function readUrl(text: string) {
  const url = new URL(text);
  try {
    const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    return { host: hostOf(url), port: portOf(url), username, password };
  } catch {
    throw new Error('The user name or password in the URL of the proxy is not percent-encoded.');
  }
}

function connect(options: http.RequestOptions): Promise<{ status: number; socket: Socket }> {
  return new Promise((opened, failed) => {
    const request = http.request(options);
    let isReached = false;
    request.on('socket', (socket) => socket.once('connect', () => (isReached = true)));
    request.on('connect', (answer: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.on('error', () => {}); // until its next owner listens, and while none will
      socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      if (head.length > 0) socket.unshift(head); // the receiver's first words, in a hurry
      opened({ status: answer.statusCode ?? 0, socket });
    });
    request.on('error', (cause) => failed(faultOf(cause, isReached)));
    request.end();
  });
}

/** Never node's own words: they name addresses of the operator's network. */
function faultOf(cause: Error, isReached: boolean): OutboundError {
  const what = !isReached
    ? 'The proxy could not be reached.'
    : codeOf(cause) === 'HPE_HEADER_OVERFLOW'
      ? `The proxy answered with more than ${ANSWER_MAX_BYTES} bytes of headers.`
      : 'The proxy broke the connection off, or its answer was not HTTP.';
  return new OutboundError('proxy', codeOf(cause) ? `${what} (${codeOf(cause)})` : what, { cause });
}
