import { rmSync } from 'node:fs';
import type { TestCluster } from './global-setup.ts';

/** Stops what global-setup started. */
export default async function tearDown(): Promise<void> {
  const { testCluster } = globalThis as { testCluster?: TestCluster };
  await testCluster?.postgres.stop();
  if (testCluster) rmSync(testCluster.folder, { recursive: true, force: true });
}
