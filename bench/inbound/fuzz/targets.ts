import type { Kysely } from 'kysely';
import type { DB } from '../../../src/generated/database.ts';
import type { Sealer } from '../../../src/kernel/crypto.ts';
import { sha256 } from '../../../src/kernel/crypto.ts';
import { namedId } from '../../../src/kernel/id.ts';
import { passbase } from '../../../src/providers/passbase.ts';
import type { Settings } from '../../../src/providers/provider.ts';
import { startPassbase } from '../../../src/simulators/passbase.ts';
import type { Owner } from '../../../test/support/backlog.ts';
import type { Ids } from './edits.ts';
import { insertSessions, openAccount } from '../sessions.ts';
import { berbixVendor } from './vendor-berbix.ts';
import { passbaseVendor } from './vendor-passbase.ts';
import { veriffVendor } from './vendor-veriff.ts';
import type { Vendor } from './vendor.ts';

/** A provider under fire: its account, and challenges whose person is there just now. */
export type Target = {
  vendor: Vendor;
  accountId: string;
  path: string;
  /** what is rightly signed is about these */
  open: Ids[];
  /** all else is about these: nothing may ever change about them */
  untouchable: Ids[];
  /** lets the vendor itself find that this person is verified */
  approve(ids: Ids): void;
};
export type Ground = { db: Kysely<DB>; sealer: Sealer; owner: Owner; url: string };
type Passbase = Awaited<ReturnType<typeof startPassbase>>;

const NAMESPACE = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
const MAX_LINKS = 200;
/** Berbix's ids have 64 bits, which no double holds. */
const FIRST_TRANSACTION = 2n ** 53n + 1_000_001n;

/** Sets up an account of every provider, each with `runs` challenges to be fired at and some that are untouchable. */
export async function openTargets(
  ground: Ground,
  seed: number,
  runs: number,
): Promise<{ targets: Target[]; close: () => Promise<void> }> {
  const simulator = await startPassbase();
  const secrets = (vendor: string) => (name: string) => sha256(`${seed} ${vendor} ${name}`).slice(0, 40);
  const vendors = [
    veriffVendor(secrets('veriff')),
    berbixVendor(secrets('berbix')),
    passbaseVendor(simulator.settings),
  ];
  const targets: Target[] = [];
  for (const vendor of vendors) {
    // At Passbase each begins with a link that somebody opens.
    const some = vendor.name === 'passbase' ? Math.min(runs, MAX_LINKS) : runs;
    targets.push(await openTarget(ground, vendor, simulator, seed, some));
  }
  return { targets, close: () => simulator.close() };
}

async function openTarget(
  ground: Ground,
  vendor: Vendor,
  simulator: Passbase,
  seed: number,
  runs: number,
): Promise<Target> {
  const { name, settings } = vendor;
  const accountId = await openAccount(ground, name, settings);
  const spared = Math.max(10, Math.ceil(runs / 10));
  const all = Array.from({ length: runs + spared }, (_, n): Ids => {
    const id = (what: string) => namedId(`${seed} ${name} ${what} ${n}`, NAMESPACE);
    const sessionId = name === 'berbix' ? String(FIRST_TRANSACTION + 7_000n * BigInt(n)) : id('session');
    return { challengeId: id('challenge'), sessionId, attemptId: id('attempt') };
  });
  // Passbase's name is learned from its first report.
  const named = (sessionId: string) => (name === 'passbase' ? null : sessionId);
  const sessions = all.map(({ challengeId, sessionId }) => ({ challengeId, sessionId: named(sessionId) }));
  await insertSessions(ground, name, accountId, sessions);
  if (name === 'passbase')
    for (const ids of all) ids.sessionId = await openLink(simulator, settings, ids.challengeId);
  return {
    vendor,
    accountId,
    path: `/webhooks/${name}/${accountId}`,
    open: all.slice(spared),
    untouchable: all.slice(0, spared),
    approve({ sessionId }) {
      const session = simulator.sessions.find(({ id }) => id === sessionId);
      if (session) simulator.play(session, 'approved');
    },
  };
}

/** Goes through the link as a person would, and hands in what keeps the identity waiting for a review. */
async function openLink(simulator: Passbase, settings: Settings, challengeId: string): Promise<string> {
  const run = { challengeId, returnUrl: '' };
  const { url } = await passbase.startSession(run, settings, undefined as never);
  await fetch(url, { redirect: 'manual' });
  const session = await simulator.sessionOf(challengeId);
  simulator.play(session, 'pending');
  return session.id;
}
