import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/cli/main.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TIMEOUT_MS = 30_000;

export type Ran = {
  code: number | null | undefined;
  stdout: string;
  stderr: string;
  json: Record<string, unknown>;
};

/** What `countersign ARGS` says and how it ends, with these settings and no others; in this process, which is quicker. */
export async function runCli(args: string[], env: Record<string, string>): Promise<Ran> {
  const ended = await run(args, env);
  return { ...ended, json: parse(ended.stdout) };
}

/** Runs `countersign ARGS` as a person would, in a process of its own. */
export function runProcess(args: string[], env: Record<string, string>): Promise<Ran> {
  const child = spawn(process.execPath, ['dist/cli.js', ...args], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr, json: parse(stdout) }));
  });
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
