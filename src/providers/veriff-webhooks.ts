import {
  asObject,
  bodyKey,
  codeOf,
  echoOf,
  keyOf,
  parseObject,
  sortableTime,
  UNREADABLE,
  unknownWebhook,
  wordOf,
} from './json.ts';
import type { Json } from './json.ts';
import type { Report, Webhook } from './provider.ts';
import {
  fullAutoSignal,
  registrySignal,
  riskSignals,
  userStatusOf,
  userStatusSignal,
  watchlistSignal,
} from './veriff-signals.ts';

type Reader = (body: Json, text: string) => Webhook;

/**
 * Decision words that end a session. Codes are not looked at: Veriff's own pages disagree about them, and new words
 * may come at any time and then change nothing.
 */
const CONCLUSIVE: { [status: string]: Report['decision'] } = {
  approved: { to: 'verified' },
  declined: { to: 'failed', reason: 'declined' },
  expired: { to: 'expired', reason: 'provider_expired' },
  abandoned: { to: 'expired', reason: 'provider_abandoned' },
};

const BY_EVENT_TYPE: { [eventType: string]: Reader } = {
  ine_registry: (body, text) => readRegistry('ine_registry', body, text),
  'combined-ine-curp-registry': (body, text) => readRegistry('ine_curp_registry', body, text),
  'user-status.created': readUserStatus,
  fullauto: readFullAuto,
};

/** Types that do not name themselves, or not in the usual place. */
const BY_SHAPE: { is: (body: Json) => boolean; read: Reader }[] = [
  {
    is: ({ verification }) => typeof asObject(verification)?.status === 'string',
    read: ({ verification }, text) => readDecision(asObject(verification) ?? {}, text),
  },
  {
    is: ({ action, code, id }) =>
      typeof action === 'string' && typeof code === 'number' && typeof id === 'string',
    read: readEvent,
  },
  {
    is: ({ checkType, matchStatus }) => typeof checkType === 'string' && typeof matchStatus === 'string',
    read: readWatchlist,
  },
  { is: ({ type }) => type === 'curp_registry', read: readCurp },
];

/**
 * Recognises what Veriff sends, all types at one address (Veriff, webhook guide). What is of no type that we know, or
 * of two at once, is kept and changes nothing.
 */
export function readWebhook(text: string): Webhook {
  const body = parseObject(text) ?? {};
  const readers = BY_SHAPE.filter(({ is }) => is(body)).map(({ read }) => read);
  const { eventType } = body;
  if (eventType !== undefined && eventType !== null) {
    const known = typeof eventType === 'string' && Object.hasOwn(BY_EVENT_TYPE, eventType);
    readers.push((known && BY_EVENT_TYPE[eventType]) || readUnknown);
  }
  const [read = readUnknown, ...others] = readers;
  return others.length === 0 ? read(body, text) : readUnknown(body, text);
}

/** The conclusion of a decision word, if it is one. */
export function conclusionOf(word: string): Report['decision'] {
  return Object.hasOwn(CONCLUSIVE, word) ? CONCLUSIVE[word] : undefined;
}

/** A decision: the `verification` of a webhook or of a read-back. */
export function readDecision(verification: Json, text: string): Webhook {
  const { id, attemptId, status, reasonCode, decisionTime, vendorData } = verification;
  const signals = riskSignals(verification);
  return {
    kind: 'decision',
    eventKey: keyOf('decision', [id, attemptId, status, decisionTime], text),
    ...idsOf(id, attemptId),
    report: {
      ...decidedAs(wordOf(status) ?? UNREADABLE, decisionTime, vendorData),
      // A string by the documentation, a number in what some receivers saw.
      reasonCode: codeOf(reasonCode),
      ...(signals.length === 0 ? {} : { signals }),
    },
  };
}

/** Events say how far the person is; they have no time and never decide. */
function readEvent({ id, attemptId, action, feature, code, vendorData }: Json, text: string): Webhook {
  const message = wordOf(action);
  // Only these two come once an attempt; the optional events of the flow may come again and again.
  const once = action === 'started' || action === 'submitted';
  return {
    kind: 'event',
    eventKey: once ? keyOf('event', [id, attemptId, action, feature, code], text) : bodyKey(text),
    ...idsOf(id, attemptId),
    report: {
      ...undecided(message ?? UNREADABLE, vendorData),
      ...(message === null ? {} : { progress: { type: 'event', message, at: null } }),
    },
  };
}

/** Older bodies name the attempt only. A decision about the session comes in a webhook of its own. */
function readWatchlist(body: Json, text: string): Webhook {
  const { sessionId, attemptId, checkType, matchStatus, createdAt, vendorData } = body;
  return {
    kind: 'watchlist_screening',
    eventKey: timedKey('watchlist_screening', [sessionId, attemptId, checkType], createdAt, text),
    ...idsOf(sessionId, attemptId),
    report: { ...undecided(wordOf(matchStatus) ?? UNREADABLE, vendorData), signals: [watchlistSignal(body)] },
  };
}

function readRegistry(kind: string, body: Json, text: string): Webhook {
  const { sessionId, attemptId, time, vendorData } = body;
  return {
    kind,
    eventKey: timedKey(kind, [sessionId, attemptId], time, text),
    ...idsOf(sessionId, attemptId),
    report: { ...undecided(kind, vendorData), signals: [registrySignal(kind, body)] },
  };
}

/** The one registry type that has its ids elsewhere, and no time. */
function readCurp(body: Json, text: string): Webhook {
  const { id, data, vendorData } = body;
  return {
    kind: 'curp_registry',
    eventKey: bodyKey(text),
    ...idsOf(id, asObject(data)?.attemptId),
    report: { ...undecided('curp_registry', vendorData), signals: [registrySignal('curp_registry', body)] },
  };
}

/** A label given by hand; `data.verification.id` is the session's in some bodies and the attempt's in others. */
function readUserStatus(body: Json, text: string): Webhook {
  const { sessionId, attemptId, data, vendorData } = body;
  const { statusCode, createdAt } = userStatusOf(data);
  return {
    kind: 'user_status',
    eventKey: timedKey('user_status', [sessionId, attemptId, statusCode], createdAt, text),
    ...idsOf(sessionId, attemptId),
    report: {
      ...undecided(wordOf(statusCode) ?? 'user_status', vendorData),
      signals: [userStatusSignal(body)],
    },
  };
}

/** The Essential plan's word for a decision, which gets no decision webhook. Without one its time must not outrank those that have. */
function readFullAuto(body: Json, text: string): Webhook {
  const { sessionId, attemptId, time, data, vendorData } = body;
  const word = wordOf(asObject(asObject(data)?.verification)?.decision) ?? UNREADABLE;
  return {
    kind: 'full_auto',
    eventKey: timedKey('full_auto', [sessionId, attemptId], time, text),
    ...idsOf(sessionId, attemptId),
    report: {
      ...(conclusionOf(word) ? decidedAs(word, time, vendorData) : undecided(word, vendorData)),
      signals: [fullAutoSignal(body)],
    },
  };
}

function readUnknown(_: Json, text: string): Webhook {
  return unknownWebhook(text);
}

function decidedAs(word: string, time: unknown, vendorData: unknown): Report {
  return { ...undecided(word, vendorData), decision: conclusionOf(word), decidedAt: sortableTime(time) };
}

function undecided(word: string, vendorData: unknown): Report {
  const nothing = { decision: undefined, reasonCode: null, decidedAt: undefined };
  return { ...nothing, word, challengeId: echoOf(vendorData) };
}

function idsOf(sessionId: unknown, attemptId: unknown) {
  return { sessionId: wordOf(sessionId) ?? undefined, attemptId: wordOf(attemptId) ?? undefined };
}

/** Without its time nothing tells one result from the next about the same attempt. */
function timedKey(kind: string, parts: unknown[], time: unknown, text: string): string {
  return typeof time === 'string' ? keyOf(kind, [...parts, time], text) : bodyKey(text);
}
