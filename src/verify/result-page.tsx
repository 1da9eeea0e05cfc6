import { DISPUTE_WINDOW_HOURS } from '../challenges/challenge.ts';
import type { Challenge } from '../challenges/challenge.ts';
import { INCIDENT_REPORTED } from '../challenges/settle.ts';
import { page } from '../web/layout.tsx';
import { requesterOf, TestBadge } from './pages.tsx';

type Ending = {
  /** offers to say afterwards that it was somebody else */
  mayReport?: boolean;
  /** where the person goes back to, and whether that happens by itself */
  returnTo?: string | undefined;
  leaving?: boolean;
  /** the provider that the person may not be done with yet */
  goOnWith?: string | undefined;
};

/** How it ended, or that it has not ended yet. */
export function resultPage(
  challenge: Challenge,
  { mayReport = false, returnTo, leaving = false, goOnWith }: Ending = {},
): string {
  const { title, text } = outcomeOf(challenge, returnTo !== undefined);
  return page(
    title,
    <>
      <TestBadge challenge={challenge} />
      <h1>{title}</h1>
      <p role="status">{text}</p>
      {returnTo ? <Return url={returnTo} leaving={leaving} /> : null}
      {goOnWith ? <GoOn challenge={challenge} label={goOnWith} /> : null}
      <Reference challenge={challenge} />
      {mayReport ? <ReportForm challenge={challenge} /> : null}
    </>,
  );
}

/** No run is under way, and another may begin. */
export function retryPage(challenge: Challenge, { left, label }: { left: number; label: string }): string {
  const all = challenge.provider_attempts;
  const tried = left < all;
  const title = tried ? 'That did not work' : 'Not finished yet';
  return page(
    title,
    <>
      <TestBadge challenge={challenge} />
      <h1>{title}</h1>
      <p role="status">
        {tried
          ? `You can try again: ${left} of ${all} attempts left.`
          : `Nothing has been checked so far. Go on when you are ready.`}
      </p>
      <form method="post" action={`/challenge/${challenge.id}/retry`}>
        <button type="submit">{tried ? `Try again with ${label}` : `Continue with ${label}`}</button>
      </form>
      <Reference challenge={challenge} />
    </>,
  );
}

function Return({ url, leaving }: { url: string; leaving: boolean }) {
  return (
    <>
      <p>
        <a href={url} rel="noreferrer">{`Return to ${new URL(url).host}`}</a>
      </p>
      {leaving ? (
        <p class="quiet">You are taken there in a few seconds. If you come back to this page, it stays.</p>
      ) : null}
    </>
  );
}

function GoOn({ challenge, label }: { challenge: Challenge; label: string }) {
  return (
    <p>
      Not done yet? <a href={`/challenge/${challenge.id}/continue`}>{`Go on at ${label}`}</a>
    </p>
  );
}

function Reference({ challenge }: { challenge: Challenge }) {
  return (
    <p class="quiet">
      Reference: <code>{challenge.id}</code>
    </p>
  );
}

function ReportForm({ challenge }: { challenge: Challenge }) {
  return (
    <form class="aside" method="post" action={`/challenge/${challenge.id}/report`}>
      <p class="quiet" id="report-hint">
        {`Was this not you? You can say so within ${DISPUTE_WINDOW_HOURS} hours of the verification.`}
      </p>
      <button type="submit" class="secondary outline" aria-describedby="report-hint">
        Report: this wasn’t me
      </button>
    </form>
  );
}

function outcomeOf(challenge: Challenge, goesOn: boolean): { title: string; text: string } {
  const requester = requesterOf(challenge);
  if (challenge.disputed) {
    return {
      title: 'Incident reported',
      text: `Thank you. ${requester} has been told that this was not you. The verification no longer counts.`,
    };
  }
  switch (challenge.status) {
    case 'verified':
      return {
        title: 'Identity verified',
        text: `Thank you. ${requester} has been told that it is you.${goesOn ? '' : ' You can close this page.'}`,
      };
    case 'expired':
      return {
        title: 'This request has expired',
        text: 'The time for it is over. If you still need it, ask for a new link.',
      };
    case 'failed':
      return failureOf(challenge.failure_reason, requester);
    default:
      return {
        title: 'Waiting for the result',
        text: `This can take a while. The page shows the result as soon as it is there. ${requester} will be told as well, so you may leave.`,
      };
  }
}

function failureOf(reason: string | null, requester: string): { title: string; text: string } {
  if (reason === INCIDENT_REPORTED) {
    return {
      title: 'Incident reported',
      text: `Thank you. ${requester} has been told that this was not you.`,
    };
  }
  if (reason === 'canceled')
    return { title: 'This request was canceled', text: `${requester} no longer needs it.` };
  return {
    title: 'Identity not verified',
    text: `${requester} has been told. If you think this is wrong, contact your help desk.`,
  };
}
