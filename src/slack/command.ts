import type { Done, Job, SlackDeps } from './deps.ts';

/** Carries out a `/challenge` that was kept: creates the challenge once, or tells the person alone why not. */
export function performCommand(_deps: SlackDeps, _job: Job): Promise<Done> {
  throw new Error('not there yet');
}
