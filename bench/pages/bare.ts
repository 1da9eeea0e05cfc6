/** The yardstick: Express and one page as a constant; nothing is looked up, nothing is rendered. */
import type { AddressInfo } from 'node:net';
import express from 'express';

process.on('message', ({ html }: { html: string }) => {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  app.get('/challenge/start/:id', (_req, res) => {
    res.type('html').send(html);
  });
  const server = app.listen(0, '127.0.0.1', () => {
    process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  });
});
