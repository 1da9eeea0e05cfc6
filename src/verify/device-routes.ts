import express, { Router } from 'express';
import type { Request } from 'express';
import { tellDevice } from '../challenges/device-told.ts';
import type { SettleDeps } from '../challenges/settle.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import { deviceFacts } from './device.ts';
import type { DeviceReport } from './device.ts';
import { requireOwnSite } from './guard.ts';
import { byBrowser } from './visit.ts';
import type { VisitDeps } from './visit.ts';

const MAX_REPORT_BYTES = 2_048;
const readReport = express.json({ type: 'application/json', limit: MAX_REPORT_BYTES, inflate: false });

/** Where assets/device.js sends what the browser that pressed Continue tells about itself. */
export function deviceRoutes(deps: VisitDeps & SettleDeps): Router {
  const router = Router();
  router.post('/:id/device', readReport, async (req, res) => {
    const report = reportIn(req);
    const { challenge } = await byBrowser(deps, { req, res });
    await requireOwnSite(deps, req, challenge);
    const facts = deviceFacts(req.get('user-agent'), req.ip, report);
    if ((await tellDevice(deps, challenge, facts)) === 'late')
      throw new AppError('conflict', 'It is too late to tell about this device');
    res.status(204).end();
  });
  return router;
}

function reportIn({ body }: Request<{ id: string }>): DeviceReport {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the request body must be a JSON object of type application/json');
  return body as DeviceReport;
}
