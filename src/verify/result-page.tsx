import { DISPUTE_WINDOW_HOURS } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { INCIDENT_REPORTED } from '../challenges/settle.ts';
import { page } from '../web/layout.tsx';
import type { Texts } from '../web/texts/index.ts';
import { Reference, ReportLink, TestBadge, requesterOf } from './parts.tsx';
import type { View } from './parts.tsx';
import { whyOf } from './why.ts';

type Ending = {
  /** where to say afterwards that it was somebody else */
  reportAt?: string | undefined;
  /** where the person goes back to, and after how long that happens by itself */
  returnTo?: string | undefined;
  leaveSeconds?: number | undefined;
};
type Outcome = { title: string; text: string; mark?: 'good' | 'bad'; isAlarm?: boolean };

/** How it ended. */
export function resultPage(view: View, { reportAt, returnTo, leaveSeconds }: Ending = {}): string {
  const { frame, challenge } = view;
  const { result } = frame.texts;
  const { title, text, mark, isAlarm = false } = outcomeOf(challenge, frame.texts);
  return page(
    frame,
    title,
    <>
      <TestBadge view={view} />
      <h1 class={mark}>{title}</h1>
      <p role="status">{text}</p>
      {isAlarm ? (
        <p class="note">
          <strong>{result.alarm}</strong>
        </p>
      ) : null}
      {returnTo ? <Return view={view} url={returnTo} leaveSeconds={leaveSeconds} /> : null}
      {mark === 'good' && !returnTo ? <p>{result.close}</p> : null}
      {reportAt ? (
        <p class="quiet">{`${result.wasItYou} ${result.mayReport(DISPUTE_WINDOW_HOURS)}`}</p>
      ) : null}
      {reportAt ? <ReportLink view={view} to={reportAt} /> : null}
      <Reference view={view} />
    </>,
  );
}

function Return({
  view: { frame, challenge },
  url,
  leaveSeconds,
}: {
  view: View;
  url: string;
  leaveSeconds: number | undefined;
}) {
  const { result } = frame.texts;
  return (
    <>
      <p>
        <a href={url} class="action" rel="noreferrer">
          {result.returnTo(new URL(url).host)}
        </a>
      </p>
      {leaveSeconds === undefined ? null : (
        <p>
          {result.leaving(leaveSeconds)}{' '}
          <a href={`/challenge/${challenge.id}/result?stay=1`}>{result.stay}</a>
        </p>
      )}
    </>
  );
}

function outcomeOf(challenge: Challenge, texts: Texts): Outcome {
  const { result } = texts;
  const requester = requesterOf(challenge, texts);
  if (challenge.disputed)
    return { title: result.reported, text: result.disputedText(requester), isAlarm: true };
  switch (challenge.status) {
    case 'verified':
      return { title: result.verified, text: result.verifiedText(requester), mark: 'good' };
    case 'expired':
      return { title: result.expired, text: result.expiredText };
    default:
      return failureOf(challenge, texts);
  }
}

function failureOf(challenge: Challenge, texts: Texts): Outcome {
  const { result } = texts;
  const { failure_reason: reason } = challenge;
  const requester = requesterOf(challenge, texts);
  if (reason === INCIDENT_REPORTED)
    return { title: result.reported, text: result.reportedText(requester), isAlarm: true };
  if (reason === 'canceled') return { title: result.canceled, text: result.canceledText(requester) };
  const why = reason === null ? undefined : whyOf(reason, challenge, texts);
  const text = [why, result.failedText(requester)].filter(Boolean).join(' ');
  return { title: result.failed, text, mark: 'bad' };
}
