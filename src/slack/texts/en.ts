import { DISPUTE_WINDOW_HOURS } from '../../challenges/challenge.ts';
import type { components } from '../../generated/openapi.ts';
import { en as pages } from '../../web/texts/en.ts';
import type { End, State } from '../shown.ts';

const { facts, report, result, start } = pages;
const verify = 'Verify, it was me';

/**
 * All words of the messages in Slack, in English; what the pages say too is said in the same words. Who is meant comes
 * as a mention, or as one of the first words below.
 */
export const en = {
  automatic: (app: string) => `An automated check by ${app}`,
  whoever: pages.somebody,
  testMode: pages.testMode,
  reference: pages.reference,
  of: (tenant: string) => `${tenant}: identity verification`,
  code: start.code,
  erased: 'All details of this request were erased.',
  facts: {
    context: facts.context,
    ticket: facts.ticket,
    deadline: facts.deadline,
    ended: facts.ended,
    verified: 'Verified',
    reported: 'Reported',
    requester: 'Requester',
    asker: 'Asked by',
    method: 'How',
    relyUntil: 'Rely on it until',
    response: 'Additional context',
    comment: 'What they say about the incident',
    device: 'The device that was used',
  },
  device: {
    browser: 'Browser',
    os: 'System',
    screen: 'Screen',
    timezone: 'Time zone',
    language: 'Language',
    ip: 'Network address',
  },
  methods: {
    oidc: 'Company sign-in (OpenID Connect)',
    saml: 'Company sign-in (SAML)',
    veriff: 'Document and face (Veriff)',
    berbix: 'Document and face (Berbix)',
    passbase: 'Document and face (Passbase)',
    sandbox: 'Sandbox: nobody proved anything',
  } satisfies Record<NonNullable<components['schemas']['AuthMethod']>, string>,
  why: {
    declined: 'The verification was declined.',
    late: 'It was begun at the verification service, and not finished there.',
    abandoned: 'It was broken off at the verification service.',
    said_no: 'The sign-in was declined on the company’s own page.',
    mismatch: 'Somebody signed in with another account than the one that was asked for.',
    stale: 'An earlier sign-in was used, and not one that was made for this.',
    weak: 'The sign-in was not strong enough.',
    unnamed: 'The sign-in service did not say for certain who signed in.',
    wrong: 'The answer of the sign-in service could not be accepted.',
  },
  card: {
    title: start.title,
    asks: (asker: string) => `${asker} asks for proof that it is really you.`,
    lead: (asker: string) => `${asker} asks for proof that it is really you. Go on only if you know why.`,
    codeOf: (requester: string) =>
      `${requester} sees the same two digits. Whoever talks to you about this must tell you the digits first; never say them yourself. If they do not know them, report it.`,
    codeAlone:
      'The page that opens shows the same two digits. Whoever talks to you about this must tell you the digits first; never say them yourself. If they do not know them, report it.',
    next: {
      signIn: `“${verify}” opens a page in your browser, and from there you sign in at your company’s own page. Nobody asks for your password in Slack.`,
      document: `“${verify}” opens a page in your browser, and from there you show your identity document and your face. Nobody asks for your password in Slack.`,
      other: `“${verify}” opens a page in your browser, and there you confirm that it is you. Nobody asks for your password in Slack.`,
    },
    context: 'Additional context',
    contextHint: 'Whoever asked reads it with the result. Never write a password or a code here.',
    verify,
    report: "Report incident, wasn't me",
    mayReport: `${result.wasItYou} ${result.mayReport(DISPUTE_WINDOW_HOURS)}`,
    confirm: {
      title: report.title,
      open: report.open(pages.somebody),
      verified: report.verified(pages.somebody),
      go: report.go,
      back: report.back,
    },
    ends: {
      verified: { title: result.verified, text: result.verifiedText },
      failed: { title: result.failed, text: result.failedText },
      undeliverable: { title: result.failed, text: result.failedText },
      expired: {
        title: result.expired,
        text: () => 'The time for it is over. If you still need it, ask for it again.',
      },
      canceled: { title: result.canceled, text: result.canceledText },
      incident: {
        title: result.reported,
        text: (requester: string) => `${result.reportedText(requester)} ${result.alarm}`,
      },
      disputed: {
        title: result.reported,
        text: (requester: string) => `${result.disputedText(requester)} ${result.alarm}`,
      },
    } satisfies Record<End, Words>,
  },
  notice: {
    played: {
      title: 'Approved in the sandbox',
      text: (target: string) =>
        `This is a test: nothing was proved, and ${target} need not even have been there.`,
    },
    codeHint:
      'If you talk to them, tell them these two digits: they see the same ones, and so know that the request is yours. Do not ask them for the digits.',
    states: {
      waiting: {
        title: 'Waiting for an answer',
        text: (target: string) => `${target} was asked to prove who they are.`,
      },
      started: {
        title: 'The verification has begun',
        text: (target: string) => `The link for ${target} was opened, and nothing is proved yet.`,
      },
      verified: { title: result.verified, text: (target: string) => `${target} has proved who they are.` },
      failed: {
        title: result.failed,
        text: (target: string) =>
          `${target} has not proved who they are. Do nothing that depends on it; if you are unsure, tell your security team.`,
      },
      expired: {
        title: result.expired,
        text: (target: string) =>
          `${target} did not prove in time who they are. Do nothing that depends on it; if you still need it, ask again.`,
      },
      unasked: {
        title: result.expired,
        text: (target: string) =>
          `Slack could not be reached in time, so ${target} was never asked: that nothing was proved says nothing about them. Ask again, or reach them in another way.`,
      },
      canceled: {
        title: result.canceled,
        text: (target: string) => `Nothing was proved, and ${target} is not asked any more.`,
      },
      undeliverable: {
        title: 'This request could not be delivered',
        text: (target: string) =>
          `Slack did not take the message to ${target}, so they were not asked, and the request has failed. Its link does not work any more: ask again, or reach them in another way.`,
      },
      incident: {
        title: 'Incident reported: it was not them',
        text: (target: string) =>
          `${target} has reported that this was not them. Do nothing that was asked for in their name, and tell your security team at once.`,
      },
      disputed: {
        title: 'Incident reported: the verification no longer counts',
        text: (target: string) =>
          `This was verified, and then ${target} has reported that it was not them. Undo what was done because of it, and tell your security team at once.`,
      },
    } satisfies Record<State, Words>,
  },
};

type Words = { title: string; text: (who: string) => string };

/** The shape of the catalogue: every language has all of it. */
export type Texts = typeof en;
