import type { Done, Job, SlackDeps } from './deps.ts';

/** Gives an answer that was kept to the person it is for, so that only they see it. */
export function giveReply(_deps: SlackDeps, _job: Job): Promise<Done> {
  throw new Error('not there yet');
}
