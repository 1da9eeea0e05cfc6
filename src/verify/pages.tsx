import type { ComponentChildren } from 'preact';
import type { Challenge } from '../challenges/challenge.ts';
import { DEFAULT_REQUESTER, MAX_INCIDENT_COMMENT } from '../challenges/input.ts';
import { page } from '../web/layout.tsx';

/** What the person is asked, before anything happens. */
export function startPage(
  challenge: Challenge,
  { token, label, now, framed }: { token: string; label: string; now: Date; framed: boolean },
): string {
  return page(
    'Confirm that it is you',
    <>
      <TestBadge challenge={challenge} />
      <h1>Confirm that it is you</h1>
      <p>Somebody asks for proof that they are dealing with you. Go on only if you know why.</p>
      <Facts challenge={challenge} now={now} />
      <form method="post" action={`/challenge/start/${challenge.id}`}>
        <input type="hidden" name="token" value={token} />
        <button type="submit">{`Continue with ${label}`}</button>
      </form>
      <p class="quiet">
        If you did not expect this, close the page and tell your help desk. Nothing happens until you
        continue.
      </p>
      {framed ? <OwnTab challenge={challenge} token={token} /> : null}
    </>,
  );
}

/** Some browsers keep no cookies for a page inside another site. */
function OwnTab({ challenge, token }: { challenge: Challenge; token: string }) {
  const query = new URLSearchParams({ token }).toString();
  return (
    <p class="quiet">
      Does it not work here?{' '}
      <a href={`/challenge/start/${challenge.id}?${query}`} target="_blank" rel="noopener noreferrer">
        Open it in a tab of its own
      </a>
    </p>
  );
}

/** Between our page and the provider's: says where the person is going. */
export function continuePage({ url, label }: { url: string; label: string }): string {
  return page(
    `Taking you to ${label}`,
    <>
      <h1>{`Taking you to ${label}`}</h1>
      <p>{`You will show your document and your face to ${label} and then come back here.`}</p>
      <p>
        <a href={url} rel="noreferrer">{`Continue at ${new URL(url).host}`}</a>
      </p>
    </>,
  );
}

/** Before a provider that does not lead back: it opens in a tab of its own, and this page waits for the person. */
export function awayPage(challenge: Challenge, { url, label }: { url: string; label: string }): string {
  const title = `Go on at ${label}`;
  return page(
    title,
    <>
      <TestBadge challenge={challenge} />
      <h1>{title}</h1>
      <p>{`${label} opens in a tab of its own. You will show your document and your face there.`}</p>
      <p>
        <a href={url} class="action" target="_blank" rel="noopener noreferrer">
          {`Open ${label}`}
        </a>
      </p>
      <p>Keep this page open, and come back to it when you are done there.</p>
      <form action={`/challenge/${challenge.id}/result`}>
        <button type="submit" class="secondary outline">
          I am done
        </button>
      </form>
    </>,
  );
}

/** The sandbox: the developer plays the person. */
export function sandboxPage(challenge: Challenge, now: Date): string {
  return page(
    'Sandbox',
    <>
      <TestBadge challenge={challenge} />
      <h1>What should the person do?</h1>
      <p>This is test mode without an identity provider: you decide how this challenge ends.</p>
      <Facts challenge={challenge} now={now} />
      <Choice challenge={challenge} decision="approve" label="Approve" />
      <Choice challenge={challenge} decision="decline" label="Decline" className="secondary" />
      <Choice
        challenge={challenge}
        decision="report"
        label="Report incident: this wasn’t me"
        className="danger"
      >
        <label>
          What happened? (optional)
          <input type="text" name="comment" maxLength={MAX_INCIDENT_COMMENT} autoComplete="off" />
        </label>
      </Choice>
    </>,
  );
}

/** A caller that did not say who it is has the contract's default name, which tells people nothing. */
export function requesterOf({ requester_id, erased_at }: Challenge): string {
  if (erased_at) return 'Whoever asked';
  return requester_id === DEFAULT_REQUESTER ? 'An automated system of your organization' : requester_id;
}

function Facts({ challenge, now }: { challenge: Challenge; now: Date }) {
  const minutes = Math.max(1, Math.round((challenge.expires_at.getTime() - now.getTime()) / 60_000));
  const deadline = challenge.expires_at.toISOString();
  return (
    <dl>
      <Fact name="Who asks">{requesterOf(challenge)}</Fact>
      {challenge.context ? <Fact name="Why">{challenge.context}</Fact> : null}
      <Fact name="Who should answer">{challenge.target_user_email ?? challenge.target_user_id}</Fact>
      <Fact name="Until">
        <time
          dateTime={deadline}
        >{`${deadline.slice(0, 16).replace('T', ' ')} UTC (${howLong(minutes)})`}</time>
      </Fact>
    </dl>
  );
}

function howLong(minutes: number): string {
  if (minutes < 120) return minutes === 1 ? '1 minute left' : `${minutes} minutes left`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours left` : `${Math.round(hours / 24)} days left`;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

type ChoiceProps = {
  challenge: Challenge;
  decision: string;
  label: string;
  className?: string;
  children?: ComponentChildren;
};

function Choice({ challenge, decision, label, className = '', children }: ChoiceProps) {
  return (
    <form class={children ? 'aside' : ''} method="post" action={`/challenge/${challenge.id}/sandbox`}>
      {children}
      <button type="submit" name="decision" value={decision} class={className}>
        {label}
      </button>
    </form>
  );
}

/** Says that nothing here is real. */
export function TestBadge({ challenge }: { challenge: Challenge }) {
  return challenge.mode === 'test' ? <span class="badge">Test mode</span> : null;
}
