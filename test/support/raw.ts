import { connect } from 'node:net';
import type { TestServer } from './server.ts';

export const CREATE_PATH = '/api/v1/challenges';

/** Posts exactly these bytes as a create; an empty type leaves the header out. */
export async function postBytes(
  { url, apiKey }: TestServer,
  body: string | Buffer,
  headers: Record<string, string> = {},
  type = 'application/json',
) {
  const answer = await fetch(url + CREATE_PATH, {
    method: 'POST',
    headers: { 'X-API-Key': apiKey, ...(type ? { 'Content-Type': type } : {}), ...headers },
    body: new Uint8Array(Buffer.from(body)),
  });
  return readAnswer(answer);
}

/** A fetched answer in the shape that supertest's have. */
export async function readAnswer(answer: Response) {
  return { status: answer.status, text: await answer.text(), headers: Object.fromEntries(answer.headers) };
}

/** What an HTTP client library would not send: these bytes over a socket; resolves with all that comes back. */
export function sendRaw(url: string, bytes: string | Buffer): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), text });
    });
  });
}
