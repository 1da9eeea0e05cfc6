import { MAX_INCIDENT_COMMENT, MAX_TARGET_RESPONSE } from '../challenges/input.ts';
import { page } from '../web/layout.tsx';
import { isolate } from '../web/words.ts';
import { OwnTab } from './own-tab.tsx';
import { Facts, Go, Note, ReportLink, TestBadge, reportPath, requesterOf } from './parts.tsx';
import { FieldProblem, ProblemSummary, describedBy } from './problem.tsx';
import type { View } from './parts.tsx';

export type { View } from './parts.tsx';

type Start = {
  token: string;
  label: string;
  /** the page is shown inside another site */
  framed: boolean;
  /** the way to prove it refuses frames */
  ownTabOnly: boolean;
  /** somebody has pressed the button before */
  started: boolean;
};

/** What the person is asked, before anything happens. */
export function startPage(view: View, { token, label, framed, ownTabOnly, started }: Start): string {
  const { frame, challenge } = view;
  const { start } = frame.texts;
  const path = `/challenge/start/${challenge.id}`;
  const query = new URLSearchParams({ token }).toString();
  return page(
    frame,
    start.title,
    <>
      <TestBadge view={view} />
      <h1>{start.title}</h1>
      <p>{start.lead(requesterOf(challenge, frame.texts))}</p>
      <div class="code">
        <p>
          {start.code} <strong>{challenge.verification_code}</strong>
        </p>
        <p class="quiet">{start.codeHint}</p>
      </div>
      {started ? (
        <Note title={start.before}>
          <p>{start.beforeText}</p>
        </Note>
      ) : null}
      <Facts view={view} />
      {framed ? <OwnTab view={view} url={`${path}?${query}`} only={ownTabOnly} /> : null}
      {framed && ownTabOnly ? null : (
        <form method="post" action={path}>
          <input type="hidden" name="token" value={token} />
          <Go>{start.next}</Go>
        </form>
      )}
      <ReportLink view={view} to={`${path}/report?${query}`} />
      <p class="quiet">{`${start.after(isolate(label))} ${start.harmless}`}</p>
      <p class="quiet">{start.told}</p>
    </>,
  );
}

/** Asks whether the person wants to add something, before they prove who they are. */
export function answerPage(
  view: View,
  { label, response = '', problem }: { label: string; response?: string; problem?: string | undefined },
): string {
  const { frame, challenge } = view;
  const { answer, start } = frame.texts;
  return page(
    frame,
    answer.title,
    <>
      <TestBadge view={view} />
      <ProblemSummary title={answer.problem} field="response" problem={problem} />
      <h1>{answer.title}</h1>
      <p>{answer.lead(requesterOf(challenge, frame.texts))}</p>
      <form method="post" action={`/challenge/${challenge.id}/answer`}>
        <label for="response">{answer.label}</label>
        <p class="quiet" id="response-hint">
          {answer.hint(MAX_TARGET_RESPONSE)}
        </p>
        <FieldProblem field="response" problem={problem} />
        <textarea
          id="response"
          name="response"
          rows={4}
          dir="auto"
          maxLength={MAX_TARGET_RESPONSE}
          {...describedBy('response', problem)}
        >
          {response}
        </textarea>
        <Go>{start.go(isolate(label))}</Go>
      </form>
      <ReportLink view={view} to={reportPath(view)} />
    </>,
  );
}

type Onward = { url: string; label: string };

/** Between our page and theirs: says where the person is going, and what is asked of them there. */
export function continuePage(
  view: View,
  { url, label, kind }: Onward & { kind: 'sign-in' | 'document' },
): string {
  const { onward } = view.frame.texts;
  const name = isolate(label);
  return page(
    view.frame,
    onward.title(name),
    <>
      <TestBadge view={view} />
      <h1>{onward.title(name)}</h1>
      <p>{kind === 'sign-in' ? onward.signIn(name) : onward.document(name)}</p>
      <p>
        <a href={url} class="action" rel="noreferrer">
          {onward.go(new URL(url).host)}
        </a>
      </p>
      <ReportLink view={view} to={reportPath(view)} />
    </>,
  );
}

/** Before a provider that does not lead back: it opens in a tab of its own, and this page waits for the person. */
export function awayPage(view: View, { url, label }: Onward): string {
  const { onward } = view.frame.texts;
  const name = isolate(label);
  return page(
    view.frame,
    onward.awayTitle(name),
    <>
      <TestBadge view={view} />
      <h1>{onward.awayTitle(name)}</h1>
      <p>{onward.away(name)}</p>
      <p>
        <a href={url} class="action" target="_blank" rel="noopener noreferrer">
          {onward.awayGo(name)}
        </a>
      </p>
      <p>{onward.awayBack}</p>
      <form action={`/challenge/${view.challenge.id}/result`}>
        <button type="submit" class="secondary">
          {onward.awayDone}
        </button>
      </form>
      <ReportLink view={view} to={reportPath(view)} />
    </>,
  );
}

/** The sandbox: the developer plays the person. */
export function sandboxPage(view: View): string {
  const { sandbox, report } = view.frame.texts;
  const action = `/challenge/${view.challenge.id}/sandbox`;
  return page(
    view.frame,
    sandbox.title,
    <>
      <TestBadge view={view} />
      <h1>{sandbox.title}</h1>
      <p>{sandbox.lead}</p>
      <Facts view={view} />
      <form method="post" action={action}>
        <button name="decision" value="approve">
          {sandbox.approve}
        </button>
        <button name="decision" value="decline" class="secondary">
          {sandbox.decline}
        </button>
      </form>
      <form class="aside" method="post" action={action}>
        <label for="comment">{report.comment}</label>
        <input id="comment" name="comment" dir="auto" maxLength={MAX_INCIDENT_COMMENT} autoComplete="off" />
        <button name="decision" value="report" class="danger">
          {sandbox.report}
        </button>
      </form>
    </>,
  );
}
