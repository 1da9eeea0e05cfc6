import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createBatches } from '../../src/challenges/batches.ts';
import { createSealer } from '../../src/kernel/crypto.ts';
import { createOutbound } from '../../src/kernel/outbound.ts';
import { createCommandLimits } from '../../src/slack/command-limits.ts';
import { performCommand, takeCommand } from '../../src/slack/command.ts';
import type { Job, SlackDeps } from '../../src/slack/deps.ts';
import { giveReply } from '../../src/slack/reply.ts';
import { openWorkspace } from '../../src/slack/workspace.ts';
import { findWorkspace } from '../../src/slack/workspaces-store.ts';
import { insertTenant } from '../../src/tenants/store.ts';
import { createDatabase } from '../support/database.ts';
import { connectSlack, startSlack } from '../support/slack.ts';
import type { Slack } from '../support/slack.ts';

/** All that live mode is made of, but that Slack may be on this machine. */
let deps: SlackDeps & { limits: ReturnType<typeof createCommandLimits> };
let slack: Slack;
let close: () => Promise<void>;
beforeAll(async () => {
  const database = await createDatabase();
  const { db } = database;
  const outbound = createOutbound({ allowedCidrs: ['127.0.0.0/8'], userAgent: 'test' });
  slack = await startSlack();
  deps = {
    ...{ db, outbound, batches: createBatches(db), sealer: createSealer([randomBytes(32)]) },
    ...{ publicUrl: 'https://verify.example.com', limits: createCommandLimits() },
    ...{ now: () => new Date(), wake: () => undefined, checkCallbackUrl: () => undefined },
    reachOf: () => ({ http: true, loopback: true }),
  };
  close = async () => {
    await outbound.close();
    await slack.close();
    await database.close();
  };
});
afterAll(() => close());

/** What is kept to be done, as the delivery engine hands it out. */
async function jobOf(type: 'slack.command' | 'slack.reply'): Promise<Job> {
  const event = await deps.db
    .selectFrom('events')
    .select(['id as event_id', 'body', 'challenge_id'])
    .where('type', '=', type)
    .executeTakeFirstOrThrow();
  return event as unknown as Job;
}

test('where nobody can pass, because nothing is set up to sign in with, whoever types a command hears so', async () => {
  const tenant_id = await insertTenant(deps.db, 'Acme');
  const instance = await connectSlack(deps, slack, { mode: 'live', tenant_id });
  const workspace = openWorkspace(deps.sealer, (await findWorkspace(deps.db, instance))!)!;
  const typed = { user: slack.users.grace, text: `<@${slack.users.ada}> New phone`, trigger: 'live' };
  const response_url = `${slack.url}/response/live`;
  expect(await takeCommand(deps, workspace, { ...typed, response_url })).toMatchObject({ outcome: 'taken' });
  expect(await performCommand(deps, await jobOf('slack.command'))).toMatchObject({ called: true });
  expect(await giveReply(deps, await jobOf('slack.reply'))).toEqual({ called: true, note: 'answered' });
  expect(slack.ephemerals.map(({ text }) => text)).toEqual([
    'The person is asked, but no identity provider is set up for live mode, so nobody can pass this challenge.\nTell whoever set up the app.',
  ]);
  // Erased with the challenge that it is about.
  const { challenge_id } = await jobOf('slack.command');
  expect(challenge_id).not.toBeNull();
  expect((await jobOf('slack.reply')).challenge_id).toBe(challenge_id);
});
