import { DISPUTE_WINDOW_HOURS } from '../challenges/challenge.ts';
import { page } from '../web/layout.tsx';
import { isolate, timeIn } from '../web/words.ts';
import { Reference, TestBadge, targetOf } from './parts.tsx';
import type { View } from './parts.tsx';

/**
 * For whoever opens the link after somebody has proved to be the target in another browser: they may be the one who was
 * asked, and learn here what was done in their name. Says no more of who it was than the link said before.
 */
export function confirmedPage(
  view: View,
  { reportAt, bySignIn }: { reportAt: string | undefined; bySignIn: boolean },
): string {
  const { frame, challenge } = view;
  const { confirmed, facts, report, result, somebody } = frame.texts;
  const at = facts.at(timeIn(frame.lang, challenge.completed_at ?? view.now));
  const target = challenge.erased_at ? somebody : isolate(targetOf(challenge));
  return page(
    frame,
    confirmed.title,
    <>
      <TestBadge view={view} />
      <h1>{confirmed.title}</h1>
      <p role="status">{bySignIn ? confirmed.signedIn(at, target) : confirmed.proved(at, target)}</p>
      {reportAt ? (
        <>
          <p>{`${result.wasItYou} ${result.mayReport(DISPUTE_WINDOW_HOURS)}`}</p>
          <p>
            <a href={reportAt} class="action secondary">
              {report.link}
            </a>
          </p>
        </>
      ) : null}
      <Reference view={view} />
    </>,
  );
}
