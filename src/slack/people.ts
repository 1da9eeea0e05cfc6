import type { CreateChallenge, SlackWish } from '../challenges/input.ts';
import { invalid } from '../kernel/errors.ts';
import type { Client, Member } from './client.ts';
import type { Workspace } from './workspace.ts';

/** Whom a challenge in Slack is about, and who asks; the app itself, when `isAutomatic`. */
export type People = {
  target: Member;
  requester: Pick<Member, 'id' | 'email' | 'language'> & { isAutomatic: boolean };
};
/** One person as a request names them: by id, by e-mail address, or by both, which must then be the same person. */
type Named = { id: string | null; email: string | null; fields: { id: string; email: string } };

/**
 * Who target and requester of a request are in the workspace; nobody is guessed. Throws a 400 that names the field for
 * whoever is not a person there, and SlackError when Slack does not say.
 */
export async function findPeople(
  client: Client,
  workspace: Workspace,
  input: Pick<CreateChallenge, 'target_user_id' | 'target_user_email'>,
  slack: SlackWish,
): Promise<People> {
  const [requester, target] = await inOrder(
    findRequester(client, workspace, slack),
    findPerson(client, workspace, {
      ...{ id: input.target_user_id, email: input.target_user_email },
      fields: { id: 'target_user_id', email: 'target_user_email' },
    }),
  );
  if (!target) throw invalid('target_user_id or target_user_email is required', 'target_user_id');
  return { target, requester };
}

async function findRequester(
  client: Client,
  workspace: Workspace,
  { requester_user_id, requester_email }: SlackWish,
): Promise<People['requester']> {
  const named: Named = {
    ...{ id: requester_user_id, email: requester_email },
    fields: { id: 'slack_user_id', email: 'requester_email' },
  };
  const isBot = requester_user_id === workspace.bot_user_id && requester_email === null;
  const person = isBot ? undefined : await findPerson(client, workspace, named);
  if (person) return { ...person, isAutomatic: false };
  const { user_id } = await client.identity();
  return { id: user_id, email: null, language: 'en', isAutomatic: true };
}

/** Undefined when nobody is named. */
async function findPerson(
  client: Client,
  workspace: Workspace,
  { id, email, fields }: Named,
): Promise<Member | undefined> {
  const { team_id } = workspace;
  const named = async (field: string, asked: Promise<Member | undefined>) =>
    checkedPerson(await asked, field, workspace);
  const [byId, byEmail] = await inOrder(
    id === null ? undefined : named(fields.id, client.memberById(id, team_id)),
    email === null ? undefined : named(fields.email, client.memberByEmail(email, team_id)),
  );
  if (byId && byEmail && byId.id !== byEmail.id)
    throw invalid(
      `${fields.id} and ${fields.email} are two different people in this workspace`,
      fields.email,
    );
  // The address that was found by is one that Slack vouches for, even where it does not show it.
  return byId
    ? { ...byId, email: byId.email ?? email }
    : byEmail && { ...byEmail, email: byEmail.email ?? email };
}

function checkedPerson(member: Member | undefined, field: string, { team_name, name }: Workspace): Member {
  const where = `the Slack workspace "${team_name ?? name}"`;
  if (!member) throw invalid(`${field} is nobody in ${where}`, field);
  if (member.deleted) throw invalid(`${field} is a deactivated account in ${where}`, field);
  if (member.is_bot) throw invalid(`${field} is a bot in ${where}, and no person`, field);
  if (member.is_stranger) throw invalid(`${field} is a guest from another company in ${where}`, field);
  return member;
}

/** Both are under way, because a program waits; what is wrong with the first is told first. */
async function inOrder<A, B>(first: A | Promise<A>, second: B | Promise<B>): Promise<[A, B]> {
  Promise.resolve(second).catch(() => undefined);
  return [await first, await second];
}
