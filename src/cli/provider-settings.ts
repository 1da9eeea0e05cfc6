import { readFileSync } from 'node:fs';
import type { Field, Provider, Settings } from '../providers/provider.ts';
import { UsageError, textOf } from './command.ts';
import type { Option, Values } from './command.ts';

type Mode = 'test' | 'live';
type Fields = Pick<Provider, 'fields'>;

/** Keeps a secret out of the list of processes and of the shell's history. */
const AT_FILE = ' (this, like each value here, also as @FILE: the text of that file)';

/** The options for what an account or IdP consists of; the first one tells of files. */
export function settingsOptions({ fields }: Fields): { [name: string]: Option } {
  return Object.fromEntries(
    Object.entries(fields).map(([field, about], place) => [
      optionName(field),
      {
        type: 'string',
        value: about.file ? 'FILE' : field.toUpperCase(),
        required: isRequired(about),
        ...(about.fallback === undefined
          ? {}
          : { empty: about.fallback === '' ? 'takes it away' : 'resets it' }),
        help: `${about.help}${place === 0 ? AT_FILE : ''}${about.fallback ? ` (default: ${about.fallback})` : ''}`,
      } satisfies Option,
    ]),
  );
}

/** The option that a field is entered with. */
export function optionName(field: string): string {
  return field.replaceAll('_', '-');
}

/** What was entered, else what makes sense without: a value made or entered before, or the field's fallback. */
export function readSettings({ fields }: Fields, values: Values, known: Settings | undefined): Settings {
  const entered = Object.entries(fields).map(
    ([field, about]) => [field, about, enteredOf(values, field, about)] as const,
  );
  const settings = Object.fromEntries(
    entered.map(([field, { generate, fallback }, value]) => [
      field,
      value ?? (generate && (known?.[field] || generate())) ?? fallback ?? '',
    ]),
  );
  // What is optional and was entered for another address, such as a simulator's, would be wrong here.
  const sameAddress = entered.every(([field, { called }]) => !called || known?.[field] === settings[field]);
  if (!known || !sameAddress) return settings;
  const kept = entered.filter(([, { fallback }, value]) => fallback === '' && value === undefined);
  return { ...settings, ...Object.fromEntries(kept.map(([field]) => [field, known[field] ?? ''])) };
}

/** Refuses what the account of the other mode has too: no provider gives both modes the same keys and secrets. */
export function checkOtherMode(
  { label }: Provider,
  settings: Settings,
  mode: Mode,
  other: Settings | undefined,
): void {
  const same = Object.keys(settings).find(
    (field) => isSecret(field) && settings[field] && settings[field] === other?.[field],
  );
  if (same === undefined) return;
  const otherMode = otherOf(mode);
  throw new UsageError(
    `--${optionName(same)} is the same as in ${otherMode} mode; take the one that ${label} has for ${mode} mode ` +
      `(if the account of ${otherMode} mode is the wrong one, set that first)`,
  );
}

/** The mode that is not this one. */
export function otherOf(mode: Mode): Mode {
  return mode === 'test' ? 'live' : 'test';
}

/** What was entered for a field, if anything; '' takes away what may be empty. */
export function enteredOf(values: Values, field: string, about: Field): string | undefined {
  const name = optionName(field);
  // Nothing, where that may be entered, takes away what was entered before.
  if (values[name] === '' && about.fallback === '') return '';
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  if (about.file) return textOfFile(text, name);
  return text.startsWith('@') ? lineOfFile(text.slice(1), name) : text;
}

function lineOfFile(path: string, name: string): string {
  const text = textOfFile(path, name).replace(/\r?\n$/, '');
  if (text === '') throw new UsageError(`--${name}: there is nothing in ${path}`);
  return text;
}

function textOfFile(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(`--${name}: ${code === 'ENOENT' ? `there is no file ${path}` : message}`);
  }
}

/** Whether what the field holds is shown nowhere. */
export function isSecret(field: string): boolean {
  return field === 'api_key' || field.endsWith('secret');
}

function isRequired({ fallback, generate }: Field): boolean {
  return fallback === undefined && generate === undefined;
}
