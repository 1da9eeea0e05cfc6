import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findIdentities, saveAlias } from '../../src/signin/aliases-store.ts';
import { findFirstTenant, insertTenant } from '../../src/tenants/store.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';
import { testEnv } from '../support/server.ts';

const ADA = 'ada@example.com';

let database: TestDatabase;
let tenant: string;
beforeAll(async () => {
  database = await createDatabase();
  await insertTenant(database.db, 'Acme');
  tenant = (await findFirstTenant(database.db))?.id ?? '';
});
afterAll(() => database.close());

const cli = (...args: string[]) =>
  runCli(['alias', ...args], testEnv(database.url, undefined, Buffer.alloc(32, 1)));
const add = (alias: string, identity: string, ...more: string[]) =>
  cli('add', '--alias', alias, '--identity', identity, ...more);

test('an alias is kept folded, can be added twice, is listed and taken away', async () => {
  const added = await add(' A.Lovelace@Partner.example', 'Ada@Example.com');
  expect(added).toMatchObject({ code: 0, stderr: '' });
  expect(added.stdout).toBe(
    `Whoever signs in as "a.lovelace@partner.example" counts as "${ADA}", in both modes, at once.\n`,
  );
  expect(await findIdentities(database.db, tenant, ['nobody', 'a.lovelace@partner.example'])).toEqual([ADA]);
  const [again, second] = await Promise.all([
    add('a.lovelace@partner.example', ADA, '--json'),
    add('E-4711', ADA, '--json'),
  ]);
  expect(again).toMatchObject({ code: 0, json: { alias: 'a.lovelace@partner.example', identity: ADA } });
  expect(second.code).toBe(0);
  const listed = await cli('list');
  expect(listed.stdout).toBe(`a.lovelace@partner.example  ->  ${ADA}\ne-4711  ->  ${ADA}\n`);
  const removed = await cli('remove', '--alias', 'A.LOVELACE@partner.example');
  expect(removed.stdout).toBe(
    `Whoever signs in as "a.lovelace@partner.example" no longer counts as "${ADA}".\n`,
  );
  expect((await cli('list', '--json')).json.aliases).toEqual([
    { alias: 'e-4711', identity: ADA, created_at: expect.stringMatching(/Z$/) },
  ]);
  expect(await findIdentities(database.db, tenant, ['a.lovelace@partner.example'])).toEqual([]);
});

test.each([
  [
    'one that stands for somebody else',
    ['add', '--alias', 'e-4711', '--identity', 'bob@example.com'],
    /stands for "ada@example.com" already; .*alias remove/,
  ],
  ['the same on both sides', ['add', '--alias', ADA, '--identity', 'ADA@example.com'], /the same/],
  ['blanks', ['add', '--alias', ' ', '--identity', ADA], /--alias must not be empty/],
  ['one line break', ['add', '--alias', 'a\nb', '--identity', ADA], /--alias must not contain control/],
  ['what is too long', ['add', '--alias', 'a'.repeat(256), '--identity', ADA], /at most 255/],
  ['to take away what is not there', ['remove', '--alias', 'nobody'], /no alias "nobody"; see .*alias list/],
])('refuses %s', async (_name, args, cure) => {
  const ran = await cli(...args);
  expect(ran).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(cure) });
  expect(await findIdentities(database.db, tenant, ['e-4711', 'nobody', ADA])).toEqual([ADA]);
});

test('an alias holds for its tenant alone', async () => {
  const other = await insertTenant(database.db, 'Another');
  await saveAlias(database.db, other, { alias: 'root', identity: ADA });
  expect(await findIdentities(database.db, tenant, ['root'])).toEqual([]);
  expect(await findIdentities(database.db, other, ['root', 'e-4711'])).toEqual([ADA]);
});

test('whatever an IdP calls a person, looking it up does no harm', async () => {
  const odd = [
    '\u0000',
    'e-4711\u0000',
    '\uD800',
    "'; drop table subject_aliases; --",
    '',
    'x'.repeat(100_000),
  ];
  expect(await findIdentities(database.db, tenant, odd)).toEqual([]);
  expect(await findIdentities(database.db, tenant, [...odd, 'e-4711'])).toEqual([ADA]);
  expect(await findIdentities(database.db, tenant, [])).toEqual([]);
});
