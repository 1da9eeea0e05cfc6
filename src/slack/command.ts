import { preflight } from '../challenges/choice.ts';
import { findAnswer } from '../challenges/create.ts';
import type { Created } from '../challenges/create.ts';
import { DEFAULT_REQUESTER } from '../challenges/input.ts';
import { slackEndpointOf } from '../deliveries/endpoint.ts';
import { AppError } from '../kernel/errors.ts';
import { findCallerOf } from '../tenants/store.ts';
import type { Caller } from '../tenants/store.ts';
import { escaped, parseCommand } from './command-input.ts';
import type { Named } from './command-input.ts';
import type { CommandLimits } from './command-limits.ts';
import { createFor } from './create.ts';
import { clientOf, openConnected } from './deps.ts';
import type { Done, Job, SlackDeps } from './deps.ts';
import { SlackError } from './error.ts';
import { keep, openKept } from './kept.ts';
import { linkCommand } from './outbox-store.ts';
import { findPeople } from './people.ts';
import { keepReply } from './reply.ts';
import type { Workspace } from './workspace.ts';

/** `/challenge` as Slack sends it: who typed what, and where to answer. */
export type Command = { user: string; trigger: string; response_url: string; text: string };
type KeptCommand = Omit<Command, 'text'> & {
  instance: string;
  target: Named;
  reason: string | null;
  /** when it was typed, in milliseconds */
  at: number;
};

/** Then the person has long asked in another way, and would be surprised. */
const MAX_AGE_MS = 10 * 60_000;
const LATE =
  'Nothing was created: it took too long, because Slack or this server was not available. Ask again if it still matters.';
const BROKEN =
  'Nothing was created: Slack refuses what the app asks. Tell whoever set it up; `countersign slack test` says what is wrong.';

/** Takes a `/challenge` that is authentic: keeps it once, or says how to ask (`usage`) or when (`too_many`); `text` is for the person alone. */
export async function takeCommand(
  { db, sealer, now, wake, limits }: SlackDeps & { limits: CommandLimits },
  workspace: Workspace,
  { text, ...command }: Command,
): Promise<{ outcome: 'taken' | 'repeated' | 'usage' | 'too_many'; text: string }> {
  const asked = parseCommand(text);
  if ('usage' in asked) return { outcome: 'usage', text: asked.usage };
  const refusal = await limits.refusalOf({ ...command, ...asked, instance: workspace.id });
  if (refusal !== undefined) return { outcome: 'too_many', text: refusal };
  const at = now();
  const content: KeptCommand = { ...command, ...asked, instance: workspace.id, at: at.getTime() };
  const item = { type: 'slack.command', name: command.trigger, challenge_id: null, content } as const;
  const kept = await db.transaction().execute((tx) => keep(tx, sealer, workspace, item, at));
  if (kept) wake([slackEndpointOf(workspace.id)]);
  const name = 'user' in asked.target ? `<@${asked.target.user}>` : escaped(asked.target.email);
  return {
    outcome: kept ? 'taken' : 'repeated',
    text: `${name} will be asked to confirm that it is them. You will get a message from me with how it goes.`,
  };
}

/** Carries out a `/challenge` that was kept: creates the challenge once, or tells the person alone why not. */
export async function performCommand(deps: SlackDeps, job: Job): Promise<Done> {
  if (job.challenge_id !== null)
    return { called: false, note: `it was carried out before: ${job.challenge_id}` };
  const command = openKept(deps, job) as KeptCommand;
  const caller = await findCallerOf(deps.db, command.instance);
  if (!caller) throw new Error('a command of an integration that is not there');
  // What comes of it is news from now on: however late, nobody is to go on waiting.
  const at = deps.now().getTime();
  const tell = (text: string, challenge_id: string | null = null) =>
    keepReply(deps, { ...caller, id: command.instance }, { ...command, challenge_id, at }, text);
  try {
    const created = await createOf(deps, caller, command);
    if (!created) {
      await tell(LATE);
      return { called: false, note: 'it came too late, and the person was told to ask again' };
    }
    const { challenge_id, warnings = [] } = created;
    if (warnings.length > 0) await tell(warningOf(warnings), challenge_id);
    await linkCommand(deps.db, job.event_id, challenge_id);
    return { called: true, note: `created ${challenge_id}` };
  } catch (error) {
    if (error instanceof SlackError && error.kind === 'refused') await tell(BROKEN);
    if (!(error instanceof AppError)) throw error;
    await tell(`Nothing was created: ${escaped(toPerson(error))}.`);
    return { called: true, note: `nothing was created: ${error.message}` };
  }
}

/** Undefined: it is too late, and nothing was created before it was. */
async function createOf(
  deps: SlackDeps,
  caller: Caller,
  { instance, user, trigger, target, reason, at }: KeptCommand,
): Promise<Created | undefined> {
  const slack = { instance_id: instance, requester_user_id: user, requester_email: null };
  const input = {
    target_user_id: 'user' in target ? target.user : null,
    target_user_email: 'email' in target ? target.email : null,
    ...{ context: reason, requester_id: DEFAULT_REQUESTER, metadata: {}, expiryMinutes: undefined, slack },
    ...{ ticket: null, callback_url: null, provider: null, return_url: null },
  };
  const key = `slack:${trigger}`;
  // The first try may have ended between creating it and saying so.
  const first = await findAnswer(deps, caller, { input, key });
  if (first) return first;
  if (deps.now().getTime() - at > MAX_AGE_MS) return undefined;
  const workspace = await openConnected(deps, instance);
  const people = await findPeople(clientOf(deps, workspace), workspace, input, slack);
  const request = { input, key, workspace, people };
  const { answer } = await createFor(deps, caller, request, { actor: 'slack', warnings: preflight(caller) });
  return answer;
}

/** What a program is told by the names of fields, for a person. */
function toPerson({ message, field = '' }: AppError): string {
  const named = field.startsWith('target_user') ? 'the person you named' : 'your account';
  return field === '' ? message : message.replace(field, named);
}

/** What a program is told in `warnings`, for a person. */
function warningOf(warnings: readonly string[]): string {
  const said = warnings.map((warning) => `The person is asked, but ${warning}.`);
  return [...said, 'Tell whoever set up the app.'].join('\n');
}
