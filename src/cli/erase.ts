import { eraseTarget } from '../challenges/erase.ts';
import { countErasable } from '../challenges/erase-store.ts';
import type { Target } from '../challenges/erase-store.ts';
import { isUuid } from '../kernel/id.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Answer, Command, Values } from './command.ts';

const ACTOR = 'cli';

export const eraseCommand: Command = {
  name: 'erase',
  summary: 'Take personal data out of ended challenges, for good; counts only, unless --yes is given',
  options: {
    challenge: { type: 'string', value: 'ID', help: 'This challenge' },
    'target-email': { type: 'string', value: 'EMAIL', help: 'All challenges of this person, in any case' },
    'target-id': { type: 'string', value: 'ID', help: 'All challenges of this person, by your identifier' },
    yes: { type: 'boolean', default: false, help: 'Do it; nothing brings the data back' },
  },
  run: (config, values) => {
    const target = targetOf(values);
    return withTenant(config, async ({ db }, tenant_id) => {
      if (!values.yes) return shown(await countErasable(db, { tenant_id }, target));
      const deps = { db, now: () => new Date() };
      const done = await eraseTarget(deps, target, { tenant_id }, ACTOR);
      const { erased, open, deliveries_canceled } = done;
      if (erased + open === 0) return nothing({ dry_run: false, ...done });
      return {
        json: { dry_run: false, ...done },
        text: [
          `Erased ${challenges(erased)}; ${deliveries_canceled} waiting callbacks were canceled.`,
          ...stayOpen(open),
        ].join('\n'),
        failed: open > 0,
      };
    });
  },
};

function targetOf(values: Values): Target {
  const [challenge_id, target_user_email, target_user_id] = [
    textOf(values, 'challenge'),
    textOf(values, 'target-email'),
    textOf(values, 'target-id'),
  ];
  const targets: Target[] = [
    ...(challenge_id ? [{ challenge_id }] : []),
    ...(target_user_email ? [{ target_user_email }] : []),
    ...(target_user_id ? [{ target_user_id }] : []),
  ];
  const [target] = targets;
  if (!target || targets.length > 1)
    throw new UsageError('name what to erase: one of --challenge, --target-email and --target-id');
  if (challenge_id !== undefined && !isUuid(challenge_id))
    throw new UsageError(`--challenge is the id of a challenge; "${challenge_id}" is none`);
  return target;
}

function shown({ erasable, open }: { erasable: number; open: number }): Answer {
  if (erasable + open === 0) return nothing({ dry_run: true, erasable, open });
  return {
    json: { dry_run: true, erasable, open },
    text: [
      `This would erase ${challenges(erasable)}. Nothing was changed; add --yes to do it.`,
      ...stayOpen(open),
    ].join('\n'),
  };
}

function nothing(json: object): Answer {
  return { json, text: 'There is nothing to erase: no challenge is found, or all were erased before.' };
}

function stayOpen(open: number): string[] {
  if (open === 0) return [];
  return [`${challenges(open)} still open: cancel first, or wait until the end, and erase again.`];
}

function challenges(count: number): string {
  return count === 1 ? '1 challenge' : `${count} challenges`;
}
