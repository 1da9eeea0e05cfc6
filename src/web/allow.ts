import type { RequestHandler } from 'express';
import { AppError } from '../kernel/errors.ts';

/** Stands last on a path, as `router.all(path, allow('GET'))`: any other method is answered 405 with Allow. GET includes HEAD. */
export function allow(...methods: ('GET' | 'POST')[]): RequestHandler {
  const names = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  return (_req, res) => {
    res.set('Allow', names.join(', '));
    throw new AppError('method_not_allowed', `Use ${names.join(' or ')} here`);
  };
}
