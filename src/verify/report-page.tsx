import { MAX_INCIDENT_COMMENT } from '../challenges/input.ts';
import { page } from '../web/layout.tsx';
import { Go, TestBadge, requesterOf } from './parts.tsx';
import type { View } from './parts.tsx';

type Report = {
  action: string;
  /** that of the link, for whoever has not pressed Continue */
  token?: string;
  back: string;
};

/** Asks before it reports: somebody may only have wanted to see what is behind the link. */
export function reportPage(view: View, { action, token, back }: Report): string {
  const { frame, challenge } = view;
  const { report } = frame.texts;
  const requester = requesterOf(challenge, frame.texts);
  return page(
    frame,
    report.title,
    <>
      <TestBadge view={view} />
      <h1>{report.title}</h1>
      <p>{challenge.status === 'verified' ? report.verified(requester) : report.open(requester)}</p>
      <form method="post" action={action}>
        {token === undefined ? null : <input type="hidden" name="token" value={token} />}
        <label for="comment">{report.comment}</label>
        <p class="quiet" id="comment-hint">
          {report.commentHint(MAX_INCIDENT_COMMENT)}
        </p>
        <input
          id="comment"
          name="comment"
          dir="auto"
          maxLength={MAX_INCIDENT_COMMENT}
          autoComplete="off"
          aria-describedby="comment-hint"
        />
        <Go kind="danger">{report.go}</Go>
      </form>
      <p>
        <a href={back} class="action secondary">
          {report.back}
        </a>
      </p>
    </>,
  );
}
