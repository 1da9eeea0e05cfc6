import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { SignIn } from '../../src/signin/method.ts';
import { fold, identifiersOf, matchSubject } from '../../src/signin/subject.ts';

const ADA = 'ada@example.com';
const nobody: SignIn = {
  ...{ issuer: 'https://login.example.com', id: 'sub-1', email: null, claim: [] },
  ...{ auth_time: 0, acr: null, amr: [] },
};
const signedIn = (known: Partial<SignIn>): SignIn => ({ ...nobody, ...known });
const byEmail = (target_user_email: string) => ({ target_user_email, target_user_id: null });
const byId = (target_user_id: string) => ({ target_user_email: null, target_user_id });

describe('the person who signed in is the target', () => {
  test.each([
    [
      'by e-mail address, whatever the case',
      byEmail('Ada@Example.com'),
      { email: 'ADA@example.COM' },
      'email',
    ],
    ['by an e-mail address that was given as an id', byId(ADA), { email: ADA }, 'email'],
    ['by any value of the claim', byId('e-4711'), { claim: ['e-1', 'E-4711'] }, 'claim'],
    ['by a claim that holds an address', byEmail(ADA), { claim: ['Ada@example.com'] }, 'claim'],
    ['by the id at the IdP', byId('00uAb'), { id: '00uAb' }, 'id'],
    ['by address before claim and id', byId(ADA), { email: ADA, claim: [ADA], id: ADA }, 'email'],
    ['by claim before id', byId('a'), { claim: ['a'], id: 'a' }, 'claim'],
  ] as const)('%s', (_name, target, known, by) => {
    expect(
      matchSubject(target, signedIn({ ...known, claim: [...('claim' in known ? known.claim : [])] }), []),
    ).toBe(by);
  });

  test('by an alias, when nothing else says so', () => {
    const known = signedIn({ email: 'ada@partner.example' });
    expect(matchSubject(byEmail('Ada@example.com'), known, ['bob@example.com', ADA])).toBe('alias');
    expect(matchSubject(byEmail(ADA), signedIn({ email: ADA }), [ADA])).toBe('email');
  });

  test('when an accent is written as a letter and a mark, or as one letter', () => {
    const [composed, apart] = ['jürgen@example.com'.normalize('NFC'), 'jürgen@example.com'.normalize('NFD')];
    expect(composed).not.toBe(apart);
    expect(matchSubject(byEmail(apart), signedIn({ email: composed }), [])).toBe('email');
  });
});

describe('the person who signed in is somebody else', () => {
  test.each([
    ['without an address, claim or id of the target', byEmail(ADA), {}],
    ['when the id differs in case', byId('00uab'), { id: '00uAb' }],
    [
      'when their address is the id of the target but the target has an address',
      { target_user_email: ADA, target_user_id: 'bob@example.com' },
      { email: 'bob@example.com', claim: ['bob@example.com'], id: 'bob@example.com' },
    ],
    ['when only the id at the IdP looks like the address', byEmail(ADA), { id: ADA }],
    ['with an address that only begins alike', byEmail(ADA), { email: 'ada@example.com.evil.example' }],
    ['with what some mail systems deliver to the same box', byEmail(ADA), { email: 'ada+admin@example.com' }],
    ['with blanks around it', byEmail(ADA), { email: ' ada@example.com', claim: ['ada@example.com\n'] }],
    ['with a Kelvin sign for k', byEmail('kim@example.com'), { email: '\u212Aim@example.com' }],
    ['with a dotless i', byEmail('kim@example.com'), { email: 'k\u0131m@example.com' }],
    ['with a dotted capital I', byEmail('kim@example.com'), { email: 'k\u0130m@example.com' }],
    ['with a long s', byEmail('sam@example.com'), { email: '\u017Fam@example.com' }],
    ['with full-width letters', byEmail(ADA), { email: '\uFF41da@example.com' }],
    ['with a Cyrillic a', byEmail(ADA), { email: '\u0430da@example.com' }],
    [
      'with an invisible character',
      byEmail(ADA),
      { email: 'a\u00ADda@example.com', claim: ['ada\u200B@example.com'] },
    ],
    [
      'with another letter than in a target that is no ASCII',
      byEmail('STRASSE@example.com'),
      { email: 'stra\u00DFe@example.com' },
    ],
    ['with a Greek question mark for a semicolon', byId('a;b'), { claim: ['a\u037Eb'] }],
    [
      'when nobody is named',
      { target_user_email: null, target_user_id: null },
      { email: '', claim: [''], id: '' },
    ],
  ])('%s', (_name, target, known) => {
    expect(matchSubject(target, signedIn(known), [])).toBeUndefined();
  });

  test('when the alias stands for somebody else', () => {
    expect(
      matchSubject(byEmail(ADA), signedIn({ id: 'x' }), ['\u0430da@example.com', 'ada@example.co']),
    ).toBeUndefined();
  });
});

/** Letters that something or other takes for each other; only those in one list are the same. */
const LOOKALIKES = [
  [['k', 'K'], ['\u212A']],
  [['i', 'I'], ['\u0131'], ['\u0130']],
  [['s', 'S'], ['\u017F'], ['ss', 'SS', 'sS'], ['\u00DF'], ['\u1E9E']],
  [['a', 'A'], ['\u0430'], ['\u0410'], ['\uFF41'], ['\uFF21'], ['\u{1D41A}'], ['a\u200B'], ['\u00AA']],
  [
    ['\u00E9', 'e\u0301'],
    ['\u00C9', 'E\u0301'],
    ['e', 'E'],
  ],
  [['\u00C5', 'A\u030A'], ['\u212B'], ['\u00E5', 'a\u030A']],
  [[';'], ['\u037E']],
  [['fi', 'FI'], ['\uFB01']],
];
type Letter = { text: string; sameAs: string };
const letters = LOOKALIKES.map((lists) =>
  lists.flatMap((list) => list.map((text): Letter => ({ text, sameAs: list[0] ?? '' }))),
);
const pair = fc.constantFrom(...letters).chain((alike) => {
  const one = fc.constantFrom(...alike);
  // Twice the same more often than not, or hardly any two words were.
  return fc.oneof(
    one.map((same) => [same, same] as const),
    fc.tuple(one, one),
  );
});
const join = (word: Letter[], of: keyof Letter) => word.map((one) => one[of]).join(' ');

test('nothing that differs beyond the case of ASCII letters ever matches, however alike it looks', () => {
  fc.assert(
    fc.property(fc.array(pair, { minLength: 1, maxLength: 4 }), (pairs) => {
      const [wanted, given] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
      const text = join(given, 'text');
      const known = signedIn({ email: text, claim: [text], id: text });
      for (const target of [byEmail(join(wanted, 'text')), byId(join(wanted, 'text'))])
        if (matchSubject(target, known, identifiersOf(known)) !== undefined)
          expect(join(given, 'sameAs')).toBe(join(wanted, 'sameAs'));
    }),
    { numRuns: 3_000 },
  );
});

test('any two texts that match are the same to Unicode but for the case of ASCII letters', () => {
  const small = (text: string) =>
    text.normalize('NFD').replace(/[A-Z]/g, (one) => String.fromCharCode(one.charCodeAt(0) + 32));
  const any = fc.string({ unit: 'binary', maxLength: 3 });
  const variant = (text: string) =>
    fc.constantFrom(
      ...[text.toLowerCase(), text.toUpperCase(), text.normalize('NFKC'), text.normalize('NFD')],
      ...[text.toLowerCase().normalize('NFC'), text.trim(), `${text}\u0301`],
    );
  fc.assert(
    fc.property(
      any.chain((text) => fc.tuple(fc.constant(text), variant(text))),
      ([wanted, given]) => {
        if (fold(wanted) === fold(given)) expect(small(given)).toBe(small(wanted));
      },
    ),
    { numRuns: 3_000 },
  );
});

test('whatever case an ASCII address is written in, it matches', () => {
  const address = fc.emailAddress();
  fc.assert(
    fc.property(address, fc.infiniteStream(fc.boolean()), (wanted, coins) => {
      const given = Array.from(wanted)
        .map((one) => (coins.next().value ? one.toUpperCase() : one))
        .join('');
      expect(matchSubject(byEmail(wanted), signedIn({ email: given }), [])).toBe('email');
    }),
  );
});

test('identifiers are all that the person is known by, folded, each once', () => {
  expect(identifiersOf(signedIn({ email: 'Ada@Example.com', claim: ['E-1', '', ADA], id: 'Sub' }))).toEqual([
    ...[ADA, 'e-1', 'sub'],
  ]);
  expect(identifiersOf(signedIn({ id: '' }))).toEqual([]);
});
