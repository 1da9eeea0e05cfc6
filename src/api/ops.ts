import { readFileSync } from 'node:fs';
import { Router } from 'express';
import type { Request, Response } from 'express';
import type { Db } from '../db/database.ts';
import { measureBacklog, measureOldestDue } from '../deliveries/backlog-store.ts';
import type { Backlog } from '../deliveries/backlog-store.ts';
import { safeEqual } from '../kernel/crypto.ts';
import { AppError } from '../kernel/errors.ts';
import { rateLimited } from '../kernel/log.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { allow } from '../web/allow.ts';

const SPEC = new URL('../../openapi.yaml', import.meta.url);
/** Where a process that delivers stops being ready: a sweep comes by every second. */
const LATE_SECONDS = 60;
/** How long a measurement is used, however many ask. */
const MEASURED_MS = 1_000;
/** Probes and scrapes have deadlines of their own; a database that is slower than this counts as away. */
const ANSWER_MS = 3_000;

export type OpsDeps = {
  db: Db;
  metrics: Metrics;
  role: 'all' | 'api' | 'worker';
  now: () => Date;
  metricsToken: string | undefined;
  log: Log;
};

/** For operators and whoever looks: what this is, its contract, and how it is. */
export function opsRoutes(deps: OpsDeps & { publicUrl: string }): Router {
  const spec = readFileSync(SPEC, 'utf8');
  const router = healthRoutes(deps);
  router.get('/', (_req, res) => {
    res.type('text/plain').send(`Countersign is running.\nThe contract: ${deps.publicUrl}/openapi.yaml\n`);
  });
  router.get('/openapi.yaml', (_req, res) => {
    res.type('application/yaml').send(spec);
  });
  for (const path of ['/', '/openapi.yaml']) router.all(path, allow('GET'));
  return router;
}

/** For load balancers and Prometheus, all that a worker answers: is it up, does the work get done, and in numbers. */
export function healthRoutes({ db, metrics, role, now, metricsToken, log }: OpsDeps): Router {
  const report = rateLimited((error) => log.warn({ err: error }, 'the deliveries could not be measured'));
  const oldestDue = shared(() => measureOldestDue(db, now()), report);
  const backlog = shared(() => measureBacklog(db, now()), report);
  const router = Router();
  router.get('/healthz', (_req, res) => {
    res.json({ status: 'ok' });
  });
  router.get('/readyz', async (_req, res) => {
    const seconds = await oldestDue();
    if (seconds === undefined) return void res.status(503).json({ status: 'database unavailable' });
    const oldest_due_seconds = Math.floor(seconds);
    const late = role !== 'api' && oldest_due_seconds > LATE_SECONDS;
    res.status(late ? 503 : 200).json({ status: late ? 'deliveries are late' : 'ok', oldest_due_seconds });
  });
  router.get('/metrics', async (req, res) => {
    if (metricsToken !== undefined) checkToken(req, res, metricsToken);
    showBacklog(metrics, await backlog());
    res.set('Content-Type', metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  for (const path of ['/healthz', '/readyz', '/metrics']) router.all(path, allow('GET'));
  return router;
}

function checkToken(req: Request, res: Response, token: string): void {
  const [, given = ''] = /^Bearer +(.+)$/i.exec(req.get('authorization') ?? '') ?? [];
  if (safeEqual(given, token)) return;
  res.set('WWW-Authenticate', 'Bearer realm="metrics"');
  throw new AppError('unauthorized', 'Invalid or missing metrics token');
}

/** What was measured, or nothing at all: an old number would look like a calm one. */
function showBacklog(metrics: Metrics, backlog: Backlog | undefined): void {
  if (!backlog) {
    for (const gauge of [metrics.backlog, metrics.endpoints, metrics.deadTupleRatio]) gauge.reset();
    for (const gauge of [metrics.oldestDueSeconds, metrics.deadTotal, metrics.oldestTransactionSeconds])
      gauge.remove();
    return;
  }
  for (const [lane, count] of Object.entries(backlog.due)) metrics.backlog.set({ lane }, count);
  for (const [state, count] of Object.entries(backlog.endpoints)) metrics.endpoints.set({ state }, count);
  for (const [table, ratio] of Object.entries(backlog.deadTupleRatios))
    metrics.deadTupleRatio.set({ table }, ratio);
  metrics.oldestDueSeconds.set(backlog.oldestDueSeconds);
  metrics.deadTotal.set(backlog.dead);
  metrics.oldestTransactionSeconds.set(backlog.oldestTransactionSeconds);
}

/**
 * Calls share one measurement, while it runs and for a second afterwards; undefined when it fails or takes too long. A
 * slow one is never begun twice: each would hold a connection that deliveries need.
 */
function shared<T>(measure: () => Promise<T>, report: (error: unknown) => void) {
  let last: Promise<T | undefined> | undefined;
  return (): Promise<T | undefined> => {
    if (last) return last;
    const measured = measure();
    const forget = () => void setTimeout(() => (last = undefined), MEASURED_MS).unref();
    measured.then(forget, forget);
    last = inTime(measured).catch((error: unknown) => {
      report(error);
      return undefined;
    });
    return last;
  };
}

function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database did not answer in time')), ANSWER_MS);
  });
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer));
}
