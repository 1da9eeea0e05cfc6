import { AppError, invalid } from '../kernel/errors.ts';
import { basic, call, fetchAccessToken } from './berbix-call.ts';
import { actionReport, idOf, openWebhook, readWebhook } from './berbix-webhook.ts';
import { isWebUrl, jsonOf } from './call.ts';
import { isToken, timeOf, wordOf } from './json.ts';
import type { Json } from './json.ts';
import type { Provider, Report, Settings, Signal } from './provider.ts';

const MAX_FLAGS = 50;
/** Not documented for a transaction that nobody has finished yet; none of these is a fault that asking again cures. */
const NO_REPORT_STATUSES = [404, 409, 410];
const FLAG = /^[A-Za-z0-9_.-]{1,100}$/;
const HOOK_SECRETS = ['finished_secret', 'status_secret', 'progress_secret'];
const WORDS = ['api_secret', 'template_key', ...HOOK_SECRETS];
const WEBHOOKS_PAGE = 'Berbix Dashboard → Integration → General → Webhooks';

/** Berbix: hosted transactions, three webhooks with a secret each, and reading a transaction back. */
export const berbix: Provider = {
  label: 'Berbix',
  fields: {
    api_secret: {
      help: 'API secret of the same mode, secret_test_… or secret_live_… (Berbix Dashboard → Integration → General → API Keys)',
    },
    template_key: { help: 'Template key of a Web template' },
    finished_secret: { help: `Hook secret of the webhook “Verification finished” (${WEBHOOKS_PAGE})` },
    status_secret: {
      help: 'Hook secret of the webhook “Verification status changed”, which tells of manual reviews',
      fallback: '',
    },
    progress_secret: {
      help: 'Hook secret of the webhook “Verification progress” (beta), which tells how far the person is',
      fallback: '',
    },
    base_url: { help: 'Base URL of Berbix’s API', fallback: 'https://api.berbix.com', called: true },
  },
  // Berbix's documentation, Webhooks.
  addresses: [
    '34.67.226.150',
    '34.72.169.111',
    '34.136.217.251',
    '34.69.174.210',
    '130.211.213.193',
    '104.198.40.48',
    '35.225.34.97',
    '34.122.149.70',
  ],
  comesBack: true,

  checkSettings(settings, mode) {
    checkWords(settings);
    const prefix = `secret_${mode}_`;
    if (!settings.api_secret?.startsWith(prefix)) {
      throw invalid(
        `Berbix’s API secrets of ${mode} mode start with ${prefix}; take one of those`,
        'api_secret',
      );
    }
    checkHookSecrets(settings, mode);
  },

  setUp: (webhookUrl, { status_secret, progress_secret }) => [
    `Let three webhooks at Berbix have this target URL (${WEBHOOKS_PAGE}):`,
    `  ${webhookUrl}`,
    'Each has a hook secret of its own, which Countersign needs to know:',
    '  Verification finished: --finished-secret',
    `  Verification status changed: --status-secret${status_secret ? '' : ' (not entered: manual reviews are noticed late)'}`,
    `  Verification progress (beta): --progress-secret${progress_secret ? '' : ' (not entered: no progress is shown)'}`,
  ],

  async startSession({ challengeId, returnUrl }, settings, http) {
    const answer = await call(settings, http, {
      method: 'POST',
      path: '/v0/transactions',
      authorization: basic(settings),
      json: {
        customer_uid: challengeId,
        template_key: settings.template_key,
        hosted_options: { redirect_url: returnUrl },
      },
    });
    const { transaction_id, hosted_url, refresh_token } = jsonOf(answer) ?? {};
    const sessionId = idOf(transaction_id);
    if (!sessionId || !isWebUrl(hosted_url, http.reach.http) || !isToken(refresh_token)) {
      throw new AppError('unavailable', 'Berbix answered without a hosted transaction');
    }
    return { sessionId, url: hosted_url, token: refresh_token };
  },

  openWebhook,
  readWebhook,

  async fetchReport({ sessionId, token }, settings, http) {
    if (token === undefined)
      throw new AppError('unavailable', 'There is no refresh token for this transaction');
    // Access tokens live for an hour; asking is rare, so each time begins with a new one.
    const authorization = `Bearer ${await fetchAccessToken(token, settings, http)}`;
    const answer = await call(
      settings,
      http,
      { method: 'GET', path: '/v0/transactions', authorization },
      NO_REPORT_STATUSES,
    );
    if (NO_REPORT_STATUSES.includes(answer.status)) return undefined;
    const transaction = jsonOf(answer);
    if (!transaction) throw new AppError('unavailable', 'Berbix answered without a transaction');
    // The token alone selects the transaction, so the answer must be about the right one where it says so.
    if (!isAbout(transaction, sessionId)) {
      throw new AppError('unavailable', 'Berbix answered about another transaction');
    }
    return readTransaction(transaction);
  },
};

function checkWords(settings: Settings): void {
  const broken = WORDS.find((field) => !/^[\x21-\x7e]*$/.test(settings[field] ?? ''));
  if (broken) throw invalid(`${broken} must be copied from Berbix as it is, without spaces`, broken);
}

function checkHookSecrets(settings: Settings, mode: 'test' | 'live'): void {
  const other = mode === 'test' ? 'live' : 'test';
  const entered = HOOK_SECRETS.filter((field) => settings[field]);
  for (const [place, field] of entered.entries()) {
    const secret = settings[field] ?? '';
    if (secret.startsWith(`whs_${other}_`)) {
      throw invalid(`This is the hook secret of a ${other} webhook; take that of the ${mode} one`, field);
    }
    const twin = entered.slice(0, place).find((earlier) => settings[earlier] === secret);
    if (twin) {
      throw invalid(
        `Each webhook at Berbix has a hook secret of its own; this is the same as ${twin}`,
        field,
      );
    }
  }
}

/** `action` is what to decide on; flags are what it was made from, and decide nothing by themselves. */
function readTransaction({ action, customer_uid, flags, completed_at }: Json): Report | undefined {
  if (typeof action !== 'string' || action === '') return undefined;
  const report = actionReport(action, customer_uid);
  const words = Array.isArray(flags) ? flags.map(wordOf).filter((flag) => flag !== null) : [];
  const plain = words.filter((flag) => FLAG.test(flag)).slice(0, MAX_FLAGS);
  if (plain.length === 0) return report;
  const signal: Signal = { kind: 'flags', at: timeOf(completed_at), facts: { flags: plain } };
  return { ...report, signals: [signal] };
}

function isAbout({ id }: Json, sessionId: string): boolean {
  return id === undefined || id === null || idOf(id) === sessionId;
}
