import { isoTime } from '../challenges/present.ts';
import { revokeProofKey, rotateProofKey, stateOf } from '../challenges/proof-keys.ts';
import type { KeyState, Rotated } from '../challenges/proof-keys.ts';
import { listProofKeys } from '../challenges/proof-keys-store.ts';
import { recordAudit } from '../challenges/store.ts';
import type { Db } from '../db/database.ts';
import { readClock } from '../db/health.ts';
import { UsageError, textOf, withTenant } from './command.ts';
import type { Command } from './command.ts';

type Line = {
  kid: string;
  state: KeyState;
  created_at: string;
  signs_from: string;
  retired_at: string | null;
};

const LEAKED =
  'If one has leaked, `countersign proof-key revoke --kid KID`: nothing that it signed counts then.';

const list: Command = {
  name: 'proof-key list',
  summary: 'Show the keys that sign proofs, or have signed some',
  options: {},
  run: (config) =>
    withTenant(config, async ({ db }) => {
      const at = await readClock(db);
      const all = await listProofKeys(db);
      const keys = all.map((key): Line => {
        const { kid, created_at, signs_from, retired_at } = key;
        return {
          kid,
          state: stateOf(key, all, at),
          created_at: isoTime(created_at),
          signs_from: isoTime(signs_from),
          retired_at: isoTime(retired_at),
        };
      });
      const none = 'There is no key yet; a server makes the first one when it starts.';
      return { json: { keys }, text: keys.length > 0 ? keys.map(shown).join('\n') : none };
    }),
};

const rotate: Command = {
  name: 'proof-key rotate',
  summary: 'Make a new key for proofs, which signs from tomorrow; proofs by the old ones stay good',
  options: {
    now: { type: 'boolean', default: false, help: 'It signs at once, and no other can sign any more' },
  },
  run: (config, values) =>
    withTenant(config, async ({ db, sealer }, tenant_id) => {
      const rotated = await db.transaction().execute(async (tx) => {
        const at = await readClock(tx);
        const made = await rotateProofKey(tx, { sealer, at, atOnce: values.now === true });
        await note(tx, { tenant_id, at, action: 'proof_key_rotated', kid: made.kid });
        return made;
      });
      return { json: { ...rotated, signs_from: isoTime(rotated.signs_from) }, text: rotatedText(rotated) };
    }),
};

const revoke: Command = {
  name: 'proof-key revoke',
  summary: 'Take a leaked key for proofs out of the published list; nothing that it signed counts any more',
  options: {
    kid: { type: 'string', value: 'KID', required: true, help: 'Which, as `proof-key list` shows it' },
  },
  run: (config, values) =>
    withTenant(config, async ({ db, sealer }, tenant_id) => {
      const kid = textOf(values, 'kid') ?? '';
      const revoked = await db.transaction().execute(async (tx) => {
        const at = await readClock(tx);
        const done = await revokeProofKey(tx, { sealer, at, kid });
        if (!done) throw new UsageError(`there is no key "${kid}"; see \`countersign proof-key list\``);
        await note(tx, { tenant_id, at, action: 'proof_key_revoked', kid });
        return done;
      });
      return {
        json: { revoked: kid, ...revoked },
        text: [
          `Key ${kid} is revoked; ${revoked.signing} signs.`,
          'Copies of the list may hold it for an hour, or until whoever keeps one fetches it again: tell them.',
          'Proofs that it signed have to be asked for again: GET /api/v1/challenges/{id}/proof.',
        ].join('\n'),
      };
    }),
};

/** The commands for the keys that sign proofs. */
export const proofKeyCommands: Command[] = [list, rotate, revoke];

/** Keys are the server's; the trail of its first tenant is where commands are written down. */
function note(
  tx: Db,
  { kid, ...entry }: { tenant_id: string; at: Date; action: string; kid: string },
): Promise<void> {
  return recordAudit(tx, { ...entry, actor: 'cli', detail: JSON.stringify({ kid }) });
}

function shown({ kid, state, signs_from, retired_at }: Line): string {
  const until = retired_at ? `, private half deleted ${retired_at}` : '';
  return `${kid}  ${state.padEnd('replaced'.length)}  signs from ${signs_from}${until}`;
}

function rotatedText({ kid, signs_from, retired }: Rotated): string {
  if (retired.length === 0) return `New key ${kid}: it is published, and signs from ${isoTime(signs_from)}.`;
  return [
    `New key ${kid}: it signs from now on. The private halves of the others are deleted:`,
    ...retired.map((one) => `  ${one}`),
    'Proofs by them stay good, for they stay published.',
    LEAKED,
  ].join('\n');
}
