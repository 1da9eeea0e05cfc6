import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { readAllRows } from './rows.ts';
import { startServer } from './server.ts';
import type { TestServer } from './server.ts';

/** A server for a whole test file, handed to `ready`; every test must leave all its tables exactly as they were. */
export function withUntouchedServer(ready: (server: TestServer) => void): void {
  let server: TestServer;
  let before: Awaited<ReturnType<typeof readAllRows>>;
  beforeAll(async () => {
    server = await startServer({ role: 'api' });
    ready(server);
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    before = await readAllRows(server.db);
  });
  afterEach(async () => {
    expect(await readAllRows(server.db)).toEqual(before);
  });
}
