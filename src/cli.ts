#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { UsageError } from './cli/command.ts';
import type { Answer, Command, Values } from './cli/command.ts';
import { aliasCommands } from './cli/alias.ts';
import { challengeCommands } from './cli/challenge.ts';
import { deliveryCommands } from './cli/delivery.ts';
import { doctor } from './cli/doctor.ts';
import { domainCommands } from './cli/domain.ts';
import { eraseCommand } from './cli/erase.ts';
import { endpointCommands } from './cli/endpoint.ts';
import { idpCommands } from './cli/idp.ts';
import { integrationSet } from './cli/integration-set.ts';
import { integrationCreate, integrationList } from './cli/integration.ts';
import { keyRevoke, keyRotate } from './cli/key.ts';
import { migrateCommand } from './cli/migrate.ts';
import { proofKeyCommands } from './cli/proof-key.ts';
import { providerCommands } from './cli/provider.ts';
import { providerList } from './cli/provider-list.ts';
import { serveCommand, settingsHelp } from './cli/serve.ts';
import { secretList, secretRevoke } from './cli/secret-live.ts';
import { secretRotate } from './cli/secret.ts';
import { simulateCommands } from './cli/simulate.ts';
import { tenantCommands } from './cli/tenant.ts';
import { webhookCommands } from './cli/webhook.ts';
import { ConfigError, readConfig } from './config.ts';

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

/** Runs one command line and returns the exit code; undefined while a server runs on. */
async function main(args: string[]): Promise<number | undefined> {
  const json = args.includes('--json');
  try {
    const { command, rest } = choose(args);
    if (!command) return usage(args);
    const values = readOptions(command, rest);
    if (values.help) return print(helpOf(command));
    const answer = await command.run(readConfig(), values);
    return answer && finish(answer, json);
  } catch (error) {
    return fail(error as Error, json);
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

function usage(args: string[]): number {
  const [first] = args;
  if (first === undefined || first.startsWith('-') || first === 'help') return print(overview());
  const words = args.filter((arg) => !arg.startsWith('-')).join(' ');
  const near = commands.filter((command) => command.name.startsWith(`${first} `));
  if (near.length > 0 && args.includes('--help'))
    return print(near.map((command) => helpOf(command)).join('\n\n'));
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
    ([name, option]) => option.required && !values[name],
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
        ...known
      } = option as typeof option & { value?: string; required?: boolean };
      return [name, known];
    }),
  );
  try {
    return parseArgs({ args, options, strict: true }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see \`countersign ${command.name} --help\``);
  }
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
    const { value, required } = rest as { value?: string; required?: boolean };
    return [`--${option}${value ? ` ${value}` : ''}`, `${help}${required ? ' (required)' : ''}`] as const;
  });
  return [`Usage: countersign ${name} [OPTIONS]`, '', summary, '', ...columns(lines)].join('\n');
}

/** What is named and what it means, the meanings below each other. */
function columns(lines: readonly (readonly [name: string, meaning: string])[]): string[] {
  const width = Math.max(...lines.map(([name]) => name.length)) + GAP;
  return lines.map(([name, meaning]) => `${' '.repeat(GAP)}${name.padEnd(width)}${meaning}`);
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function finish(answer: Answer, json: boolean): number {
  print(json ? JSON.stringify(answer.json, null, 2) : answer.text);
  return answer.failed ? EXIT_FAILED : 0;
}

function fail(error: Error, json: boolean): number {
  const mistakes = error instanceof ConfigError ? { mistakes: error.mistakes } : {};
  process.stderr.write(
    json ? `${JSON.stringify({ error: error.message, ...mistakes })}\n` : `countersign: ${error.message}\n`,
  );
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
}

process.exitCode = await main(process.argv.slice(2));
