import { page } from '../web/layout.tsx';
import { isolate } from '../web/words.ts';
import { Go, Reference, ReportLink, TestBadge, reportPath } from './parts.tsx';
import type { View } from './parts.tsx';
import { whyOf } from './why.ts';

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
      <ReportLink view={view} to={reportPath(view)} />
      <Reference view={view} />
    </>,
  );
}
