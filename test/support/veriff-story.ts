import { startProviderStory } from './provider-story.ts';
import type { Backend } from './server.ts';
import { startVeriff } from './veriff.ts';

/** A server whose first tenant uses Veriff in test mode, the Veriff stand-in, and a receiver of callbacks. */
export async function startVeriffStory(backend: Backend = 'postgres') {
  const story = await startProviderStory('veriff', startVeriff, { backend });
  return { ...story, veriff: story.simulator };
}

export type VeriffStory = Awaited<ReturnType<typeof startVeriffStory>>;
