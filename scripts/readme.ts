/** Writes the table of settings into README.md, from the one place where they are declared. With --check it only compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import { settings } from '../src/settings.ts';

const FILE = 'README.md';
const PLACE = /(<!-- settings -->\n)[^]*?(\n<!-- \/settings -->)/;

const rows = settings.map(({ name, fallback, meaning }) => [
  `\`${name}\``,
  fallback ? `\`${fallback}\`` : '',
  meaning,
]);
const table = align([['name', 'default', 'meaning'], ...rows]);
const before = readFileSync(FILE, 'utf8');
const after = before.replace(PLACE, (_, open: string, close: string) => `${open}\n${table}\n${close}`);
if (process.argv.includes('--check')) {
  if (before !== after) {
    console.error(`${FILE} has an old table of settings: run \`npm run generate\` and commit the result`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(FILE, after);
}

function align([head = [], ...body]: string[][]): string {
  const widths = head.map((_, column) => Math.max(...[head, ...body].map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}
