import { page } from '../web/layout.tsx';
import { isolate } from '../web/words.ts';
import { Reference, ReportLink, TestBadge, reportPath, requesterOf } from './parts.tsx';
import type { View } from './parts.tsx';

/** It has not ended yet. The script asks whether it has; without it there is the button. */
export function waitingPage(
  view: View,
  {
    goOnWith,
  }: { /** the provider that the person may not be done with yet */ goOnWith?: string | undefined } = {},
): string {
  const { frame, challenge } = view;
  const { waiting } = frame.texts;
  return page(
    { ...frame, wait: waiting.over },
    waiting.title,
    <>
      <TestBadge view={view} />
      <h1>{waiting.title}</h1>
      <p role="status">{waiting.text(requesterOf(challenge, frame.texts))}</p>
      {goOnWith ? (
        <p>
          {waiting.notDone}{' '}
          <a href={`/challenge/${challenge.id}/continue`}>{waiting.goOn(isolate(goOnWith))}</a>
        </p>
      ) : null}
      <form action={`/challenge/${challenge.id}/result`}>
        <button type="submit" class="secondary">
          {waiting.again}
        </button>
      </form>
      <ReportLink view={view} to={reportPath(view)} />
      <Reference view={view} />
    </>,
  );
}
