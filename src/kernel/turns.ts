/**
 * Lets `atOnce` callers go on at the same time, the others in their order. A turn ends when the returned function is
 * called, or by itself after `ms`: who takes longer than that keeps nobody waiting.
 */
export function createTurns(atOnce: number, ms: number): () => Promise<() => void> {
  const waiting: (() => void)[] = [];
  let free = atOnce;

  const begin = (): (() => void) => {
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      const next = waiting.shift();
      if (next) next();
      else free++;
    };
    const timer = setTimeout(end, ms);
    return end;
  };
  return async () => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    return begin();
  };
}
