import { sealContext as proofKeyContext } from '../challenges/proof-keys.ts';
import { listProofKeys } from '../challenges/proof-keys-store.ts';
import type { Config } from '../config.ts';
import { readClock, readVersion } from '../db/health.ts';
import { pendingMigrations } from '../db/migrate.ts';
import { openStore } from '../db/open.ts';
import type { Store } from '../db/open.ts';
import { summarizeBacklog } from '../deliveries/backlog-store.ts';
import { acceptedSettings, openAccount } from '../providers/account.ts';
import { summarizeInbox } from '../providers/inbox-store.ts';
import { listAccounts } from '../providers/store.ts';
import { checkRedis } from '../queue.ts';
import { openIdp } from '../signin/idp.ts';
import type { Finding as Check } from '../signin/method.ts';
import { listIdps } from '../signin/store.ts';
import { openWorkspace } from '../slack/workspace.ts';
import { listConnected } from '../slack/workspaces-store.ts';
import { checkCallbackSecrets } from '../tenants/seals.ts';
import type { Command } from './command.ts';
import { checkIdps } from './doctor-idps.ts';
import { checkSlack } from './doctor-slack.ts';

const MIN_POSTGRES = 150_000;
const MAX_CLOCK_SKEW_MS = 2_000;
const MAX_OVERDUE_MS = 60_000;
const SECRETS_CHECKED = 10_000;
const HOUR_MS = 3_600_000;

export const doctor: Command = {
  name: 'doctor',
  summary:
    'Check settings, database, queue, keys, clock, IdPs and Slack; says what to do about what is wrong',
  options: {},
  async run(config) {
    const checks = [
      checkPublicUrl(config),
      await attempt('queue', () => checkQueue(config)),
      ...(await checkDatabase(config)),
    ];
    const failed = checks.some((check) => check.state === 'fail');
    const text = checks
      .map(({ state, name, detail }) => `${state.padEnd(5)}${name.padEnd(14)}${detail}`)
      .join('\n');
    return { json: { ok: !failed, checks }, text, failed };
  },
};

function checkPublicUrl({ publicUrl }: Config): Check {
  const name = 'public url';
  if (publicUrl.startsWith('https:')) return { name, state: 'ok', detail: publicUrl };
  return {
    name,
    state: 'warn',
    detail: `${publicUrl}: fine for trying out; live mode and providers need https, set PUBLIC_URL`,
  };
}

async function checkQueue({ redisUrl }: Config): Promise<Check> {
  if (!redisUrl) return { name: 'queue', state: 'ok', detail: 'on PostgreSQL' };
  const policy = await checkRedis(redisUrl);
  if (policy === 'noeviction') return { name: 'queue', state: 'ok', detail: 'on Redis' };
  return {
    name: 'queue',
    state: 'warn',
    detail: `Redis may evict jobs (maxmemory-policy ${policy}); set it to noeviction`,
  };
}

async function checkDatabase(config: Config): Promise<Check[]> {
  let store: Store | undefined;
  try {
    store = await openStore(config, () => undefined);
    const open = store;
    const pending = await pendingMigrations(open.connection); // first of all, because it explains why it cannot connect
    const first = await attempt('database', () => checkVersion(open));
    if (first.state === 'fail') return [first];
    if (pending.length > 0) {
      return [
        first,
        {
          name: 'migrations',
          state: 'fail',
          detail: `${pending.length} to apply; run \`countersign migrate\``,
        },
      ];
    }
    return [
      first,
      { name: 'migrations', state: 'ok', detail: 'up to date' },
      await attempt('clock', () => checkClock(open)),
      await attempt('encryption', () => checkSeals(open)),
      await attempt('deliveries', () => checkDeliveries(open)),
      await attempt('webhooks', () => checkInbox(open)),
      await attempt('sign-in', () => checkIdps(open, config)),
      await attempt('slack', () => checkSlack(open, config)),
    ];
  } catch (error) {
    return [{ name: 'database', state: 'fail', detail: (error as Error).message }];
  } finally {
    await store?.close();
  }
}

async function attempt(name: string, check: () => Promise<Check>): Promise<Check> {
  return check().catch((error: unknown) => ({ name, state: 'fail', detail: (error as Error).message }));
}

async function checkVersion({ db, bundled }: Store): Promise<Check> {
  const { number, text } = await readVersion(db);
  const version = `PostgreSQL ${text}${bundled ? ', bundled' : ''}`;
  if (number >= MIN_POSTGRES) return { name: 'database', state: 'ok', detail: version };
  return { name: 'database', state: 'fail', detail: `${version} is too old; 15 or newer is needed` };
}

async function checkClock({ db }: Store): Promise<Check> {
  const skew = Math.abs(Date.now() - (await readClock(db)).getTime());
  if (skew <= MAX_CLOCK_SKEW_MS) return { name: 'clock', state: 'ok', detail: 'agrees with the database' };
  return { name: 'clock', state: 'warn', detail: `${skew} ms away from the database's; run NTP on both` };
}

async function checkSeals(store: Store): Promise<Check> {
  const { db, sealer } = store;
  const secrets = await checkCallbackSecrets(store, new Date(), SECRETS_CHECKED);
  const accounts = await listAccounts(db);
  for (const account of accounts) acceptedSettings(sealer, openAccount(sealer, account), new Date());
  const idps = await listIdps(db);
  for (const idp of idps) openIdp(sealer, idp);
  const workspaces = await listConnected(db);
  for (const workspace of workspaces) openWorkspace(sealer, workspace);
  const keys = await listProofKeys(db);
  for (const { kid, private_sealed } of keys) {
    if (private_sealed !== null) sealer.unseal(private_sealed, proofKeyContext(kid));
  }
  const opened = [
    `${secrets} callback secret(s)`,
    `${accounts.length} provider account(s)`,
    `${idps.length} IdP(s)`,
    `${workspaces.length} Slack workspace(s)`,
    `${keys.length} proof key(s)`,
  ];
  return { name: 'encryption', state: 'ok', detail: `the key opens ${opened.join(', ')}` };
}

async function checkInbox({ db }: Store): Promise<Check> {
  const name = 'webhooks';
  const now = Date.now();
  const { overdue, refused } = await summarizeInbox(db, {
    before: new Date(now - MAX_OVERDUE_MS),
    since: new Date(now - HOUR_MS),
  });
  if (overdue > 0)
    return { name, state: 'fail', detail: `${overdue} kept and not handled; is a worker running?` };
  if (refused === 0) return { name, state: 'ok', detail: 'all handled, none refused in the last hour' };
  const detail = `${refused} refused in the last hour; see \`countersign webhook list --outcome refused\``;
  return { name, state: 'warn', detail };
}

async function checkDeliveries({ db }: Store): Promise<Check> {
  const { oldestDue, dead } = await summarizeBacklog(db, new Date());
  const overdue = oldestDue ? Date.now() - oldestDue.getTime() : 0;
  if (overdue > MAX_OVERDUE_MS) {
    return {
      name: 'deliveries',
      state: 'fail',
      detail: `the oldest is ${Math.round(overdue / 1_000)} s overdue; is a worker running?`,
    };
  }
  return {
    name: 'deliveries',
    state: dead > 0 ? 'warn' : 'ok',
    detail: `none overdue, ${dead} given up`,
  };
}
