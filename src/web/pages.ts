import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { RequestHandler } from 'express';

/** Less would hardly become smaller. */
const MIN_BYTES = 1_024;
/** For a few kilobytes nearly as small as by default, in a hundredth of the time: most of that goes into the window. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 16 } };

/** Stands before a door of pages: search engines keep nothing of them, and they travel compressed. */
export const asPages: RequestHandler = (req, res, next) => {
  res.set('X-Robots-Tag', 'noindex, nofollow');
  const send = res.send.bind(res);
  res.send = (body: unknown) => {
    if (typeof body !== 'string' || body.length < MIN_BYTES) return send(body);
    // Express takes bytes for a download.
    if (!res.get('Content-Type')) res.type('html');
    res.vary('Accept-Encoding');
    if (req.acceptsEncodings('br')) return send(encoded(brotliCompressSync(body, BROTLI), 'br'));
    return req.acceptsEncodings('gzip') ? send(encoded(gzipSync(body), 'gzip')) : send(body);
  };
  const encoded = (bytes: Buffer, encoding: string) => {
    res.set('Content-Encoding', encoding);
    return bytes;
  };
  next();
};
