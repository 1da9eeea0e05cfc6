import { setTimeout as sleep } from 'node:timers/promises';
import { challengeRoutes } from './api/challenges.ts';
import { deliveryRoutes } from './api/deliveries.ts';
import { endpointRoutes } from './api/endpoints.ts';
import { erasureRoutes } from './api/erasures.ts';
import { opsRoutes } from './api/ops.ts';
import { proofKeyRoutes } from './api/proofs.ts';
import { providerAccountRoutes } from './api/provider-accounts.ts';
import { webhookRoutes } from './api/webhooks.ts';
import { createBatches } from './challenges/batches.ts';
import { renewProofKeys } from './challenges/proof-keys.ts';
import { originOf } from './config.ts';
import type { Config } from './config.ts';
import { migrate } from './db/migrate.ts';
import { openStore } from './db/open.ts';
import type { Store } from './db/open.ts';
import { createRelay } from './deliveries/relay.ts';
import { createRetention } from './deliveries/retention.ts';
import { createApp } from './http.ts';
import type { Door } from './http.ts';
import { hmacHex } from './kernel/crypto.ts';
import { createLog, rateLimited } from './kernel/log.ts';
import { createMetrics } from './kernel/metrics.ts';
import type { Log } from './kernel/log.ts';
import { listen, portOf, stopOf } from './listen.ts';
import { createInboxRetention } from './providers/retention.ts';
import { isAway } from './kernel/unreachable.ts';
import { createJobs } from './queue.ts';
import { startOpsServer } from './ops-server.ts';
import { prepareFirstStart } from './tenants/first-start.ts';
import { findOnlyBrand } from './tenants/brand-store.ts';
import { checkCallbackSecrets } from './tenants/seals.ts';
import { createReach } from './reach.ts';
import { createBrowsers } from './verify/browser.ts';
import { oidcCallback, samlDoor } from './verify/callbacks.ts';
import { createGuesses } from './verify/guesses.ts';
import { verifyRoutes } from './verify/routes.ts';
import { assetRoutes } from './web/assets.ts';
import { createCarrier } from './slack/carry.ts';
import { slackRoutes } from './slack/routes.ts';
import { startWork } from './work.ts';
import type { WorkDeps } from './work.ts';

export type Role = 'all' | 'api' | 'worker';
export type Running = {
  /** where it listens; undefined for a worker */
  url: string | undefined;
  /** where a worker answers probes and Prometheus, if anywhere */
  opsUrl: string | undefined;
  /** the origin that people and programs reach */
  publicUrl: string;
  /** the first integration's key and secret, on the very first start only */
  firstStart: { apiKey: string; secret: string } | undefined;
  stateDir: string | undefined;
  /** Drains and closes everything, in reverse order of opening. */
  close(): Promise<void>;
};

const WAIT_FOR_STORE_MS = 2_000;
/** The composition root: builds everything once, migrates, starts what the role asks for. */
export async function serve(
  config: Config,
  role: Role = 'all',
  log: Log = createLog(config.logLevel),
): Promise<Running> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const store = await openLoudStore(config, log);
    closers.push(() => store.close());
    const retention = createRetention({ ...config, db: store.db, log });
    const inboxRetention = createInboxRetention({ ...config, db: store.db, log });
    const firstStart = await onceReachable(log, async () => {
      await migrate(store.connection);
      await retention.prepare();
      // Nothing would seem wrong with another key until the first callback, and then every callback fails.
      await checkCallbackSecrets(store, new Date(), 1);
      await renewProofKeys({ ...store, now: () => new Date() });
      return prepareFirstStart(store.db, store.sealer);
    });
    const server = role === 'worker' ? undefined : await listen(config);
    const stop = server && stopOf(server);
    if (stop) closers.push(stop);
    const publicUrl = server ? config.publicUrl.replace(/:0$/, `:${portOf(server)}`) : config.publicUrl;

    const now = () => new Date();
    const metrics = createMetrics();
    const { outbound, reachOf, checkCallbackUrl } = createReach(
      { ...config, publicUrl },
      store.bundled,
      (reused) => metrics.connectionsTotal.inc({ reused: String(reused) }),
    );
    closers.push(() => outbound.close());
    const jobs = createJobs({ redisUrl: config.redisUrl, connection: store.connection, log });
    closers.push(() => jobs.close());
    const relay = createRelay({ db: store.db, jobs, metrics, log });
    closers.push(() => relay.close());
    const { db, sealer } = store;
    const batches = createBatches(db);
    const browsers = createBrowsers({ key: cookieKey(store), secure: publicUrl.startsWith('https:'), now });
    const base = {
      ...{ db, batches, sealer, jobs, relay, wake: relay.wake, now, log, retention, inboxRetention },
      ...{ outbound, reachOf, checkCallbackUrl, browsers, publicUrl, metrics, role },
      guesses: createGuesses(),
      metricsToken: config.metricsToken,
      ...{ retryWaitsMs: config.retryWaitsMs, inFlightCap: config.inFlightCap },
      attemptRetentionDays: config.attemptRetentionDays,
    };
    const deps = { ...base, slack: createCarrier(base) };

    if (server)
      server.on(
        'request',
        createApp({
          ...{ config: { ...config, publicUrl }, log, doors: doorsOf(deps) },
          onlyBrand: () => findOnlyBrand(db).catch(() => undefined),
        }),
      );
    const ops =
      role === 'worker' && config.opsPort !== undefined
        ? await startOpsServer(config, config.opsPort, deps)
        : undefined;
    if (ops) closers.push(ops.stop);
    if (role !== 'api') closers.push(startWork(deps));
    // Stops listening before all else; requests under way and callbacks under way then end side by side.
    if (stop) closers.push(async () => void stop());
    return {
      url: server && originOf(config.host, portOf(server)),
      opsUrl: ops?.url,
      publicUrl,
      firstStart,
      stateDir: store.stateDir,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The first steps in the database, as soon as it is there: services start in any order. Other failures are thrown. */
async function onceReachable<T>(log: Log, steps: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await steps();
    } catch (error) {
      if (!isAway(error)) throw error;
      log.warn({ reason: (error as Error).message }, 'waiting for the database; will try again');
      await sleep(WAIT_FOR_STORE_MS);
    }
  }
}

/** The store, with its troubles in the log. */
function openLoudStore(config: Config, log: Log): Promise<Store> {
  return openStore(
    config,
    rateLimited((error) => log.warn({ err: error }, 'a database connection broke')),
    {
      revived: () => log.warn('the bundled PostgreSQL had stopped answering and was started again'),
      failed: rateLimited((error) =>
        log.error(
          { err: error },
          'the bundled PostgreSQL does not answer and could not be started; will try again',
        ),
      ),
    },
  );
}

type Deps = WorkDeps &
  Parameters<typeof opsRoutes>[0] &
  Parameters<typeof verifyRoutes>[0] &
  Parameters<typeof challengeRoutes>[0];

function doorsOf(deps: Deps): Door[] {
  return [
    { path: '/api/v1/challenges', router: challengeRoutes(deps) },
    { path: '/api/v1/deliveries', router: deliveryRoutes(deps) },
    { path: '/api/v1/endpoints', router: endpointRoutes(deps) },
    { path: '/api/v1/erasures', router: erasureRoutes(deps) },
    { path: '/api/v1/provider-accounts', router: providerAccountRoutes(deps) },
    { path: '/.well-known', router: proofKeyRoutes(deps) },
    { path: '/webhooks', router: webhookRoutes(deps) },
    { path: '/slack', router: slackRoutes(deps) },
    { path: '/challenge', router: verifyRoutes(deps), pages: true },
    { path: '/auth', router: oidcCallback(deps), pages: true },
    { path: '/saml', router: samlDoor(deps), pages: true },
    { path: '/assets', router: assetRoutes(deps) },
    { path: '/', router: opsRoutes(deps) },
  ];
}

/** A key for cookies alone, so that nothing signed elsewhere passes as one. */
function cookieKey({ signingKey }: Store): string {
  return hmacHex(signingKey, 'browser cookies');
}
