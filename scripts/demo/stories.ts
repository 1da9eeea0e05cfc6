import { simulators } from '../../src/simulators/index.ts';
import { oidcStory } from './oidc-story.ts';
import { providerStory } from './provider-story.ts';
import { slackStory } from './slack-story.ts';
import type { Step } from './steps.ts';

/** Where a story plays: its directory, its steps, and whom to tell what must be closed in the end. */
export type Stage = { dir: string; step: Step; onClose: (closer: () => unknown) => void };

/** One story a provider, one of signing in, and one of being asked in Slack. */
export const stories: { [provider: string]: (stage: Stage) => Promise<void> } = {
  ...Object.fromEntries(
    Object.entries(simulators).map(([name, start]) => [
      name,
      (stage: Stage) => providerStory(name, () => start(), stage),
    ]),
  ),
  oidc: oidcStory,
  slack: slackStory,
};
