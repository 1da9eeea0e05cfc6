import type { RequestHandler } from 'express';

/** Stands before a door of pages: search engines keep nothing of them. */
export const asPages: RequestHandler = (_req, res, next) => {
  res.set('X-Robots-Tag', 'noindex, nofollow');
  next();
};
