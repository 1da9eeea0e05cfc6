import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { CHALLENGE_ID, KEY } from '../fixtures/passbase/vectors.ts';
import { startSink } from './sink.ts';

export const API_KEY = 'sk_of_the_project';

/** An identity that is approved, with the person that Passbase shows. */
export const identity = (fields: object = {}) => ({
  ...{ id: KEY, status: 'approved', score: 0.97, created: 1767261600, updated: 1767265200 },
  owner: { first_name: 'ADA', last_name: 'EXAMPLE', email: 'ada@example.com' },
  resources: [{ type: 'PASSPORT', datapoints: { document_number: 'X1' } }],
  metadata: { challenge_id: CHALLENGE_ID },
  watchlist: { clean: true, listings: {}, media: [], sources: [], types: [] },
  ...fields,
});

/** Stands where Passbase's API would be, for a whole test file, and answers whatever a test says. */
export function withPassbaseAnswers() {
  const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
  let sink: Awaited<ReturnType<typeof startSink>>;
  beforeAll(async () => {
    sink = await startSink();
  });
  beforeEach(() => {
    sink.received.length = 0;
  });
  afterAll(async () => {
    await outbound.close();
    await sink.close();
  });
  return {
    http: { outbound, reach: { http: true, loopback: true } },
    get sink() {
      return sink;
    },
    get settings() {
      return { api_key: API_KEY, base_url: `${new URL(sink.url).origin}/verification/v2` };
    },
    /** Lets Passbase answer this to everything. */
    answer(json: unknown, status = 200, headers: object = {}): void {
      const text = typeof json === 'string' ? json : JSON.stringify(json);
      sink.answerWith((response) => response.writeHead(status, { ...headers }).end(text));
    },
  };
}
