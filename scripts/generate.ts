/**
 * Makes src/generated: row types from the migrated database, API types from openapi.yaml.
 * With --check it compares instead and fails on drift.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';

const STATUS = "'initiated' | 'in-progress' | 'verified' | 'failed' | 'expired'";
const MODE = "'test' | 'live'";
/** Columns that SQL holds as text or jsonb and whose values are narrower. */
const COLUMNS = {
  'challenges.status': STATUS,
  'challenges.mode': MODE,
  'challenges.metadata': '{ [key: string]: string }',
  'challenges.device_fingerprint': '{ [key: string]: string | null } | null',
  'challenges.subject': '{ id: string; email: string | null; issuer: string } | null',
  'challenges.acts_as': "'verify' | 'deny' | 'expire' | 'incident' | null",
  'tenants.support': 'Generated<{ email?: string; phone?: string; slack?: string; url?: string }>',
  'tenants.logo_type': "'image/png' | 'image/jpeg' | 'image/webp' | null",
  'identity_providers.mode': MODE,
  'identity_providers.kind': "'oidc' | 'saml'",
  'sign_in_attempts.status': "'open' | 'answered' | 'ended'",
  'integrations.mode': MODE,
  'integrations.kind': "Generated<'webhook' | 'slack'>",
  'slack_messages.role': "'card' | 'notice'",
  'slack_messages.language': "'en' | 'de'",
  'provider_accounts.mode': MODE,
  'events.mode': MODE,
  'endpoints.mode': MODE,
  'endpoints.disabled_reason': "'failing' | 'operator' | null",
  'deliveries.status': "Generated<'pending' | 'delivered' | 'dead' | 'canceled'>",
  'deliveries.trigger': "Generated<'event' | 'resend' | 'test'>",
  'verification_sessions.status': "'opening' | 'open' | 'ended'",
};

const check = process.argv.includes('--check');
const folder = mkdtempSync(join(tmpdir(), 'countersign-generate-'));
const outputs = [
  { target: 'src/generated/database.ts', make: makeDatabaseTypes },
  { target: 'src/generated/openapi.ts', make: makeApiTypes },
];

try {
  for (const { target, make } of outputs) {
    const file = check ? join(folder, target.split('/').pop() ?? 'out.ts') : target;
    await make(file);
    if (check && readFileSync(file, 'utf8') !== readFileSync(target, 'utf8')) {
      console.error(`${target} is out of date: run \`npm run generate\` and commit the result`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function makeDatabaseTypes(file: string): Promise<void> {
  // A directory of its own directly below the temporary one, which the database's account may enter.
  const data = mkdtempSync(join(tmpdir(), 'countersign-generate-db-'));
  const postgres = await startEmbedded(data);
  try {
    await migrate(postgres.connection);
    const { user, password, database, host } = postgres.connection;
    const url = `postgres://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${host}`;
    run('kysely-codegen', [
      ...[
        '--dialect',
        'postgres',
        '--url',
        url,
        '--default-schema',
        'public',
        '--include-pattern',
        'public.*',
      ],
      ...['--overrides', JSON.stringify({ columns: COLUMNS }), '--out-file', file, '--log-level', 'error'],
    ]);
  } finally {
    await postgres.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

/** openapi-typescript does not run on the project's own TypeScript, so it gets one of its own. */
async function makeApiTypes(file: string): Promise<void> {
  run('npx', [
    ...['--yes', '-p', 'typescript@5.9.3', '-p', 'openapi-typescript@7.13.0'],
    ...['openapi-typescript', 'openapi.yaml', '--output', file],
  ]);
}

/** Quiet unless it fails: kysely-codegen warns about the project's own TypeScript and then does the right thing. */
function run(command: string, args: string[]): void {
  const { status, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH}` },
  });
  if (status !== 0) throw new Error(`${command} failed:\n${stderr}`);
}
