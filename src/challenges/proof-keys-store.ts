import { sql } from 'kysely';
import type { Insertable, Selectable } from 'kysely';
import type { Db } from '../db/database.ts';
import type { ProofKeys } from '../generated/database.ts';

/** A key that signs proofs, or has signed some. */
export type ProofKey = Selectable<ProofKeys>;

/** Any number, the same in every process. */
const LOCK = 7_230_454;

/** Lets one process at a time change the keys; until the transaction ends. */
export async function lockProofKeys(tx: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(${LOCK})`.execute(tx);
}

/** All keys, in the order in which they sign. */
export function listProofKeys(db: Db): Promise<ProofKey[]> {
  return db
    .selectFrom('proof_keys')
    .selectAll()
    .orderBy('signs_from')
    .orderBy('created_at')
    .orderBy('kid')
    .execute();
}

/** Adds a key. */
export async function insertProofKey(db: Db, key: Insertable<ProofKeys>): Promise<void> {
  await db.insertInto('proof_keys').values(key).execute();
}

/** Deletes the private halves of these keys; what they signed can still be checked. */
export async function retireProofKeys(db: Db, kids: readonly string[], at: Date): Promise<void> {
  await db
    .updateTable('proof_keys')
    .set({ private_sealed: null, retired_at: at })
    .where('kid', 'in', kids)
    .where('private_sealed', 'is not', null)
    .execute();
}

/** Deletes a key whole; false if there is none with this id. */
export async function deleteProofKey(db: Db, kid: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('proof_keys')
    .where('kid', '=', kid)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}
