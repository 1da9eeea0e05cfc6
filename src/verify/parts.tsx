import type { ComponentChildren } from 'preact';
import type { Challenge } from '../challenges/challenge.ts';
import { DEFAULT_REQUESTER, SLACK_USER } from '../challenges/input.ts';
import type { Frame } from '../web/language.ts';
import type { Texts } from '../web/texts/index.ts';
import { deadlineIn, isolate, timeIn, timeLeft } from '../web/words.ts';

/** What every page of a challenge is made from. */
export type View = { frame: Frame; challenge: Challenge; now: Date };

/**
 * Who asks, in words that tell people something: the contract's default name does not, nor does an id in Slack. There a
 * person is known by their address, which they cannot choose as they choose a name.
 */
export function requesterOf(challenge: Challenge, texts: Texts): string {
  const { requester_id, requester_email, slack_instance_id, erased_at } = challenge;
  if (erased_at) return texts.somebody;
  const isSlackId = slack_instance_id !== null && SLACK_USER.test(requester_id);
  const named = isSlackId || requester_id === DEFAULT_REQUESTER ? requester_email : requester_id;
  return named === null ? texts.anySystem : isolate(named);
}

/** The person that is asked for, as the caller named them. */
export function targetOf({ target_user_email, target_user_id }: Challenge): string {
  return target_user_email ?? target_user_id ?? '';
}

/** Why, of whom and until when; the page itself says who asks. */
export function Facts({ view: { challenge, frame, now } }: { view: View }) {
  const { facts } = frame.texts;
  const deadline = challenge.expires_at;
  return (
    <dl>
      {challenge.context ? <Fact name={facts.context}>{challenge.context}</Fact> : null}
      {challenge.ticket ? <Fact name={facts.ticket}>{challenge.ticket}</Fact> : null}
      <Fact name={facts.target}>{targetOf(challenge)}</Fact>
      <Fact name={facts.deadline}>
        <time dateTime={deadline.toISOString()}>
          {facts.left(timeLeft(frame.lang, now, deadline), deadlineIn(frame.lang, now, deadline))}
        </time>
      </Fact>
    </dl>
  );
}

/** One of them: a name and what it is. */
export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd dir="auto">{children}</dd>
    </div>
  );
}

/** Says that nothing here is real. */
export function TestBadge({ view: { challenge, frame } }: { view: View }) {
  return challenge.mode === 'test' ? <p class="badge">{frame.texts.testMode}</p> : null;
}

/** The button of a form, pressed by a person: a script that sends the form without pressing it leaves `go` out. */
export function Go({ children, kind }: { children: ComponentChildren; kind?: 'danger' }) {
  return (
    <button type="submit" name="go" value="yes" class={kind}>
      {children}
    </button>
  );
}

/** The quiet way out: for whoever did not expect this. */
export function ReportLink({ view: { frame }, to }: { view: View; to: string }) {
  return (
    <p class="out">
      <a href={to}>{frame.texts.report.link}</a>
    </p>
  );
}

/** A note that the person should not miss. */
export function Note({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="note">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

/** What the person can tell a help desk. */
export function Reference({ view: { challenge, frame } }: { view: View }) {
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

/** Where the page for reporting is, for the browser that started. */
export function reportPath({ challenge }: View): string {
  return `/challenge/${challenge.id}/report`;
}
