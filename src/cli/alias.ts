import type { Config } from '../config.ts';
import { isoTime } from '../challenges/present.ts';
import { readText } from '../challenges/text.ts';
import type { Store } from '../db/open.ts';
import { listAliases, removeAlias, saveAlias } from '../signin/aliases-store.ts';
import { fold } from '../signin/subject.ts';
import { UsageError, withTenant } from './command.ts';
import type { Answer, Command, Option, Values } from './command.ts';
import { printable } from './desk.ts';

const MAX_IDENTIFIER = 255;

const ALIAS: Option = {
  type: 'string',
  value: 'ALIAS',
  required: true,
  help: 'What the person signs in as: e-mail address, value of the claim or attribute, sub or NameID',
};

const add: Command = {
  name: 'alias add',
  summary: 'Let whoever signs in as an alias count as another identity, such as an old address',
  options: {
    alias: ALIAS,
    identity: {
      type: 'string',
      value: 'IDENTITY',
      required: true,
      help: 'Whom challenges name: their target_user_email or target_user_id',
    },
  },
  run: withAliases(async (db, tenantId, values) => {
    const [alias, identity] = [readIdentifier(values, 'alias'), readIdentifier(values, 'identity')];
    if (alias === identity) throw new UsageError('--alias and --identity are the same already');
    const kept = await saveAlias(db, tenantId, { alias, identity });
    if (kept !== identity) {
      throw new UsageError(
        `"${printable(alias)}" stands for "${printable(kept)}" already; take that away first with \`countersign alias remove\``,
      );
    }
    const text = `Whoever signs in as "${printable(alias)}" counts as "${printable(identity)}", in both modes, at once.`;
    return { json: { alias, identity }, text };
  }),
};

const remove: Command = {
  name: 'alias remove',
  summary: 'Take an alias away, at once also for open challenges',
  options: { alias: ALIAS },
  run: withAliases(async (db, tenantId, values) => {
    const alias = readIdentifier(values, 'alias');
    const identity = await removeAlias(db, tenantId, alias);
    if (identity === undefined)
      throw new UsageError(`there is no alias "${printable(alias)}"; see \`countersign alias list\``);
    const text = `Whoever signs in as "${printable(alias)}" no longer counts as "${printable(identity)}".`;
    return { json: { alias, identity }, text };
  }),
};

const list: Command = {
  name: 'alias list',
  summary: 'Show the aliases, and whom each stands for',
  options: {},
  run: withAliases(async (db, tenantId) => {
    const rows = await listAliases(db, tenantId);
    const aliases = rows.map(({ alias, identity, created_at }) => ({
      alias,
      identity,
      created_at: isoTime(created_at),
    }));
    const lines = aliases.map(({ alias, identity }) => `${printable(alias)}  ->  ${printable(identity)}`);
    return { json: { aliases }, text: lines.length > 0 ? lines.join('\n') : 'There are no aliases.' };
  }),
};

/** Who else people are known as when they sign in. */
export const aliasCommands: Command[] = [add, remove, list];

type Work = (db: Store['db'], tenantId: string, values: Values) => Promise<Answer>;

/** A sign-in reads the aliases when it is concluded, so there is nothing to wait for. */
function withAliases(work: Work): (config: Config, values: Values) => Promise<Answer> {
  return (config, values) => withTenant(config, ({ db }, tenantId) => work(db, tenantId, values));
}

function readIdentifier(values: Values, name: string): string {
  let text: string | undefined;
  try {
    text = readText(values[name], `--${name}`, { max: MAX_IDENTIFIER });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (text === undefined) throw new UsageError(`--${name} must not be empty`);
  return fold(text);
}
