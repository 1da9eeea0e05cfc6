import { createHmac } from 'node:crypto';
import { isSafeNumber, parse } from 'lossless-json';
import type { Ids } from './edits.ts';
import { headerOf, hexSpoilers, withHeader } from './vendor.ts';
import type { Claim, Forgery, Sample, Vendor } from './vendor.ts';

type Json = { [field: string]: unknown };

const HEADER = 'x-berbix-signature';
const HOOKS = ['finished', 'status', 'progress'];
const DRIFT_S = 300;
const ENDS: { [action: string]: Claim['to'] } = { accept: 'verified', reject: 'failed' };
const ACTIONS = ['accept', 'reject', 'review', 'escalate'];

/** Berbix: each hook signs time and body with a secret of its own, and a body counts only under its own hook. */
export function berbixVendor(secrets: (name: string) => string): Vendor {
  const secretOf = (hook: string) => secrets(`hook ${hook}`);
  const stamp = (body: Buffer, hook: string, aheadS = 0, secret = secretOf(hook)) => {
    const time = Math.floor(Date.now() / 1_000) + aheadS;
    return `v0,${time},${sign(body, secret, time)}`;
  };
  const resign = (header: (body: Buffer, hook: string, at: number) => string | undefined): Forgery => {
    return (sealed, { hook }, at) => withHeader(sealed, HEADER, () => header(sealed.body, hook, at));
  };
  const respell = (spell: (header: string, at: number) => string | undefined): Forgery => {
    return (sealed, _, at) => withHeader(sealed, HEADER, (header) => spell(header, at));
  };
  const another = (hook: string, at: number) => HOOKS.filter((one) => one !== hook)[at % 2]!;

  return {
    name: 'berbix',
    settings: {
      api_secret: 'secret_test_fuzz',
      template_key: 'template',
      finished_secret: secretOf('finished'),
      status_secret: secretOf('status'),
      progress_secret: secretOf('progress'),
      base_url: 'https://berbix.example',
    },
    weight: 4,
    samples: samplesOf,
    seal: (body, { hook }) => ({
      headers: [
        ['content-type', 'application/json'],
        [HEADER, stamp(body, hook)],
      ],
      body,
    }),
    forgeries: {
      ...Object.fromEntries(
        Object.entries(hexSpoilers).map(([name, spoil]) => [
          name,
          respell((header, at) => {
            const hex = spoil(header.slice(-64), at);
            return hex === undefined ? undefined : header.slice(0, -64) + hex;
          }),
        ]),
      ),
      'too old': resign((body, hook, at) => stamp(body, hook, -400 - at)),
      'too young': resign((body, hook, at) => stamp(body, hook, 400 + at)),
      'time changed': respell((header, at) =>
        header.replace(/^v0,(\d+)/, (_, time) => `v0,${Number(time) + 1 + (at % 200)}`),
      ),
      'no time': respell((header) => header.replace(/^v0,\d+/, 'v0,')),
      'endless time': respell((header) => header.replace(/^v0,/, 'v0,00000000000000000')),
      'another version': respell((header) => header.replace('v0', 'v1')),
      'no version': respell((header) => header.slice(3)),
      'spaces within': respell((header) => header.replaceAll(',', ', ')),
      'another hook': resign((body, hook, at) => stamp(body, another(hook, at), 0)),
      'another secret': resign((body, hook) => stamp(body, hook, 0, secrets('another'))),
      'no secret': resign((body, hook) => stamp(body, hook, 0, '')),
      'body alone': resign((body, hook) => {
        const hex = createHmac('sha256', secretOf(hook)).update(body).digest('hex');
        return `v0,${Math.floor(Date.now() / 1_000)},${hex}`;
      }),
      compressed: (sealed) => ({ ...sealed, headers: [...sealed.headers, ['content-encoding', 'deflate']] }),
    },
    accepts(wire) {
      const [, time, hex] = /^v0,(\d{1,12}),([0-9a-f]{64})$/i.exec(headerOf(wire, HEADER) ?? '') ?? [];
      if (time === undefined || hex === undefined || headerOf(wire, 'content-encoding')) return undefined;
      if (Math.abs(Date.now() / 1_000 - Number(time)) > DRIFT_S) return undefined;
      const text = wire.body.toString('utf8');
      const hook = hookOf(text);
      const signers = HOOKS.filter((one) => sign(wire.body, secretOf(one), time) === hex.toLowerCase());
      return signers.some((signer) => hook === undefined || hook === signer) ? text : undefined;
    },
    claims(text) {
      const { action, transaction_id, customer_uid } = readObject(text) ?? {};
      const hook = hookOf(text);
      if (typeof action !== 'string' || !Object.hasOwn(ENDS, action) || hook === undefined) return undefined;
      const session = isId(transaction_id) ? String(transaction_id) : undefined;
      return { to: ENDS[action]!, session, attempt: undefined, echo: customer_uid || undefined };
    },
  };
}

function sign(body: Buffer, secret: string, time: string | number): string {
  return createHmac('sha256', secret).update(`${time},${secret},`).update(body).digest('hex');
}

function samplesOf({ challengeId, sessionId }: Ids): Sample[] {
  const ids = `"transaction_id":${sessionId},"customer_uid":"${challengeId}"`;
  const link = `"dashboard_link":"https://dashboard.berbix.example/transaction?transactionId=${sessionId}"`;
  return [
    ...ACTIONS.map((action) => ({
      text: `{"user_id":${sessionId},${ids},"code":"123456","action":"${action}",${link}}\n`,
      hook: 'finished',
    })),
    ...ACTIONS.map((action, n) => ({
      text: `{"id":${sessionId.slice(0, -2)}${n},${ids},"action":"${action}",${link}}\n`,
      hook: 'status',
    })),
    ...['SESSION_STARTED', 'SESSION_FINISHED'].map((message, n) => ({
      text: `{${ids},"type":"${n ? 'error' : 'event'}","message":"${message}","created_at":"2026-01-15T10:05:0${n}.123456789Z"}\n`,
      hook: 'progress',
    })),
  ];
}

/** Whose body it is, by its fields; undefined for none that Berbix documents. */
function hookOf(text: string): string | undefined {
  const body = readObject(text);
  if (!body) return undefined;
  const tellsProgress = ['type', 'message', 'created_at'].every((field) => body[field] !== undefined);
  if (tellsProgress) {
    const readable = ['event', 'error'].includes(body.type as string) && typeof body.message === 'string';
    return body.action === undefined && readable ? 'progress' : undefined;
  }
  if (typeof body.action !== 'string') return undefined;
  if (body.id === undefined || body.id === null) return 'finished';
  return isId(body.id) ? 'status' : undefined;
}

/** Digits, as text or as a number. */
function isId(id: unknown): boolean {
  return (typeof id === 'string' || typeof id === 'number') && /^\d{1,20}$/.test(String(id));
}

/** Numbers of more digits than a double holds count as their digits. */
function readObject(text: string): Json | undefined {
  const numberOf = (digits: string) =>
    isSafeNumber(digits) || /[.e]/i.test(digits) ? Number(digits) : digits;
  try {
    const body = parse(text, undefined, numberOf);
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Json) : undefined;
  } catch {
    return undefined;
  }
}
