import type { Db } from '../db/database.ts';
import type { Settings } from '../providers/provider.ts';
import type { Method } from '../signin/method.ts';
import { findIdpOf } from '../signin/store.ts';
import type { Idp, Place } from '../signin/store.ts';
import { UsageError } from './command.ts';
import type { Option, Values } from './command.ts';
import { enteredOf, isSecret, optionName, settingsOptions } from './provider-settings.ts';

/** The options for what an IdP consists of; what has no default is needed the first time only. */
export function idpOptions(method: Method): { [name: string]: Option } {
  const options = Object.entries(settingsOptions(method));
  return Object.fromEntries(
    options.map(([name, { required, ...option }]) => [
      name,
      required ? { ...option, help: `${option.help} (required the first time)` } : option,
    ]),
  );
}

/**
 * What was entered, else what was entered before, else the default. A new source of the IdP's keys (its issuer, its
 * metadata) takes the place of the other; with it, what has no default is to be entered again: a secret of one IdP
 * must not be sent to another. `alsoMissing` are options that are missing as well; an error begins with `intro`.
 */
export function readIdpSettings(
  method: Method,
  values: Values,
  known: Settings | undefined,
  { intro = '', alsoMissing = [] }: { intro?: string; alsoMissing?: string[] } = {},
): Settings {
  const { fields } = method;
  const names = Object.keys(fields);
  const entered = Object.fromEntries(
    Object.entries(fields).map(([field, about]) => [field, enteredOf(values, field, about)]),
  );
  const sources = names.filter((field) => fields[field]?.called || fields[field]?.file);
  const moved = sources.some((field) => entered[field] !== undefined && entered[field] !== known?.[field]);
  const isReplaced = (field: string) => sources.includes(field) && sources.some((source) => entered[source]);
  const valueOf = (field: string): string | undefined => {
    const { fallback } = fields[field] ?? {};
    if (entered[field] !== undefined) return entered[field];
    if (values[optionName(field)] === '' || isReplaced(field)) return fallback;
    if (fallback !== undefined) return known?.[field] ?? fallback;
    return moved ? undefined : known?.[field];
  };
  const settings = names.map((field) => [field, valueOf(field)] as const);
  const missing = settings.flatMap(([field, value]) =>
    value === undefined ? [`--${optionName(field)}`] : [],
  );
  const all = [...alsoMissing, ...missing];
  if (all.length === 0) return Object.fromEntries(settings) as Settings;
  const why =
    known && moved ? ': it is another IdP, so what was entered for the one before does not count' : '';
  throw new UsageError(`${intro}${all.join(', ')} missing${why}`);
}

/** What may be shown of an IdP's settings. */
export function shownSettings({ fields }: Method, settings: Settings): Settings {
  const shown = Object.keys(fields).filter((field) => !isSecret(field));
  return Object.fromEntries(shown.map((field) => [field, settings[field] ?? '']));
}

/** The IdP of a kind in one mode, or an error that says what to do. */
export async function getIdp(db: Db, place: Place): Promise<Idp> {
  const idp = await findIdpOf(db, place);
  if (idp) return idp;
  throw new UsageError(
    `no ${place.kind} is set up for ${place.mode} mode; see \`countersign idp set ${place.kind} --help\``,
  );
}
