import { setTimeout as sleep } from 'node:timers/promises';
import { actorOf, checkRequest, createChallenge, createOnce, findAnswer } from '../challenges/create.ts';
import type { About, Addition, Created } from '../challenges/create.ts';
import { DEFAULT_REQUESTER } from '../challenges/input.ts';
import type { CreateChallenge, SlackWish } from '../challenges/input.ts';
import { recordAudit } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { slackEndpointOf } from '../deliveries/endpoint.ts';
import { insertMessage } from '../deliveries/messages-store.ts';
import type { NewMessage } from '../deliveries/messages-store.ts';
import { AppError, invalid } from '../kernel/errors.ts';
import type { Sealer } from '../kernel/crypto.ts';
import type { Caller } from '../tenants/store.ts';
import { clientOf } from './deps.ts';
import type { SlackDeps } from './deps.ts';
import { asUnavailable, SlackError } from './error.ts';
import { findPeople } from './people.ts';
import type { People } from './people.ts';
import { openWorkspace } from './workspace.ts';
import type { Workspace } from './workspace.ts';
import { listWorkspaces } from './workspaces-store.ts';

type Request = { input: CreateChallenge & { slack: SlackWish }; key?: string | undefined };

/** Programs tend to wait for 10 seconds. */
const ASK_MS = 8_000;
const NOBODY_TOLD =
  'nobody is told how it ends: no person asks, the workspace has no channel for results and the request no callback_url';
const NO_EMAIL =
  'Slack shows no e-mail address of this person, so nobody who signs in can be matched with them; the app needs the scope users:read.email';

/**
 * Creates a challenge that is put to the person in Slack: finds out who is meant, then writes challenge and messages in
 * one transaction. A 400 names the field of whoever is not there; a 503 says that Slack does not tell.
 */
export async function createInSlack(
  deps: SlackDeps,
  caller: Caller,
  { input, key }: Request,
  about: About = {},
): Promise<{ answer: Created; replayed: boolean }> {
  // Before Slack is asked: what was answered once is answered again, whatever has become of Slack since.
  const first = key === undefined ? undefined : await findAnswer(deps, caller, { input, key });
  if (first) return { answer: first, replayed: true };
  checkRequest(deps, caller, input);
  const workspace = await chooseWorkspace(deps, caller, input.slack.instance_id);
  const found = findPeople(clientOf(deps, workspace), workspace, input, input.slack);
  const people = await inTime(found).catch(async (error: unknown) => {
    if (error instanceof AppError) await noteRefusal(deps, caller, workspace, error);
    throw asUnavailable(error);
  });
  return createFor(deps, caller, { input, key, workspace, people }, about);
}

/** The same once it is known who is meant. */
export async function createFor(
  deps: SlackDeps,
  caller: Caller,
  { input, key, workspace, people }: Request & { workspace: Workspace; people: People },
  { warnings = [], ...about }: About = {},
): Promise<{ answer: Created; replayed: boolean }> {
  const addition = additionOf(deps, input, workspace, people);
  const told = { ...about, warnings: [...warnings, ...warningsOf(input, workspace, people)] };
  const done =
    key === undefined
      ? { answer: await createChallenge(deps, caller, input, told, addition), replayed: false }
      : await createOnce(deps, caller, { input, key }, told, addition);
  if (!done.replayed) deps.wake([slackEndpointOf(workspace.id)]);
  return done;
}

function warningsOf({ callback_url }: CreateChallenge, workspace: Workspace, people: People): string[] {
  const isNobodyTold = people.requester.isAutomatic && workspace.channel_id === null && callback_url === null;
  return [...(people.target.email === null ? [NO_EMAIL] : []), ...(isNobodyTold ? [NOBODY_TOLD] : [])];
}

/** Where the person's link belongs, so that a sealed value copied to another row does not open. */
export function linkContext(eventId: string): string {
  return `slack_messages:${eventId}`;
}

/** Whoever tries who is there leaves a trace of it; not of whom they tried. */
function noteRefusal(
  { db, now }: SlackDeps,
  caller: Caller,
  { id: instance }: Workspace,
  { field }: AppError,
): Promise<void> {
  return recordAudit(db, {
    ...{ tenant_id: caller.tenant_id, challenge_id: null, at: now(), actor: actorOf(caller) },
    ...{ action: 'slack_lookup_refused', detail: JSON.stringify({ field, instance }) },
  });
}

/** What Slack says before the program that asks us gives up; however many questions there are. */
function inTime<T>(work: Promise<T>): Promise<T> {
  const done = new AbortController();
  const late = sleep(ASK_MS, undefined, { signal: done.signal }).then(() => {
    throw new SlackError('unavailable', 'timeout', `Slack does not answer within ${ASK_MS / 1_000} s`);
  });
  return Promise.race([work, late]).finally(() => done.abort());
}

async function chooseWorkspace(
  { db, sealer }: { db: Db; sealer: Sealer },
  { tenant_id, mode }: Caller,
  wanted: string | null,
): Promise<Workspace> {
  const rows = await listWorkspaces(db, tenant_id);
  const connected = rows.filter((row) => row.mode === mode && row.settings_sealed !== null);
  const [first] = connected;
  if (!first)
    throw invalid(
      `no Slack workspace is configured for this tenant in ${mode} mode; see \`countersign slack add --help\``,
      'integration_type',
    );
  const chosen = wanted === null ? first : connected.find(({ id }) => id === wanted);
  const workspace = chosen && openWorkspace(sealer, chosen);
  if (!workspace) {
    const names = connected.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw invalid(
      `slack_instance_id must be a connected workspace of ${mode} mode: ${names}`,
      'slack_instance_id',
    );
  }
  return workspace;
}

function additionOf(
  { sealer }: { sealer: Sealer },
  { callback_url, requester_id }: CreateChallenge,
  { id, channel_id }: Workspace,
  { target, requester }: People,
): Addition {
  const { id: requester_user, isAutomatic: is_automatic } = requester;
  const both = { target_user: target.id, requester_user, is_automatic };
  const notified = is_automatic ? channel_id : requester_user;
  return {
    fields: {
      target_user_id: target.id,
      target_user_email: target.email,
      requester_id: requester_id === DEFAULT_REQUESTER ? requester.id : requester_id,
      requester_email: requester.email,
      slack_instance_id: id,
      // Slack tells whoever asked; the integration's own address is for those that do not ask there.
      callback_url,
    },
    async record(tx, challenge, { verification_url }) {
      const about = { ...challenge, slack_instance_id: id };
      const { created_at } = challenge;
      const at = new Date(created_at);
      const seal = (eventId: string) => sealer.seal(verification_url, linkContext(eventId));
      const card: NewMessage = {
        role: 'card',
        recipient: target.id,
        language: target.language,
        ...both,
        seal,
      };
      await insertMessage(tx, about, card, at);
      if (notified === null) return;
      const notice: NewMessage = {
        role: 'notice',
        recipient: notified,
        language: requester.language,
        ...both,
      };
      await insertMessage(tx, about, notice, at);
    },
  };
}
