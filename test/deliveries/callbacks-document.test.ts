import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';
import { settings } from '../../src/settings.ts';
import { signatureHeaders } from '../../src/deliveries/callback.ts';
import { EVENT_TYPES, TEST_EVENT } from '../../src/deliveries/event-types.ts';

const PLAIN = 'your-webhook-secret';
const DOCUMENT = readFileSync(new URL('../../docs/callbacks.md', import.meta.url), 'utf8');
const RUN_JS = `
const cases = JSON.parse(await new Response(process.stdin).text());
const answers = cases.map(({ body, headers, secret, now }) => verify(Buffer.from(body), headers, secret, now));
console.log(JSON.stringify(answers));
`;
const RUN_PYTHON = `
import json, sys
cases = json.load(sys.stdin)
print(json.dumps([verify(one["body"].encode(), one["headers"], one["secret"], one["now"]) for one in cases]))
`;

describe('docs/callbacks.md', () => {
  test('has vectors that our headers, the package of Standard Webhooks and both of its samples agree with', () => {
    const { body, id, timestamp, vectors } = readVectors();
    expect(vectors.map(({ secret }) => secret)).toEqual([expect.stringMatching(/^whsec_/), PLAIN]);
    for (const { secret, standard, bodyOnly } of vectors) {
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': standard,
      };
      expect(signatureHeaders(body, id, [secret], new Date(timestamp * 1_000))).toEqual({
        ...headers,
        'x-webhook-signature': bodyOnly,
      });
      const library = secret === PLAIN ? new Webhook(secret, { format: 'raw' }) : new Webhook(secret);
      expect(library.sign(id, new Date(timestamp * 1_000), body)).toBe(standard);

      const list = { ...headers, 'webhook-signature': `v1,AAAA ${standard}` };
      const wrongs = [
        { ...headers, 'webhook-signature': standard.replace('v1,', 'v2,') },
        { ...headers, 'webhook-id': id.replace('1', '2') },
        { ...headers, 'webhook-timestamp': 'soon' },
        {},
      ];
      for (const verify of [sampleOf('js'), sampleOf('python')]) {
        const [right, among, late, changed, other, ...refused] = verify([
          { body, headers, secret, now: timestamp + 300 },
          { body, headers: list, secret, now: timestamp - 300 },
          { body, headers, secret, now: timestamp + 301 },
          { body: `${body} `, headers, secret, now: timestamp },
          { body, headers, secret: `${secret}BBBB`, now: timestamp },
          ...wrongs.map((wrong) => ({ body, headers: wrong, secret, now: timestamp })),
        ]);
        expect({ right, among, late, changed, other }).toEqual({
          ...{ right: true, among: true },
          ...{ late: false, changed: false, other: false },
        });
        expect(refused).toEqual(wrongs.map(() => false));
      }
    }
  });

  test('names every event, and the waits of the schedule', () => {
    const table = DOCUMENT.slice(DOCUMENT.indexOf('## Events'), DOCUMENT.indexOf('## Secrets'));
    for (const type of [...EVENT_TYPES, TEST_EVENT]) expect(table).toContain(`| \`${type}\` `);
    const waits = DOCUMENT.matchAll(/\| (\d+) +\| (\d+) (s|min|h) /g);
    const documented = [...waits].map(([, n, wait, unit]) => [Number(n), `${wait}${unit}`] as const);
    const inOrder = documented.sort(([a], [b]) => a - b).map(([, wait]) => wait.replace('min', 'm'));
    expect(inOrder.join()).toBe(settings.find(({ name }) => name === 'RETRY_SCHEDULE')?.fallback);
  });
});

type Case = { body: string; headers: Record<string, string>; secret: string; now: number };

/** The code of the document, run by what it is written for; answers for many cases at once. */
function sampleOf(language: 'js' | 'python'): (cases: Case[]) => boolean[] {
  const [, code = ''] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(DOCUMENT) ?? [];
  const [program, args] = {
    js: [process.execPath, ['--input-type=module', '-e', `${code}${RUN_JS}`]] as const,
    python: ['python3', ['-c', `${code}${RUN_PYTHON}`]] as const,
  }[language];
  return (cases) => {
    const ran = spawnSync(program, args, { input: JSON.stringify(cases), encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(`the ${language} sample ended with ${ran.status}: ${ran.stderr}`);
    return JSON.parse(ran.stdout) as boolean[];
  };
}

/** The body, id, timestamp and signatures that the document prints. */
function readVectors() {
  const part = DOCUMENT.slice(DOCUMENT.indexOf('**Test vectors.**'));
  const [, id = '', timestamp = ''] = /id `([^`]+)`, timestamp `(\d+)`/.exec(part) ?? [];
  const [, body = ''] = /```text\n(.*)\n```/.exec(part) ?? [];
  const rows = [...part.matchAll(/^\| `(.+)` \| `(v1,.+)` \| `(sha256=.+)` \|$/gm)];
  const vectors = rows.map(([, secret = '', standard = '', bodyOnly = '']) => ({
    secret,
    standard,
    bodyOnly,
  }));
  return { id, timestamp: Number(timestamp), body, vectors };
}
