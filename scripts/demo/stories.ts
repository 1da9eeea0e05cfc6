import type { Step } from './steps.ts';
import { veriffStory } from './veriff-story.ts';

/** Where a story plays: its directory, its steps, and whom to tell what must be closed in the end. */
export type Stage = { dir: string; step: Step; onClose: (closer: () => unknown) => void };

/** One story a provider. */
export const stories: { [provider: string]: (stage: Stage) => Promise<void> } = { veriff: veriffStory };
