import express from 'express';
import type { AddressInfo } from 'node:net';
import type { Challenge } from '../../src/challenges/challenge.ts';
import type { Db } from '../../src/db/database.ts';
import type { Brand } from '../../src/tenants/brand-store.ts';
import { confirmedPage } from '../../src/verify/confirmed-page.tsx';
import { answerPage, awayPage, continuePage, sandboxPage, startPage } from '../../src/verify/pages.tsx';
import type { View } from '../../src/verify/parts.tsx';
import { reportPage } from '../../src/verify/report-page.tsx';
import { resultPage } from '../../src/verify/result-page.tsx';
import { retryPage } from '../../src/verify/retry-page.tsx';
import { waitingPage } from '../../src/verify/waiting-page.tsx';
import { assetRoutes } from '../../src/web/assets.ts';
import { stopPage } from '../../src/web/error.tsx';
import type { Frame } from '../../src/web/language.ts';
import { asPages } from '../../src/web/pages.ts';
import { security } from '../../src/web/security.ts';
import { TEXTS } from '../../src/web/texts/index.ts';
import type { Language, Texts } from '../../src/web/texts/index.ts';

export const NOW = new Date('2026-03-04T09:30:00Z');
const IN_14_MINUTES = new Date('2026-03-04T09:44:00Z');
const TOKEN = 'Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6';

export const BRAND: Brand = {
  id: '01a1f80c-66f3-757c-8473-8105b057d430',
  name: 'Example & Sons',
  logo: null,
  support: {
    email: 'help@example.com',
    phone: '+49 (30) 1234-567',
    slack: '#help-desk',
    url: 'https://help.example.com/new',
  },
};

/** A challenge as a row of the database would be. */
export function challengeOf(wish: Partial<Challenge> = {}): Challenge {
  const row: Partial<Challenge> = {
    id: '01a1f80c-66f3-757c-8473-8105b057d432',
    tenant_id: BRAND.id,
    mode: 'test',
    status: 'initiated',
    provider: 'oidc',
    provider_attempts: 3,
    requester_id: 'Service desk, Ms Turing',
    requester_email: null,
    slack_instance_id: null,
    target_user_email: 'ada@example.com',
    target_user_id: null,
    context: 'Password reset.\nYou called us at 10:32.',
    ticket: 'INC-4711',
    verification_code: '47',
    created_at: NOW,
    expires_at: IN_14_MINUTES,
    completed_at: null,
    disputed: false,
    erased_at: null,
    incident_reported_at: null,
    failure_reason: null,
    ...wish,
  };
  return row as Challenge;
}

/** The frame of a page in one language. */
export function frameIn(lang: Language, brand: Brand | undefined = BRAND): Frame {
  return { lang, texts: TEXTS[lang], brand, here: '/challenge/start/1?token=abc' };
}

/** Every kind of page, in every state that looks different, by name. */
export function pagesIn(frame: Frame, wish: Partial<Challenge> = {}): { [name: string]: string } {
  const view = (more: Partial<Challenge> = {}): View => ({
    frame,
    challenge: challengeOf({ ...wish, ...more }),
    now: NOW,
  });
  const ended = (more: Partial<Challenge>) => view({ completed_at: NOW, ...more });
  const label = 'Example Login';
  const url = 'https://login.example.com/authorize?state=1';
  const start = { token: TOKEN, label, framed: false, ownTabOnly: false, started: false };
  const report = { action: '/report', token: TOKEN, back: '/back' };
  const reportAt = '/report';
  const problem = frame.texts.answer.tooLong(500);
  const stops = Object.keys(frame.texts.stops) as (keyof Texts['stops'])[];
  return {
    start: startPage(view(), start),
    'start again': startPage(view(), { ...start, started: true }),
    'start framed': startPage(view(), { ...start, framed: true }),
    'start own tab': startPage(view(), { ...start, framed: true, ownTabOnly: true }),
    answer: answerPage(view(), { label }),
    'answer problem': answerPage(view(), { label, response: 'It was me', problem }),
    continue: continuePage(view(), { url, label, kind: 'sign-in' }),
    'continue document': continuePage(view(), { url, label, kind: 'document' }),
    away: awayPage(view(), { url, label }),
    sandbox: sandboxPage(view()),
    retry: retryPage(view(), { left: 2, all: 3, label, reason: 'subject_mismatch' }),
    'retry free': retryPage(view(), { left: null, all: null, label, reason: 'idp_unavailable' }),
    'retry first': retryPage(view(), { left: 3, all: 3, label, reason: null }),
    waiting: waitingPage(view({ status: 'in-progress' }), { goOnWith: label }),
    verified: resultPage(ended({ status: 'verified' }), { reportAt }),
    leaving: resultPage(ended({ status: 'verified' }), { reportAt, returnTo: url, leaveSeconds: 20 }),
    confirmed: confirmedPage(ended({ status: 'verified' }), { reportAt, bySignIn: true }),
    'confirmed late': confirmedPage(ended({ status: 'verified' }), { reportAt: undefined, bySignIn: false }),
    disputed: resultPage(ended({ status: 'verified', disputed: true })),
    failed: resultPage(ended({ status: 'failed', failure_reason: 'declined' })),
    'failed no': resultPage(ended({ status: 'failed', failure_reason: 'access_denied' })),
    'failed mismatch': resultPage(ended({ status: 'failed', failure_reason: 'subject_mismatch' })),
    reported: resultPage(ended({ status: 'failed', failure_reason: 'incident_reported' })),
    canceled: resultPage(ended({ status: 'failed', failure_reason: 'canceled' })),
    expired: resultPage(ended({ status: 'expired' })),
    report: reportPage(view(), report),
    'report verified': reportPage(view({ status: 'verified' }), report),
    ...Object.fromEntries(
      stops.map((kind) => [`stop ${kind}`, stopPage(frame, kind, { requestId: 'request-1' })]),
    ),
  };
}

/** Shows pages over HTTP with the headers, styles and scripts that the server gives them. */
export async function startGallery(db: Db) {
  const shown = new Map<string, string>();
  const app = express().use(security(false)).use('/assets', assetRoutes({ db }));
  app.use('/shown', asPages, (req, res) => void res.send(shown.get(decodeURIComponent(req.path)) ?? ''));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    /** The address at which this page is shown from now on. */
    show(name: string, html: string): string {
      shown.set(`/${name}`, html);
      return `${origin}/shown/${encodeURIComponent(name)}`;
    },
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  };
}
