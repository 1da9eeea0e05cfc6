/** Rows of cells as aligned lines: the first column to the left, all others to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, n) => Math.max(...rows.map((row) => row[n]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, n) => (n === 0 ? cell.padEnd(widths[n]!) : cell.padStart(widths[n]! + 3))).join(''),
  );
}

/** Milliseconds as a person reads them. */
export function millis(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 100 ? ms.toFixed(1) : count(Math.round(ms))} ms`;
}

/** A number with its thousands apart. */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}
