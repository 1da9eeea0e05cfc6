import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { until } from './until.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const START_MS = 40_000;
const STOP_MS = 30_000;
const READY = /Countersign (?:listens on (\S+)|works on the queue)|^\{"url":"?([^",]+)/m;

/** `serve` as a process of its own, with exactly these settings; resolves once it listens, or works on the queue. */
export async function startChild(
  settings: Record<string, string>,
  role: 'all' | 'api' | 'worker' = 'all',
  ...more: string[]
) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const args = ['dist/cli.js', 'serve', '--role', role, ...more];
  const process_ = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH, HOME, TMPDIR, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(process_);
  const ended = () => process_.exitCode !== null || process_.signalCode !== null;
  const end = async (signal: NodeJS.Signals, timeoutMs: number) => {
    if (ended()) return;
    const exit = once(process_, 'exit');
    process_.kill(signal);
    const timer = setTimeout(() => process_.kill('SIGKILL'), timeoutMs);
    await exit;
    clearTimeout(timer);
  };

  try {
    const ready = () => {
      if (ended()) throw new Error(`the server ended with ${process_.exitCode}: ${output()}`);
      return READY.exec(output()) ?? undefined;
    };
    const [, listens, url = listens ?? ''] = await until(
      ready,
      `a server that listens; it says: ${output()}`,
      START_MS,
    );
    return {
      url,
      /** what it wrote so far, on both streams */
      output,
      ended,
      /** Ends it as a power failure would. */
      kill: () => end('SIGKILL', STOP_MS),
      /** Asks it to stop; returns its exit code (null: it had to be killed) and how long it took. */
      async stop(signal: NodeJS.Signals = 'SIGTERM') {
        const begin = performance.now();
        await end(signal, STOP_MS);
        return { exitCode: process_.exitCode, tookMs: performance.now() - begin };
      },
    };
  } catch (error) {
    await end('SIGKILL', STOP_MS);
    throw error;
  }
}

export type Child = Awaited<ReturnType<typeof startChild>>;

function collect({ stdout, stderr }: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  for (const stream of [stdout, stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
