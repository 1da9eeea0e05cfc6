import type { WriteStream } from 'node:tty';

/** Does `work` as the next numbered step and returns its result; `tell` adds a line on what happened. */
export type Step = <T>(title: string, work: (tell: (line: string) => void) => Promise<T>) => Promise<T>;

const COLORS = { green: 32, red: 31, dim: 2 } as const;
const TITLE_WIDTH = 64;

/** Numbered steps on a terminal or in a file: the title when a step begins, then how long it took and what happened. */
export function createSteps(out: WriteStream) {
  const paint = (color: keyof typeof COLORS, text: string) =>
    out.isTTY && !process.env.NO_COLOR ? `\u001b[${COLORS[color]}m${text}\u001b[0m` : text;
  let count = 0;
  let open: string | undefined;
  let over = false;

  const step: Step = async (title, work) => {
    // After Ctrl-C the story does not go on while everything is being closed.
    if (over) throw new Error('the demo is over');
    count += 1;
    open = `step ${count}, "${title}"`;
    out.write(`${String(count).padStart(2)}. ${title.padEnd(TITLE_WIDTH)} `);
    const started = performance.now();
    const lines: string[] = [];
    const result = await work((line) => lines.push(line));
    if (over) return result;
    out.write(`${paint('green', 'ok')} ${paint('dim', `${Math.round(performance.now() - started)} ms`)}\n`);
    for (const line of lines) out.write(`${paint('dim', `    ${line}`)}\n`);
    open = undefined;
    return result;
  };
  return {
    step,
    say: (text: string) => void out.write(`${text}\n`),
    count: () => count,
    /** Says which step it was, also on standard error. */
    fail({ message }: Error): void {
      over = true;
      if (open) out.write(`${paint('red', 'failed')}\n`);
      process.stderr.write(`demo: ${open ? `${open}: ` : ''}${message}\n`);
    },
  };
}

/** Makes a step fail when something is not as it should be. */
export function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
