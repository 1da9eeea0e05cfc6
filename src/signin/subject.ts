import type { Challenge } from '../challenges/challenge.ts';
import type { SignIn } from './method.ts';

/** By what the person who signed in is the target. */
type SubjectMatch = 'email' | 'claim' | 'id' | 'alias';
type Target = Pick<Challenge, 'target_user_email' | 'target_user_id'>;

/**
 * By what the person who signed in is the target; undefined: they are somebody else. The e-mail address decides where
 * the challenge names one, else the id. `aliases` are the folded identities that what they signed in with stands for.
 */
export function matchSubject(
  { target_user_email, target_user_id }: Target,
  signIn: SignIn,
  aliases: readonly string[],
): SubjectMatch | undefined {
  const wanted = target_user_email ?? target_user_id;
  if (!wanted) return undefined;
  const folded = fold(wanted);
  if (signIn.email !== null && fold(signIn.email) === folded) return 'email';
  if (signIn.claim.some((value) => fold(value) === folded)) return 'claim';
  // OpenID Connect Core §2: sub is case-sensitive.
  if (target_user_email === null && signIn.id === wanted) return 'id';
  return aliases.includes(folded) ? 'alias' : undefined;
}

/** All that the person who signed in is known by there, folded, each once. */
export function identifiersOf({ email, claim, id }: SignIn): string[] {
  return [...new Set([email ?? '', ...claim, id].filter((text) => text !== '').map(fold))];
}

/**
 * One form for texts that mean the same person: composed, and ASCII letters small. Nothing else is equal, for another
 * letter is another mailbox: lower case of any script would turn the Kelvin sign into a k.
 */
export function fold(text: string): string {
  // NFC does the same to the Kelvin sign, and to other characters that it replaces one by one.
  const composable = Array.from(text).every((character) => character.normalize('NFC') === character);
  const composed = composable ? text.normalize('NFC') : text;
  // With a mark it is no ASCII letter any more.
  return composed.replace(/[A-Z](?!\p{M})/gu, (letter) => letter.toLowerCase());
}
