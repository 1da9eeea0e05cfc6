const UNITS_MS: { [unit: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };
const MAX_WAIT_MS = 7 * 24 * 3_600_000;
const MAX_WAITS = 20;

/** `90s`, `30m`, `24h` or `7d` in milliseconds, `0` too; throws Error that says what to write. */
export function parseDuration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,7})([smhd])$/.exec(text.trim()) ?? [];
  if (text.trim() !== '0' && !digits)
    throw new Error(`"${text}" is not a time; write it like 30s, 5m, 24h or 7d`);
  return Number(digits || '0') * (UNITS_MS[unit] ?? 0);
}

/** The waits before the 2nd, 3rd, ... attempt in milliseconds, from `5s,5m,2h`; throws Error that says what is wrong. */
export function parseSchedule(text: string): number[] {
  const waits = text.split(',').map((part) => parseDuration(part));
  if (waits.length > MAX_WAITS) throw new Error(`at most ${MAX_WAITS} waits`);
  if (waits.some((wait) => wait < 1_000 || wait > MAX_WAIT_MS)) throw new Error('each wait is from 1s to 7d');
  return waits;
}
