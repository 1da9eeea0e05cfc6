import { fork, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const TICKS_PER_SECOND = 100;
const children: ChildProcess[] = [];

/** A script beside this one, as a process that talks by messages. */
export function forkScript(name: string): ChildProcess {
  const child = fork(new URL(name, import.meta.url), { execArgv: ['--import', 'tsx'] });
  children.push(child);
  return child;
}

/** Sends an order, if any, and returns the next message. */
export function ask<News>(child: ChildProcess, order?: object): Promise<News> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) =>
      reject(new Error(`a child of the benchmark ended with code ${code}`));
    child.once('message', (news) => {
      child.off('exit', ended);
      resolve(news as News);
    });
    child.once('exit', ended);
    if (order) child.send(order);
  });
}

/** A worker of the built server; resolves once it works. Its log is read and dropped, as a log collector would. BENCH_NODE_ARGS adds arguments for node, such as --cpu-prof. */
export function startWorker(env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const extra = (process.env.BENCH_NODE_ARGS ?? '').split(' ').filter(Boolean);
  const child = spawn(
    'node',
    ['--max-semi-space-size=64', ...extra, 'dist/cli.js', 'serve', '--role', 'worker'],
    {
      env: { ...process.env, NODE_ENV: 'production', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the worker ended with code ${code}`)));
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      if (!line.includes('works on the queue')) return;
      lines.close();
      child.stdout.resume();
      resolve(child);
    });
  });
}

/** Ends every process that was started here. */
export function endChildren(): void {
  for (const child of children) child.kill('SIGTERM');
}

/** CPU seconds that a process and, with `offspring`, all of its children have used; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number, offspring = false): number {
  const own = ticksOf(pid);
  const others = offspring ? childrenOf(pid).reduce((sum, child) => sum + ticksOf(child), 0) : 0;
  return (own + others) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    // user and system time, and those of children that have ended and been waited for
    return fields.slice(11, 15).reduce((sum, text) => sum + Number(text), 0);
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((one) => parentOf(one) === pid);
}

function parentOf(pid: number): number {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')[1],
    );
  } catch {
    return 0;
  }
}
