import type { Request } from 'express';
import { allowsUrl } from '../tenants/domains.ts';

const FRAMES = new Set(['iframe', 'frame', 'embed', 'object', 'fencedframe']);

/** Whether the browser says that the page is for a frame. One that does not say is held by frame-ancestors alone. */
export function isFramed(req: Request): boolean {
  return FRAMES.has(req.get('sec-fetch-dest') ?? '');
}

/** Whether the browser asks for a page, or does not say what for. */
export function isNavigation(req: Request): boolean {
  const dest = req.get('sec-fetch-dest');
  return dest === undefined || dest === 'document' || isFramed(req);
}

/** Whether it is one of our own pages, already in a frame, that goes on to the next. */
export function isOwnStep(req: Request): boolean {
  return isFramed(req) && req.get('sec-fetch-site') === 'same-origin';
}

/** Whether some other page puts this one into a frame. */
export function isFromOutside(req: Request): boolean {
  return isFramed(req) && !isOwnStep(req);
}

/** Whether the page that embeds this one is on the list. A page that does not say which it is is not. */
export function isEmbeddedBy(req: Request, domains: readonly string[]): boolean {
  return allowsUrl(domains, req.get('referer') ?? '');
}
