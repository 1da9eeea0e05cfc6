import type { Config } from '../config.ts';
import { settings } from '../settings.ts';
import { serve } from '../serve.ts';
import type { Role, Running } from '../serve.ts';
import { UsageError } from './command.ts';
import type { Command } from './command.ts';

const ROLES: ReadonlySet<unknown> = new Set<Role>(['all', 'api', 'worker']);

export const serveCommand: Command = {
  name: 'serve',
  summary: 'Run the server (the default)',
  options: {
    role: {
      type: 'string',
      value: 'api|worker|all',
      default: 'all',
      help: 'api answers HTTP, worker delivers callbacks and sweeps, all does both (default: all)',
    },
  },
  async run(config, { role, json }) {
    if (!ROLES.has(role)) throw new UsageError('--role must be api, worker or all');
    const running = await serve(config, role as Role);
    closeOnSignal(running);
    process.stdout.write(json ? `${JSON.stringify(facts(config, running))}\n` : banner(config, running));
    return undefined;
  },
};

/** A second signal does not wait. */
function closeOnSignal(running: Running): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1));
      running.close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }
}

/** What the banner says, for programs; the key and the secret only on the first start. */
function facts({ redisUrl }: Config, { url, opsUrl, publicUrl, firstStart, stateDir }: Running): object {
  return {
    url: url ?? null,
    ops_url: opsUrl ?? null,
    public_url: publicUrl,
    state_dir: stateDir ?? null,
    queue: redisUrl ? 'redis' : 'postgresql',
    ...(firstStart ? { api_key: firstStart.apiKey, webhook_secret: firstStart.secret } : {}),
  };
}

function banner(config: Config, { url, opsUrl, publicUrl, firstStart, stateDir }: Running): string {
  const lines = [
    url ? `Countersign listens on ${url}` : 'Countersign works on the queue',
    stateDir ? `Database: bundled PostgreSQL, state in ${stateDir}` : 'Database: DATABASE_URL',
    `Queue: BullMQ on ${config.redisUrl ? 'Redis' : 'PostgreSQL'}`,
    ...(opsUrl ? [`Health and metrics on ${opsUrl}`] : []),
  ];
  return `${[...lines, ...(firstStart ? firstSteps(publicUrl, firstStart) : [])].join('\n')}\n`;
}

function firstSteps(base: string, { apiKey, secret }: { apiKey: string; secret: string }): string[] {
  return [
    '',
    'First start: a test-mode integration was made for you. Keep these; they are shown only now.',
    '',
    `  API key          ${apiKey}`,
    `  Callback secret  ${secret}`,
    '',
    'Ask for your first challenge:',
    '',
    `  curl -X POST ${base}/api/v1/challenges -H "X-API-Key: ${apiKey}" -H "Content-Type: application/json" -d '{"target_user_email":"ada@example.com","context":"Password reset, ticket 4711"}'`,
    '',
    'Open the verification_url of the answer in a browser and choose how it ends.',
    'Next: README.md, the contract at /openapi.yaml, or `npm run demo` for the whole story.',
    '',
  ];
}

/** The settings, one per line, for `--help`. */
export function settingsHelp(): string {
  const width = Math.max(...settings.map(({ name }) => name.length)) + 2;
  return settings
    .map(
      ({ name, fallback, meaning }) =>
        `  ${name.padEnd(width)}${meaning}${fallback ? ` (default: ${fallback})` : ''}`,
    )
    .join('\n');
}
