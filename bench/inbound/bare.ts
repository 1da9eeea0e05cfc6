/** The yardstick: Express, the HMAC over the body's bytes, and 200; nothing is kept. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import express from 'express';

process.on('message', ({ secret }: { secret: string }) => {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.post('/webhook', express.raw({ type: () => true }), (req, res) => {
    const signature = Buffer.from(req.get('x-hmac-signature') ?? '', 'hex');
    const expected = createHmac('sha256', secret)
      .update(req.body as Buffer)
      .digest();
    const authentic = signature.length === expected.length && timingSafeEqual(signature, expected);
    res.status(authentic ? 200 : 401).json({ status: authentic ? 'ok' : 'refused' });
  });
  const server = app.listen(0, '127.0.0.1', () => {
    process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhook` });
  });
});
