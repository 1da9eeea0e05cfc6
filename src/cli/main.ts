import { parseArgs } from 'node:util';
import { UsageError } from './command.ts';
import type { Answer, Command, Option, Values } from './command.ts';
import { aliasCommands } from './alias.ts';
import { challengeCommands } from './challenge.ts';
import { deliveryCommands } from './delivery.ts';
import { doctor } from './doctor.ts';
import { domainCommands } from './domain.ts';
import { eraseCommand } from './erase.ts';
import { endpointCommands } from './endpoint.ts';
import { idpCommands } from './idp.ts';
import { integrationSet } from './integration-set.ts';
import { integrationCreate, integrationList } from './integration.ts';
import { keyRevoke, keyRotate } from './key.ts';
import { migrateCommand } from './migrate.ts';
import { proofKeyCommands } from './proof-key.ts';
import { providerCommands } from './provider.ts';
import { providerList } from './provider-list.ts';
import { serveCommand, settingsHelp } from './serve.ts';
import { secretList, secretRevoke } from './secret-live.ts';
import { secretRotate } from './secret.ts';
import { simulateCommands } from './simulate.ts';
import { slackCommands } from './slack.ts';
import { tenantCommands } from './tenant.ts';
import { webhookCommands } from './webhook.ts';
import { ConfigError, readConfig } from '../config.ts';

const commands: Command[] = [
  serveCommand,
  migrateCommand,
  doctor,
  integrationCreate,
  integrationList,
  integrationSet,
  keyRotate,
  keyRevoke,
  secretRotate,
  secretList,
  secretRevoke,
  ...tenantCommands,
  ...providerCommands,
  providerList,
  ...idpCommands,
  ...aliasCommands,
  ...slackCommands,
  ...challengeCommands,
  ...webhookCommands,
  ...domainCommands,
  ...proofKeyCommands,
  ...simulateCommands,
  eraseCommand,
  ...deliveryCommands,
  ...endpointCommands,
];

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
/** Spaces before and between columns, at least. */
const GAP = 2;
const FLAGS = {
  json: { type: 'boolean', default: false, help: 'Print the answer as JSON' },
  help: { type: 'boolean', short: 'h', default: false, help: 'Show this' },
} as const;

/** How a command line ended; `code` is undefined while a server runs on. */
export type Ended = { code: number | undefined; stdout: string; stderr: string };

/** Runs one command line under these settings, or those of the environment. It prints by itself only if it runs on. */
export async function run(args: string[], env?: Record<string, string | undefined>): Promise<Ended> {
  const json = args.includes('--json');
  try {
    const { command, rest } = choose(args);
    if (!command) return usage(args);
    const values = readOptions(command, rest);
    if (values.help) return said(helpOf(command));
    const answer = await command.run(readConfig(env), values);
    return answer ? ended(answer, json) : { code: undefined, stdout: '', stderr: '' };
  } catch (error) {
    return failed(error as Error, json);
  }
}

/** The command with the longest name the arguments start with; none given means serve. */
function choose(args: string[]): { command: Command | undefined; rest: string[] } {
  if (args.length === 0 || (args[0]?.startsWith('--') && !['--help', '--json'].includes(args[0])))
    return { command: serveCommand, rest: args };
  const matching = commands.filter((command) =>
    command.name.split(' ').every((word, index) => args[index] === word),
  );
  const command = matching.sort((a, b) => b.name.length - a.name.length)[0];
  return { command, rest: args.slice(command?.name.split(' ').length ?? 0) };
}

function usage(args: string[]): Ended {
  const [first] = args;
  if (first === undefined || first.startsWith('-') || first === 'help') return said(overview());
  const words = args.filter((arg) => !arg.startsWith('-')).join(' ');
  const below = (start: string) => commands.filter((command) => command.name.startsWith(`${start} `));
  const asked = below(words);
  const near = asked.length > 0 ? asked : below(first);
  if (near.length > 0 && args.includes('--help'))
    return said(near.map((command) => helpOf(command)).join('\n\n'));
  const hint =
    near.length > 0
      ? near.map((command) => `\`countersign ${command.name}\``).join(', ')
      : '`countersign --help`';
  throw new UsageError(`there is no command "${words}"; see ${hint}`);
}

function readOptions(command: Command, args: string[]): Values {
  const values = parse(command, args);
  if (values.help) return values;
  const missing = Object.entries(command.options).filter(
    ([name, { required, empty }]) => required && !(empty === undefined ? values[name] : name in values),
  );
  if (missing.length > 0) {
    throw new UsageError(
      `${missing.map(([name]) => `--${name}`).join(', ')} missing; see \`countersign ${command.name} --help\``,
    );
  }
  return values;
}

function parse(command: Command, args: string[]): Values {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, ...FLAGS }).map(([name, { help: _help, ...option }]) => {
      const {
        value: _value,
        required: _required,
        empty: _empty,
        ...known
      } = option as typeof option & Partial<Option>;
      return [name, known];
    }),
  );
  try {
    return parseArgs({ args: joined(command, args), options, strict: true }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see \`countersign ${command.name} --help\``);
  }
}

/** A value may begin with a dash, as every 64th random one does; parseArgs takes it behind an equals sign only. */
function joined({ options }: Command, args: string[]): string[] {
  const isValue = (place: number) =>
    /^-(?!-|h$)/.test(args[place] ?? '') &&
    options[args[place - 1]?.replace(/^--/, '') ?? '']?.type === 'string';
  return args.flatMap((arg, place) => {
    if (isValue(place)) return [];
    return isValue(place + 1) ? [`${arg}=${args[place + 1]}`] : [arg];
  });
}

function overview(): string {
  return [
    'Countersign: identity verification challenges',
    '',
    'Usage: countersign [COMMAND] [OPTIONS]',
    '',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    'Every command takes --help and --json. Settings come from the environment:',
    '',
    settingsHelp(),
  ].join('\n');
}

function helpOf({ name, summary, options }: Command): string {
  const lines = Object.entries({ ...options, ...FLAGS }).map(([option, { help, ...rest }]) => {
    const { value, required, empty } = rest as Partial<Option>;
    const notes = `${required ? ' (required)' : ''}${empty === undefined ? '' : ` ("" ${empty})`}`;
    return [`--${option}${value ? ` ${value}` : ''}`, `${help}${notes}`] as const;
  });
  return [`Usage: countersign ${name} [OPTIONS]`, '', summary, '', ...columns(lines)].join('\n');
}

/** What is named and what it means, the meanings below each other. */
function columns(lines: readonly (readonly [name: string, meaning: string])[]): string[] {
  const width = Math.max(...lines.map(([name]) => name.length)) + GAP;
  return lines.map(([name, meaning]) => `${' '.repeat(GAP)}${name.padEnd(width)}${meaning}`);
}

function said(text: string, code = 0): Ended {
  return { code, stdout: `${text}\n`, stderr: '' };
}

function ended(answer: Answer, json: boolean): Ended {
  return said(json ? JSON.stringify(answer.json, null, 2) : answer.text, answer.failed ? EXIT_FAILED : 0);
}

function failed(error: Error, json: boolean): Ended {
  const mistakes = error instanceof ConfigError ? { mistakes: error.mistakes } : {};
  return {
    code: error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED,
    stdout: '',
    stderr: json
      ? `${JSON.stringify({ error: error.message, ...mistakes })}\n`
      : `countersign: ${error.message}\n`,
  };
}
