const SHAPE = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** An ISO 8601 day, or time with its zone; undefined for anything else, the 30th of February among it. */
export function parseTime(text: string): Date | undefined {
  if (!SHAPE.test(text) || !isDay(text.slice(0, 10))) return undefined;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  const time = new Date(day);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day);
}
