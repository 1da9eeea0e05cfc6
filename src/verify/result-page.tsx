import { DISPUTE_WINDOW_HOURS, isTerminal } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { INCIDENT_REPORTED } from '../challenges/settle.ts';
import { page } from '../web/layout.tsx';
import type { Texts } from '../web/texts/index.ts';
import { isolate, timeIn } from '../web/words.ts';
import { Fact, Go, ReportLink, TestBadge, reportPath, requesterOf } from './parts.tsx';
import type { View } from './parts.tsx';
import { whyOf } from './why.ts';

type Ending = {
  /** where to say afterwards that it was somebody else */
  reportAt?: string | undefined;
  /** where the person goes back to, and whether that happens by itself */
  returnTo?: string | undefined;
  leaving?: boolean;
  /** the provider that the person may not be done with yet */
  goOnWith?: string | undefined;
};
type Outcome = { title: string; text: string; mark?: 'good' | 'bad' };

/** How it ended, or that it has not ended yet. */
export function resultPage(
  view: View,
  { reportAt, returnTo, leaving = false, goOnWith }: Ending = {},
): string {
  const { frame, challenge } = view;
  const { result } = frame.texts;
  const { title, text, mark } = outcomeOf(challenge, frame.texts);
  return page(
    frame,
    title,
    <>
      <TestBadge view={view} />
      <h1 class={mark}>{title}</h1>
      <p role="status">{text}</p>
      {returnTo ? <Return texts={frame.texts} url={returnTo} leaving={leaving} /> : null}
      {goOnWith ? (
        <p>
          {result.notDone}{' '}
          <a href={`/challenge/${challenge.id}/continue`}>{result.goOn(isolate(goOnWith))}</a>
        </p>
      ) : null}
      {challenge.status === 'verified' && !challenge.disputed && !returnTo ? <p>{result.close}</p> : null}
      <Reference view={view} />
      {reportAt ? <p class="quiet">{result.mayReport(DISPUTE_WINDOW_HOURS)}</p> : null}
      {reportAt ? <ReportLink view={view} to={reportAt} /> : null}
      {isTerminal(challenge.status) ? null : <ReportLink view={view} to={reportPath(view)} />}
    </>,
  );
}

type Retry = {
  /** attempts that are left, and how many there were; null: as many as it takes */
  left: number | null;
  all: number | null;
  label: string;
  /** what was wrong with the last sign-in */
  reason: string | null;
};

/** No run is under way, and another may begin. */
export function retryPage(view: View, { left, all, label, reason }: Retry): string {
  const { frame, challenge } = view;
  const { retry, start } = frame.texts;
  const why = reason === null ? undefined : whyOf(reason, challenge, frame.texts);
  const tried = why !== undefined || left !== all;
  const title = tried ? retry.title : retry.notYet;
  const count = left === null || all === null ? retry.free : retry.left(left, all);
  const name = isolate(label);
  return page(
    frame,
    title,
    <>
      <TestBadge view={view} />
      <h1>{title}</h1>
      {why === undefined ? null : <p>{why}</p>}
      <p role="status">{tried ? count : retry.nothing}</p>
      <form method="post" action={`/challenge/${challenge.id}/retry`}>
        <Go>{tried ? retry.again(name) : start.go(name)}</Go>
      </form>
      <Reference view={view} />
      <ReportLink view={view} to={reportPath(view)} />
    </>,
  );
}

function Return({ texts: { result }, url, leaving }: { texts: Texts; url: string; leaving: boolean }) {
  return (
    <>
      <p>
        <a href={url} class="action" rel="noreferrer">
          {result.returnTo(new URL(url).host)}
        </a>
      </p>
      {leaving ? <p class="quiet">{result.leaving}</p> : null}
    </>
  );
}

/** What the person can tell a help desk. */
function Reference({ view: { challenge, frame } }: { view: View }) {
  const { facts, reference } = frame.texts;
  const ended = challenge.completed_at;
  return (
    <dl>
      {ended ? (
        <Fact name={facts.ended}>
          <time dateTime={ended.toISOString()}>{facts.at(timeIn(frame.lang, ended))}</time>
        </Fact>
      ) : null}
      <Fact name={reference}>
        <code>{challenge.id}</code>
      </Fact>
    </dl>
  );
}

function outcomeOf(challenge: Challenge, texts: Texts): Outcome {
  const { result } = texts;
  const requester = requesterOf(challenge, texts);
  if (challenge.disputed) return { title: result.reported, text: result.disputedText(requester) };
  switch (challenge.status) {
    case 'verified':
      return { title: result.verified, text: result.verifiedText(requester), mark: 'good' };
    case 'expired':
      return { title: result.expired, text: result.expiredText };
    case 'failed':
      return failureOf(challenge, texts);
    default:
      return { title: result.waiting, text: result.waitingText(requester) };
  }
}

function failureOf(challenge: Challenge, texts: Texts): Outcome {
  const { result } = texts;
  const { failure_reason: reason } = challenge;
  const requester = requesterOf(challenge, texts);
  if (reason === INCIDENT_REPORTED) return { title: result.reported, text: result.reportedText(requester) };
  if (reason === 'canceled') return { title: result.canceled, text: result.canceledText(requester) };
  const why = reason === null ? undefined : whyOf(reason, challenge, texts);
  const text = [why, result.failedText(requester)].filter(Boolean).join(' ');
  return { title: result.failed, text, mark: 'bad' };
}
