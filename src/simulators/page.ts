import { html } from './server.ts';
import type { Reply } from './server.ts';
import type { SimulatedSession, Simulator } from './simulator.ts';

/** The hosted step: one button an outcome, posted to the session's own address as `decision`. */
export function hostedPage(
  { label, outcomes }: Pick<Simulator, 'label' | 'outcomes'>,
  { id, challengeId }: SimulatedSession,
): Reply {
  const buttons = Object.entries(outcomes).map(
    ([outcome, status]) =>
      `<button name="decision" value="${escape(outcome)}" class="${status}">` +
      `<strong>${escape(outcome.replaceAll('_', ' '))}</strong><span>${status}</span></button>`,
  );
  return page(
    label,
    `<p>This page plays the part of ${escape(label)}. No camera and no document: choose how it goes. Beside
each way stands what the challenge becomes.</p>
<form method="post">${buttons.join('\n')}</form>
<dl><dt>Session</dt><dd>${escape(id)}</dd><dt>Challenge</dt><dd>${escape(challengeId ?? 'none')}</dd></dl>`,
  );
}

/** Where a run ends that was given no address to go back to. */
export function donePage({ label }: Pick<Simulator, 'label'>): Reply {
  return page(label, '<p>Thank you. You may close this page.</p>');
}

function page(label: string, main: string): Reply {
  const title = `${escape(label)} stand-in`;
  return html(
    200,
    `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main><h1>${title}</h1>
${main}
</main></body></html>`,
  );
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --verified: #1a7f4b; --failed: #c0392b; --expired: #a06a00; }
@media (prefers-color-scheme: dark) { :root { --verified: #4cc38a; --failed: #ff7b6b; --expired: #e0b050; } }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
form { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: .5rem; margin: 1.5rem 0; }
button { display: flex; justify-content: space-between; align-items: center; gap: 1rem; padding: .75rem 1rem; font: inherit;
  color: inherit; text-align: left; cursor: pointer; background: var(--soft); border: 1px solid var(--line); border-radius: .5rem; }
button:hover { border-color: currentColor; }
button:focus-visible { outline: 2px solid Highlight; outline-offset: 2px; }
button strong::first-letter { text-transform: uppercase; }
button span { font-size: .875rem; opacity: .85; white-space: nowrap; }
.verified span { color: var(--verified); } .failed span { color: var(--failed); } .expired span { color: var(--expired); }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; font-size: .8125rem; opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; }
`;
