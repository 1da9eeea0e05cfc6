import { connect } from 'node:net';
import type { Wire } from './vendor.ts';

const ANSWER_MS = 10_000;

type Break = (wire: Wire, place: { host: string; path: string }) => { head: string[]; body: Buffer };

const usual = ({ headers }: Wire, host: string) => [
  `host: ${host}`,
  ...headers.map((pair) => pair.join(': ')),
];
const post = (path: string) => `POST ${path} HTTP/1.1`;
const length = ({ body }: Wire, more = 0) => `content-length: ${body.length + more}`;
const chunked = 'transfer-encoding: chunked';

/** A head of one's own before a body of one's own. */
const withHead = (lines: (wire: Wire) => string[], body = ({ body: bytes }: Wire) => bytes): Break => {
  return (wire, { host, path }) => ({
    head: [post(path), ...usual(wire, host), ...lines(wire)],
    body: body(wire),
  });
};
const inChunk = ({ body }: Wire, end: string) =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from(end)]);

/** Requests that carry an authentic webhook and are no right HTTP; nothing of them may count. */
export const BREAKS: { [name: string]: Break } = {
  'length too small': withHead((wire) => [length(wire, -1)]),
  'length too great': withHead((wire) => [length(wire, 10)]),
  'length twice': withHead((wire) => [length(wire), length(wire, -1)]),
  'no length': withHead(() => []),
  'length no number': withHead(() => ['content-length: 1e2']),
  'length negative': withHead(() => ['content-length: -5']),
  'length and chunks': withHead((wire) => [length(wire), chunked]),
  'chunks without end': withHead(
    () => [chunked],
    (wire) => inChunk(wire, '\r\n'),
  ),
  'chunk of no size': withHead(
    () => [chunked],
    ({ body }) => Buffer.concat([Buffer.from('zz\r\n'), body, Buffer.from('\r\n0\r\n\r\n')]),
  ),
  'unknown coding': withHead((wire) => [length(wire), 'transfer-encoding: gzip, zebra']),
  'NUL in a header': withHead((wire) => [length(wire), 'x-note: a\u0000b']),
  'space before a colon': withHead((wire) => [length(wire), 'x-note : a']),
  'header too long': withHead((wire) => [length(wire), `x-note: ${'a'.repeat(20_000)}`]),
  'no host': (wire, { path }) => ({
    head: [post(path), ...usual(wire, '').slice(1), length(wire)],
    body: wire.body,
  }),
  'unknown version': (wire, { host, path }) => ({
    head: [post(path).replace('1.1', '9.9'), ...usual(wire, host), length(wire)],
    body: wire.body,
  }),
  'unknown method': (wire, { host, path }) => ({
    head: [post(path).replace('POST', 'PÖST'), ...usual(wire, host), length(wire)],
    body: wire.body,
  }),
  'path too long': (wire, { host, path }) => ({
    head: [post(`${path}/${'a'.repeat(20_000)}`), ...usual(wire, host), length(wire)],
    body: wire.body,
  }),
};

/** Sends a broken request on a connection of its own; resolves to the last status it was answered, 0 for none. */
export function sendBroken(url: string, broken: string, wire: Wire): Promise<number> {
  const { hostname, port, host, pathname: path } = new URL(url);
  const { head, body } = BREAKS[broken]!(wire, { host, path });
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const done = () => {
      const answers = [
        ...Buffer.concat(chunks)
          .toString('latin1')
          .matchAll(/^HTTP\/1\.1 (\d{3})/gm),
      ];
      resolve(Math.max(0, ...answers.map(([, status]) => Number(status))));
    };
    socket.setTimeout(ANSWER_MS, () => {
      socket.destroy();
      reject(new Error('a broken request was neither answered nor hung up on'));
    });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('close', done);
    socket.on('error', () => undefined); // hanging up is an answer, too
    socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
  });
}
