import { beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import jwt from 'jsonwebtoken';

const DOCUMENT = readFileSync(new URL('../../docs/proofs.md', import.meta.url), 'utf8');
const ISSUER = 'https://verify.example.com';
const TYP = 'countersign-proof+jwt';
const EMAIL = 'ada@example.com';
const CLAIMS = {
  ...{ iss: ISSUER, jti: '0198c0de-0000-7000-8000-000000000001', iat: 1_764_590_460, tenant: 't1' },
  ...{ mode: 'live', status: 'verified', disputed: false, target_user_email: 'Ada@Example.com' },
  ...{ completed_at: '2025-12-01T12:00:00Z', valid_until: '2025-12-01T12:15:00Z' },
};
const RUN_JS = `
const cases = JSON.parse(await new Response(process.stdin).text());
const answer = ({ proof, keys, issuer, email, time }) => {
  try {
    const claims = readProof(proof, keys, issuer);
    return { claims, proves: proves(claims, email, new Date(time)) };
  } catch (error) {
    return { error: error.message };
  }
};
console.log(JSON.stringify(cases.map(answer)));
`;

type Case = { proof: string; keys: object[]; issuer: string; email: string; time: string };
type Read = { claims?: object; proves?: boolean; error?: string };

const keys = { ours: keyPair('ours'), theirs: keyPair('theirs') };
const LIST = [keys.ours.jwk];

/** What the document's code says of many cases, run as whoever copied it would run it. */
function ask(cases: Partial<Case>[]): Read[] {
  const [, code = ''] = /```js\n([^]*?)```/.exec(DOCUMENT) ?? [];
  const whole = { keys: LIST, issuer: ISSUER, email: EMAIL, time: '2025-12-01T12:05:00Z' };
  const input = JSON.stringify(cases.map((one) => ({ ...whole, ...one })));
  const args = ['--input-type=module', '-e', `${code}${RUN_JS}`];
  const ran = spawnSync(process.execPath, args, { input, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`the sample ended with ${ran.status}: ${ran.stderr}`);
  return JSON.parse(ran.stdout) as Read[];
}

describe('the verifier of docs/proofs.md', () => {
  let right: string;
  beforeAll(() => {
    right = sign(CLAIMS);
  });

  test('reads a proof, years later too', () => {
    expect(ask([{ proof: right }])).toEqual([{ claims: CLAIMS, proves: true }]);
    const old = { ...CLAIMS, iat: 1_000_000_000 };
    expect(ask([{ proof: sign(old) }])).toEqual([{ claims: old, proves: true }]);
  });

  test('refuses everything that only looks like one', () => {
    const [header = '', claims = '', signature = ''] = right.split('.');
    const none = encode({ alg: 'none', typ: TYP, kid: 'ours' });
    const pem = keys.ours.publicKey.export({ type: 'spki', format: 'pem' });
    const hostile = {
      'no algorithm': `${none}.${claims}.`,
      'no algorithm, but a signature': `${none}.${claims}.${signature}`,
      'an HMAC keyed with the public key as PEM': hmac(String(pem)),
      'an HMAC keyed with the public key as JWK': hmac(JSON.stringify(keys.ours.jwk)),
      'the signature of another key under our kid': sign(CLAIMS, { key: keys.theirs.privateKey }),
      'another key that is not in the list': sign(CLAIMS, { key: keys.theirs.privateKey, kid: 'theirs' }),
      'a key that it brings itself': sign(CLAIMS, {
        key: keys.theirs.privateKey,
        header: { jwk: keys.theirs.jwk },
      }),
      'no kid': sign(CLAIMS, { kid: undefined }),
      'another token of ours': sign(CLAIMS, { typ: 'JWT' }),
      'another issuer': sign({ ...CLAIMS, iss: 'https://verify.example.net' }),
      'no issuer': sign({ ...CLAIMS, iss: undefined }),
      'other claims': `${header}.${encode({ ...CLAIMS, target_user_email: 'eve@example.com' })}.${signature}`,
      'another header': `${encode({ alg: 'ES256', typ: TYP, kid: 'ours', x: 1 })}.${claims}.${signature}`,
      'half a signature': `${header}.${claims}.${signature.slice(0, 43)}`,
      'no signature': `${header}.${claims}.`,
      nothing: '',
      'no token': 'proof',
    };
    const answers = ask(Object.values(hostile).map((proof) => ({ proof })));
    const accepted = Object.keys(hostile).filter((_, index) => answers[index]?.error === undefined);
    expect(accepted).toEqual([]);
    expect(
      ask([
        { proof: right, keys: [] },
        { proof: right, issuer: 'https://other.example' },
      ]),
    ).toEqual([{ error: expect.any(String) }, { error: expect.any(String) }]);
  });

  test('takes nothing for proven but this person, live, undisputed and in time', () => {
    const short: [change: object, about?: Partial<Case>][] = [
      [{ status: 'failed' }],
      [{ status: 'expired', valid_until: null }],
      [{ mode: 'test' }],
      [{ disputed: true, valid_until: null }],
      [{ target_user_email: 'eve@example.com' }],
      [{ target_user_email: null }],
      [{}, { email: 'eve@example.com' }],
      [{}, { time: '2025-12-01T11:59:59Z' }],
      [{}, { time: '2025-12-01T12:15:00Z' }],
    ];
    const answers = ask(
      short.map(([change, about]) => ({ proof: sign({ ...CLAIMS, ...change }), ...about })),
    );
    expect(answers.map(({ proves }) => proves)).toEqual(short.map(() => false));
    const first = ask([{ proof: right, time: '2025-12-01T12:00:00Z' }]);
    expect(first).toMatchObject([{ proves: true }]);
  });
});

function keyPair(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' };
  return { publicKey, privateKey, jwk };
}

type Signing = { key?: KeyObject; kid?: string | undefined; typ?: string; header?: object };

function sign(claims: object, signing: Signing = {}): string {
  const { key, kid, typ, header } = { key: keys.ours.privateKey, kid: 'ours', typ: TYP, ...signing };
  return jwt.sign({ ...claims }, key, { algorithm: 'ES256', header: { alg: 'ES256', typ, kid, ...header } });
}

function hmac(secret: string): string {
  return jwt.sign(CLAIMS, secret, { header: { alg: 'HS256', typ: TYP, kid: 'ours' } });
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
