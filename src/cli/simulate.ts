import { SANDBOX } from '../challenges/choice.ts';
import type { Config } from '../config.ts';
import type { Db } from '../db/database.ts';
import type { Store } from '../db/open.ts';
import { hostOf, isLocalhost, parseUrl, portOf as urlPort } from '../kernel/address.ts';
import { AppError } from '../kernel/errors.ts';
import { openAccount } from '../providers/account.ts';
import { findProvider } from '../providers/index.ts';
import { webhookUrlOf } from '../providers/log.ts';
import type { Provider, Settings } from '../providers/provider.ts';
import { findAccountOf, saveAccount, sealContext } from '../providers/store.ts';
import { createReach } from '../reach.ts';
import { simulators } from '../simulators/index.ts';
import type { Simulator } from '../simulators/simulator.ts';
import { saveTenantMode } from '../tenants/modes-store.ts';
import { UsageError, withTenant } from './command.ts';
import type { Command, Values } from './command.ts';
import { defaultProvider } from './provider-text.ts';
import { untilServersNoticed } from './rotation.ts';
import { isServedAt } from './simulate-server.ts';
import { notServedText, simulationText, stoppingText } from './simulate-text.ts';
import type { Simulation } from './simulate-text.ts';
import { portOption, portOf, TRAVEL_OPTIONS, travelOf } from './simulate-options.ts';

const FIRST_PORT = 4810;

/** `simulate …`, one command per provider that can be played. */
export const simulateCommands: Command[] = Object.keys(simulators).map((name, index) =>
  simulate(name, FIRST_PORT + index),
);

function simulate(name: string, port: number): Command {
  const label = providerOf(name).label;
  return {
    name: `simulate ${name}`,
    summary: `Play ${label} on this machine, for test mode; prints all that happens until Ctrl-C`,
    options: {
      port: portOption(port),
      ...TRAVEL_OPTIONS,
      replace: {
        type: 'boolean',
        default: false,
        help: `Let go of the ${label} account that test mode has now`,
      },
    },
    async run(config, values) {
      const tell = (line: string) => {
        const out = values.json ? process.stderr : process.stdout;
        out.write(`${new Date().toISOString().slice(11, 19)}  ${line}\n`);
      };
      const simulation = await startSimulation(name, config, values, tell);
      const { simulator, accountId, webhookUrl, byDefault } = simulation;
      const facts = {
        provider: name,
        url: simulator.url,
        account_id: accountId,
        webhook_url: webhookUrl,
        default_provider: byDefault,
      };
      if (!simulation.served) process.stderr.write(notServedText(config, simulation));
      process.stdout.write(
        values.json ? `${JSON.stringify(facts)}\n` : simulationText(name, config, simulation),
      );
      closeOnSignal(simulator, stoppingText(name, simulation));
      return undefined;
    },
  };
}

/** Starts to play a provider and points the first tenant's test-mode account at it; throws when that cannot work. */
export async function startSimulation(
  name: string,
  config: Config,
  values: Values,
  tell: (line: string) => void,
): Promise<Simulation> {
  const port = portOf(values);
  const travel = travelOf(values);
  return withTenant(config, async (store, tenant_id) => {
    const provider = providerOf(name);
    const place = { tenant_id, provider: name, mode: 'test' } as const;
    const existing = await findAccountOf(store.db, place);
    const known = existing && openAccount(store.sealer, existing).settings;
    const isOurs = known !== undefined && isLocal(provider, known);
    if (known && !isOurs && !values.replace) throw new UsageError(wouldReplace(name, provider));
    await checkReach(config, store, port);

    const simulator = await start(name, { port, tell, ...(isOurs ? { settings: known } : {}) });
    try {
      const seal = (id: string) =>
        store.sealer.seal(JSON.stringify(simulator.settings), sealContext.settings(id));
      // A list of the real provider's addresses would keep a simulator out.
      const lists = isOurs ? {} : { allowed_ips: [] };
      const accountId = await store.db.transaction().execute(async (tx) => {
        await keepSandbox(tx, tenant_id);
        return saveAccount(tx, place, seal, lists);
      });
      const webhookUrl = webhookUrlOf(config.publicUrl, { provider: name, id: accountId });
      simulator.sendWebhooksTo(webhookUrl);
      simulator.behave(travel);
      await untilServersNoticed();
      const byDefault = (await defaultProvider(store.db, place)) ?? SANDBOX;
      const served = await isServedAt(webhookUrl);
      return { label: provider.label, simulator, accountId, webhookUrl, byDefault, served };
    } catch (error) {
      await simulator.close();
      throw error;
    }
  });
}

/** The account stays when its simulator is gone, so being the first must not make it the one that all challenges go to. */
async function keepSandbox(db: Db, tenant_id: string): Promise<void> {
  if ((await defaultProvider(db, { tenant_id, mode: 'test' })) === null)
    await saveTenantMode(db, tenant_id, 'test', { default_provider: SANDBOX });
}

function providerOf(name: string): Provider {
  const provider = findProvider(name);
  if (!provider) throw new Error(`there is no provider ${name}`);
  return provider;
}

/** Whether an account calls nobody but this machine: only a simulator is there. */
function isLocal({ fields }: Provider, settings: Settings): boolean {
  const called = Object.keys(fields).filter((field) => fields[field]?.called);
  return called.every((field) => {
    const url = parseUrl(settings[field] ?? '');
    const host = url ? hostOf(url) : '';
    return isLocalhost(host) || host === '::1' || /^127\.[\d.]+$/.test(host);
  });
}

function wouldReplace(name: string, { label }: Provider): string {
  return (
    `test mode has an account at the real ${label}; with --replace the simulator takes its place, ` +
    `and \`countersign provider set ${name}\` must be run again to go back`
  );
}

/** Throws unless the server, under these settings, may call what listens on this machine. */
async function checkReach(config: Config, { bundled }: Store, port: number): Promise<void> {
  const reach = createReach(config, bundled);
  try {
    reach.checkCallbackUrl(`http://127.0.0.1:${port}`, 'test', 'The simulator');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new UsageError(
      urlPort(new URL(config.publicUrl)) === port
        ? `port ${port} is the server's own; choose another with --port`
        : `the server would refuse to call a simulator at 127.0.0.1: without the bundled database, start both the server and this command with OUTBOUND_ALLOWED_CIDRS=127.0.0.0/8`,
    );
  } finally {
    await reach.outbound.close();
  }
}

async function start(
  name: string,
  options: { port: number; tell: (line: string) => void; settings?: Settings },
) {
  const startOne = simulators[name];
  if (!startOne) throw new Error(`nobody plays ${name}`);
  try {
    return await startOne(options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new UsageError(`port ${options.port} cannot be used (${code}); choose another with --port`);
    throw error;
  }
}

/** A second signal does not wait for webhooks under way. */
function closeOnSignal(simulator: Simulator, text: string): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(1));
      process.stderr.write(text);
      void simulator.close().then(() => process.exit(0));
    });
  }
}
