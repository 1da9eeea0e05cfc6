import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const READY_MS = 60_000;
const STOP_MS = 30_000;
const TAIL_CHARACTERS = 2_000;

/** `countersign serve --role worker` as a process of its own, from the built program. */
export function startWorker(settings: Record<string, string>) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, ['dist/cli.js', 'serve', '--role', 'worker'], {
    cwd: ROOT,
    env: { PATH, HOME, TMPDIR, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const listen = (text: Buffer) => (said = (said + text.toString()).slice(-TAIL_CHARACTERS));
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const exit = once(child, 'exit');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const end = async (signal: NodeJS.Signals) => {
    if (!hasEnded()) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exit;
    clearTimeout(timer);
    return child.exitCode;
  };
  return {
    hasEnded,
    /** its last words */
    said: () => said,
    /** Resolves once it works on the queue. */
    async ready() {
      for (const limit = Date.now() + READY_MS; !said.includes('works on the queue');) {
        if (hasEnded() || Date.now() > limit) throw new Error(`a worker did not start; it says: ${said}`);
        await new Promise((later) => setTimeout(later, 50));
      }
    },
    kill: () => end('SIGKILL'),
    /** Asks it to stop; its exit code, or null if it had to be killed. */
    stop: () => end('SIGTERM'),
  };
}

export type Worker = ReturnType<typeof startWorker>;
